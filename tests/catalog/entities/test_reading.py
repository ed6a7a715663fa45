"""The promises of reading entities, kept by the catalog in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.catalog.systems import add_systems
from tests.catalog.template import fresh_catalog

from penstock.catalog.entities import SqlEntities
from penstock.testing.entities_contract import EntityReadingContract


@pytest.fixture
def entities(tmp_path: Path) -> Iterator[SqlEntities]:
    catalog = fresh_catalog(tmp_path)
    add_systems(catalog, 2, 3)
    yield SqlEntities(catalog.database)
    catalog.close()


class TestSqlEntities(EntityReadingContract):
    @pytest.fixture
    def entities(self, tmp_path: Path) -> Iterator[SqlEntities]:
        catalog = fresh_catalog(tmp_path)
        add_systems(catalog, 2, 3)
        yield SqlEntities(catalog.database)
        catalog.close()
