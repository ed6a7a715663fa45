"""What docs/guides/postgresql.md says about observations works as it is written."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from penstock.core.observation import observations
from penstock.runtime.config import Config, load
from penstock.runtime.finding import Level
from penstock.runtime.stores import look_at_store
from penstock.stores.postgres import PostgresStore
from penstock.stores.settings import StoreSettings

pytestmark = pytest.mark.postgres
PAGE = (Path(__file__).parents[3] / "docs/guides/postgresql.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_queries_answer(open_store: Callable[..., PostgresStore], postgres_url: str) -> None:
    store = open_store()
    text = ['{"operator": "Ada"}', None]
    store.append(observations([7, 7], [1, 2], [1.0, 2.0], parameters=text))
    (block,) = blocks("sql")
    queries = [query for query in block.split(";") if query.strip()]
    assert len(queries) == 3
    with psycopg.connect(postgres_url) as connection:
        answers = [connection.execute(query).fetchall() for query in queries]
    assert answers[0] == []
    assert [row[2] for row in answers[1]] == [2.0]
    assert sorted(row[1] or "" for row in answers[2]) == ["", "Ada"]


def test_the_tables_are_those_on_the_page(
    open_store: Callable[..., PostgresStore], postgres_url: str
) -> None:
    open_store()
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'penstock' ORDER BY 1"
        )
        named = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
        assert [name for (name,) in found] == sorted(named)


def test_the_settings_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "penstock.toml"
    for block in blocks("toml"):
        file.write_text(block)
        load(file, {})


def test_doctor_says_whether_it_can_be_reached(postgres_url: str) -> None:
    found = look_at_store(Config(store=StoreSettings(url=postgres_url)))
    assert (found.level, "version" in found.found) == (Level.OK, True)
    away = look_at_store(Config(store=StoreSettings(url="postgresql://me:geheim@127.0.0.1:1/x")))
    assert (away.level, "geheim" in away.found) == (Level.PROBLEM, False)
    assert look_at_store(Config()).level is Level.OK
