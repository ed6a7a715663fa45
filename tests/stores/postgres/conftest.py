"""Databases for the tests of the store on PostgreSQL."""

from collections.abc import Iterator

import pytest
from tests.postgres_server import need_postgres, shared


@pytest.fixture(scope="class")
def class_database() -> Iterator[str]:
    """The address of an empty database for the tests of a class."""
    need_postgres()
    server = shared()
    url = server.new_database()
    yield url
    server.drop_database(url)
