"""An empty catalog, migrated once for all tests of a process.

In SQLite; with `PENSTOCK_TEST_CATALOG=postgresql` in the environment in PostgreSQL, where a folder
has a database.
"""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

from argon2 import PasswordHasher
from tests.postgres_server import name_of, need_postgres, shared

from penstock.catalog import CatalogSettings, SqlCatalog
from penstock.core.passwords import Passwords

#: The tests at hand run on PostgreSQL.
ON_POSTGRES = os.environ.get("PENSTOCK_TEST_CATALOG") == "postgresql"

#: A file in a folder that says where its database is: other programs look there too.
_URL = "catalog.url"

#: Databases that are left when their catalogs are closed, so that tests may look into them.
_LEFT = 10
_databases: dict[Path, str] = {}
_opened: list[tuple[Path, SqlCatalog]] = []


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "catalog.db"
        SqlCatalog.open(file).close()
        return file.read_bytes()


@functools.cache
def empty_database() -> str:
    """Return the name of a database in PostgreSQL with a catalog that nothing was done to."""
    need_postgres()
    url = shared().new_database()
    SqlCatalog.open(url).close()
    return name_of(url)


def fast_passwords() -> Passwords:
    """Return passwords that cost next to nothing to hash."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def place_of(folder: Path) -> str:
    """Return where the catalog of a folder is: for another program to open."""
    return (folder / _URL).read_text() if ON_POSTGRES else str(folder / "catalog.db")


def reopened(folder: Path, settings: CatalogSettings | None = None) -> SqlCatalog:
    """Return the catalog of a folder, that was made before."""
    catalog = SqlCatalog.open(place_of(folder), settings)
    if ON_POSTGRES:
        _opened.append((folder, catalog))
    return catalog


def is_there(folder: Path) -> bool:
    """Tell whether there is a catalog in a folder."""
    return (folder / (_URL if ON_POSTGRES else "catalog.db")).exists()


def fresh_catalog(
    folder: Path, settings: CatalogSettings | None = None, content: bytes | None = None
) -> SqlCatalog:
    """Return a catalog in a folder, empty unless what `copy_of` gave is given."""
    if ON_POSTGRES:
        _drop_closed()
        template = empty_database() if content is None else content.decode()
        _databases[folder] = shared().new_database(template)
        (folder / _URL).write_text(_databases[folder])
    else:
        (folder / "catalog.db").write_bytes(_empty() if content is None else content)
    return reopened(folder, settings)


def copy_of(folder: Path) -> bytes:
    """Return what makes catalogs like the one of a folder, that is closed."""
    if ON_POSTGRES:
        return name_of(shared().new_database(name_of(_databases[folder]))).encode()
    return (folder / "catalog.db").read_bytes()


def everything_in(folder: Path) -> bytes:
    """Return all that is kept of the catalog of a folder."""
    if ON_POSTGRES:
        return shared().dump(place_of(folder))
    return b"".join(file.read_bytes() for file in folder.glob("catalog.db*"))


def _drop_closed() -> None:
    """Drop the oldest databases whose catalogs are all closed."""
    in_use = {folder for folder, catalog in _opened if not catalog.database.is_closed}
    for folder in [folder for folder in _databases if folder not in in_use][:-_LEFT]:
        shared().drop_database(_databases.pop(folder))
    _opened[:] = [pair for pair in _opened if pair[0] in _databases]
