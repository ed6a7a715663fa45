"""The store contract, on PostgreSQL."""

import hashlib
from pathlib import Path

import pytest

from penstock.core.store import Store
from penstock.stores.postgres import PostgresStore
from penstock.stores.settings import PostgresSettings
from penstock.testing.store_contract import StoreContract

pytestmark = pytest.mark.postgres


class TestPostgresStore(StoreContract):
    is_durable_at_once = True
    max_partitions = 1000

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def database(cls, class_database: str) -> None:
        cls.url = class_database

    def open_store(self, directory: Path) -> Store:
        schema = "s" + hashlib.sha1(str(directory).encode()).hexdigest()[:12]
        settings = PostgresSettings(schema=schema, max_partitions=self.max_partitions)
        return PostgresStore.open(self.url, settings)


class TestPostgresStoreWithFewPartitions(TestPostgresStore):
    """The same where most rows find no table of their own."""

    max_partitions = 1
