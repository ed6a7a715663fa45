from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.catalog.template import fresh_catalog

from penstock.core.catalog import Catalog
from penstock.testing.catalog_contract import CatalogContract


class TestSqlCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[Catalog]:
        catalog = fresh_catalog(tmp_path)
        yield catalog
        catalog.close()
