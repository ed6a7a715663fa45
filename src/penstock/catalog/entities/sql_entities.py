"""The entities of SensorThings in the catalog's database."""

from __future__ import annotations

from penstock.catalog.entities.reading import EntityReading


class SqlEntities(EntityReading):
    """Reads and writes entities. See `core.entities.EntityReader` and `EntityWriter`."""
