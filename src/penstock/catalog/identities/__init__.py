"""The organisation, kept in the catalog's database: implements `core.identity`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.lazy import lazily

if TYPE_CHECKING:
    from penstock.catalog.identities.sql_identities import SqlIdentities

__all__ = ["SqlIdentities"]

__getattr__ = lazily(__name__, {"SqlIdentities": "penstock.catalog.identities.sql_identities"})
