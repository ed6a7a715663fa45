"""The functions that conditions call `penstock_...`, for PostgreSQL: made in the database.

They give what those of `entities.sql_functions` give to SQLite. Numbers come and go as `numeric`,
exactly: what is a double is rounded as doubles are, and then said as the shortest decimal that
means it, or whole. They never raise: what cannot be computed is null.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

#: The statements that make them; those about geometries need PostGIS.
FUNCTIONS = (files(__package__) / "functions.sql").read_text(encoding="utf-8")
GEOMETRY = (files(__package__) / "geometry.sql").read_text(encoding="utf-8")


def version(*, has_geometry: bool) -> str:
    """Return a name for what the functions are now."""
    text = FUNCTIONS + (GEOMETRY if has_geometry else "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]
