"""Lets a whole platform of a test stand on PostgreSQL when the environment asks for it.

`PENSTOCK_TEST_CATALOG=postgresql` and `PENSTOCK_TEST_STORE=postgresql`, as for the rooms.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Databases by folder: a platform that is started again finds its own.
_urls: dict[Path, str] = {}
_ASKED = {
    "PENSTOCK_TEST_CATALOG": "PENSTOCK_CATALOG_URL",
    "PENSTOCK_TEST_STORE": "PENSTOCK_STORE_URL",
}


def environment(data_dir: Path) -> dict[str, str]:
    """Return the environment of the platform of a folder."""
    found = dict(os.environ)
    for asked, setting in _ASKED.items():
        if os.environ.get(asked) == "postgresql":
            found[setting] = _url(data_dir)
    return found


def _url(data_dir: Path) -> str:
    from tests.postgres_server import need_postgres, shared

    if data_dir not in _urls:
        need_postgres()
        _urls[data_dir] = shared().new_database()
    return _urls[data_dir]
