"""docs/guides/postgresql.md works as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.postgres_server import PostgresServer

from penstock.catalog import CatalogSettings
from penstock.runtime.catalog import catalog_health, open_catalog
from penstock.runtime.config import Config, load

PAGE = (Path(__file__).parents[2] / "docs/guides/postgresql.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_settings_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "penstock.toml"
    file.write_text(block("toml"), encoding="utf-8")
    url = tomllib.loads(block("toml"))["catalog"]["url"]
    assert load(file, environ={}).catalog.url == url
    assert load(environ={"PENSTOCK_CATALOG_URL": url}).catalog.url == url
    known = set(msgspec.structs.asdict(CatalogSettings()))
    assert set(re.findall(r"`catalog\.(\w+)`", PAGE)) <= known


@pytest.mark.postgres
def test_the_commands_make_a_database_for_a_catalog(own_postgres_server: PostgresServer) -> None:
    server = own_postgres_server
    # Whoever runs the commands is the server's administrator, who has that name in tests.
    server.sql("CREATE ROLE administrator SUPERUSER LOGIN")
    commands = block("sh").replace("penstock", "plant").splitlines()
    environ = {**os.environ, "PGHOST": str(server.log.parent), "PGUSER": "administrator"}
    for command in commands:
        if not command.startswith("pip "):
            subprocess.run(["bash", "-euc", command], env=environ, check=True, timeout=120)
    config = Config(catalog=CatalogSettings(url=server.url("plant", user="plant")))
    with closing(open_catalog(config)) as catalog:
        assert catalog.count_datastreams() == 0
    assert "PostGIS 3" in catalog_health(config).found
