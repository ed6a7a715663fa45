from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.catalog.systems import add_systems
from tests.catalog.template import fresh_catalog

from penstock.catalog.entities import SqlEntities
from penstock.testing.entity_writing_contract import EntityWritingContract


class TestSqlEntities(EntityWritingContract):
    @pytest.fixture
    def entities(self, tmp_path: Path) -> Iterator[SqlEntities]:
        catalog = fresh_catalog(tmp_path)
        add_systems(catalog, 2)
        yield SqlEntities(catalog.database)
        catalog.close()
