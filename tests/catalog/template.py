"""An empty catalog, migrated once for all tests of a process."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from penstock.catalog import CatalogSettings, SqlCatalog


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.db"
        SqlCatalog.open(file).close()
        return file.read_bytes()


def fresh_catalog(folder: Path, settings: CatalogSettings | None = None) -> SqlCatalog:
    """Return an empty catalog in a folder."""
    file = folder / "catalog.db"
    file.write_bytes(_empty())
    return SqlCatalog.open(file, settings)
