"""An empty catalog, migrated once for all tests of a process."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from argon2 import PasswordHasher

from penstock.catalog import CatalogSettings, SqlCatalog
from penstock.core.passwords import Passwords


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.db"
        SqlCatalog.open(file).close()
        return file.read_bytes()


def fast_passwords() -> Passwords:
    """Return passwords that cost next to nothing to hash."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def fresh_catalog(
    folder: Path, settings: CatalogSettings | None = None, content: bytes | None = None
) -> SqlCatalog:
    """Return a catalog in a folder, empty unless the bytes of its file are given."""
    file = folder / "catalog.db"
    file.write_bytes(_empty() if content is None else content)
    return SqlCatalog.open(file, settings)
