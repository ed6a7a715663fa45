from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.catalog import SqlCatalog
from penstock.core.catalog import Catalog
from penstock.testing.catalog_contract import CatalogContract


class TestSqlCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[Catalog]:
        catalog = SqlCatalog.open(tmp_path / "catalog.db")
        yield catalog
        catalog.close()
