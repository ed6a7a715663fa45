import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from tests.catalog.template import ON_POSTGRES

from penstock.catalog import SqlCatalog
from penstock.catalog.models import Base
from penstock.catalog.schema import HEAD, MIGRATIONS
from penstock.core.catalog import Policy
from penstock.core.errors import ConfigError, Corrupt, NotConnected
from penstock.core.series import Series

pytestmark = pytest.mark.skipif(
    ON_POSTGRES, reason="about SQLite's file; see tests/integration/postgres"
)


def schema(file: Path) -> dict[str, str]:
    """Return the SQL of every table and index, without differences of layout."""
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        found = {name: " ".join(sorted(sql.split(","))) for name, sql in rows}
    connection.close()
    return {
        name: " ".join(sql.replace('"', "").replace("(", " ( ").replace(")", " ) ").split())
        for name, sql in found.items()
        if name not in {"alembic_version", "sqlite_sequence"}
    }


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    file = tmp_path / "migrated.db"
    SqlCatalog.open(file).close()
    return file


def test_migrating_from_empty_gives_exactly_the_tables_of_the_models(
    migrated: Path, tmp_path: Path
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    Base.metadata.create_all(engine)
    engine.dispose()
    ours, theirs = schema(migrated), schema(tmp_path / "made.db")
    assert ours.keys() == theirs.keys()
    assert {n: sorted(sql.split()) for n, sql in ours.items()} == {
        n: sorted(sql.split()) for n, sql in theirs.items()
    }


def test_alembic_finds_nothing_left_to_do(migrated: Path) -> None:
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_ids_are_never_used_again(migrated: Path) -> None:
    with sqlite3.connect(migrated) as connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        numbered = {name for name, sql in tables if sql and "AUTOINCREMENT" in sql}
    connection.close()
    assert {"thing", "datastream", "sensor", "observed_property", "location"} <= numbered


def test_a_start_without_migration_does_not_load_alembic(migrated: Path) -> None:
    code = (
        "import sys; from penstock.catalog import SqlCatalog; "
        "SqlCatalog.open(sys.argv[1]).close(); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(migrated)], check=True)


def test_a_catalog_of_a_newer_penstock_is_refused_and_left_alone(migrated: Path) -> None:
    with sqlite3.connect(migrated) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigError, match="9999"):
        SqlCatalog.open(migrated)
    assert "datastream" in schema(migrated)


def test_a_file_that_is_no_catalog_is_told(tmp_path: Path) -> None:
    (tmp_path / "junk.db").write_bytes(b"no database at all, " * 100)
    with pytest.raises(Corrupt):
        SqlCatalog.open(tmp_path / "junk.db")
    with pytest.raises(NotConnected):
        SqlCatalog.open(tmp_path / "missing" / "catalog.db")


@pytest.mark.parametrize(
    "url", ["mysql://host/db", ":memory:", "sqlite://", "postgresql://[::1/db"]
)
def test_only_files_and_servers_are_taken(url: str) -> None:
    with pytest.raises(ConfigError):
        SqlCatalog.open(url)


def test_a_closed_catalog_says_so(migrated: Path) -> None:
    catalog = SqlCatalog.open(f"sqlite:///{migrated}")
    catalog.close()
    with pytest.raises(NotConnected):
        catalog.enrol([Series(thing="a", name="b")], Policy.AUTOMATIC, 1)
    with pytest.raises(NotConnected):
        catalog.datastreams()
