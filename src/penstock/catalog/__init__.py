"""The catalog: Things, Datastreams and the rest of SensorThings, in SQLite or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.catalog.settings import CatalogSettings
from penstock.core.lazy import lazily

if TYPE_CHECKING:
    from penstock.catalog.sql_catalog import SqlCatalog

__all__ = ["CatalogSettings", "SqlCatalog"]

__getattr__ = lazily(__name__, {"SqlCatalog": "penstock.catalog.sql_catalog"})
