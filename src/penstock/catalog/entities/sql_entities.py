"""The entities of SensorThings in the catalog's database."""

from __future__ import annotations

from penstock.catalog.database import Database
from penstock.catalog.entities.reading import EntityReading
from penstock.catalog.entities.writing import SqlWriter
from penstock.core.clock import Clock


class SqlEntities(EntityReading, SqlWriter):
    """Reads and writes entities. See `EntityReader` and `EntityWriter` of `core.entities`.

    Args:
        database: Where they are.
        clock: Tells what `now()` is in conditions.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        EntityReading.__init__(self, database, clock)
        SqlWriter.__init__(self, database)
