"""Conditions as SQL."""

from __future__ import annotations

from sqlalchemy import Alias

from penstock.catalog.entities.reading_scope import Visibility
from penstock.catalog.entities.reading_shapes import Node
from penstock.catalog.entities.reading_tables import SOURCES, Sql
from penstock.core.errors import NotSupported


class Conditions:
    """Makes conditions."""

    def __init__(self, visibility: Visibility) -> None:
        self._visibility = visibility

    def of_rows(self, type_: str, row: Alias) -> list[Sql]:
        """Return what holds for every row of a type that can be seen."""
        only = SOURCES[type_].only
        seen = self._visibility.visible(type_, row)
        return [*([] if only is None else [only(row)]), *([] if seen is None else [seen])]

    def where(self, type_: str, row: Alias, condition: Node) -> Sql:
        raise NotSupported("where")

    def sort_key(self, type_: str, row: Alias, node: Node) -> Sql:
        raise NotSupported("order")
