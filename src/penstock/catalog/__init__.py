"""The catalog: Things, Datastreams and the other entities of SensorThings, in SQLite."""

from __future__ import annotations

from penstock.catalog.settings import CatalogSettings
from penstock.catalog.sql_catalog import SqlCatalog

__all__ = ["CatalogSettings", "SqlCatalog"]
