"""Databases for the tests of the store on PostgreSQL."""

from collections.abc import Callable, Iterator

import pytest
from tests.postgres_server import need_postgres, shared

from penstock.stores.postgres import PostgresStore
from penstock.stores.settings import PostgresSettings

Open = Callable[..., PostgresStore]


@pytest.fixture(scope="class")
def class_database() -> Iterator[str]:
    """The address of an empty database for the tests of a class."""
    need_postgres()
    server = shared()
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def open_store(postgres_url: str) -> Iterator[Open]:
    """Open stores in a database of the test's own; all are closed at the end."""
    opened: list[PostgresStore] = []

    def go(url: str = postgres_url, **settings: object) -> PostgresStore:
        chosen = PostgresSettings(**{"lock_wait_s": 0.0, **settings})  # type: ignore[arg-type]
        opened.append(PostgresStore.open(url, chosen))
        return opened[-1]

    yield go
    for store in opened:
        store.close()
