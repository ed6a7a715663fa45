"""The entities of SensorThings in the catalog: `SqlEntities` reads and writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.lazy import lazily

if TYPE_CHECKING:
    from penstock.catalog.entities.sql_entities import SqlEntities

__all__ = ["SqlEntities"]

__getattr__ = lazily(__name__, {"SqlEntities": "penstock.catalog.entities.sql_entities"})
