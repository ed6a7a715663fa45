"""What is known of keys, in columns: most rows of most keys change nothing, and cost no Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Columns:
    """Columns over keys; each key has a place in them.

    Args:
        fields: Names and types of the columns.
    """

    def __init__(self, **fields: type) -> None:
        self._types = {"series": np.int64, **fields}
        self._arrays: dict[str, Any] = {name: np.zeros(0, type_) for name, type_ in fields.items()}
        self._arrays["series"] = np.zeros(0, np.int64)
        self._places: dict[str, int] = {}
        self._free: list[int] = []
        self._sorted: tuple[Any, Any] | None = None
        self._grow(64)

    def __getitem__(self, name: str) -> Any:
        """Return a column; it is another one after keys were added."""
        return self._arrays[name]

    def place(self, name: str) -> int:
        """Return the place of a key, a new one if it has none."""
        found = self._places.get(name)
        if found is not None:
            return found
        if not self._free:
            self._grow(2 * len(self["series"]))
        place = self._places[name] = self._free.pop()
        inner = name[1:-1]
        self["series"][place] = int(inner) if inner.isdigit() else -1
        self._sorted = None
        return place

    def remove(self, name: str) -> None:
        """Forget a key; its place holds zeros."""
        place = self._places.pop(name)
        for column in self._arrays.values():
            column[place] = 0
        self._free.append(place)
        self._sorted = None

    def find(self, codes: Any, name_of: Callable[[int], str] | None) -> Any:
        """Return the places of keys, -1 for those that have none.

        Args:
            codes: Datastreams, or numbers for which there is a name.
            name_of: Gives the name of the key that comes at an index; None when keys are
                datastreams.
        """
        if name_of is not None:
            names = map(name_of, range(len(codes)))
            return np.array([self._places.get(name, -1) for name in names], np.int64)
        ids, places = self._by_series()
        if not len(ids):
            return np.full(len(codes), -1)
        at = np.minimum(np.searchsorted(ids, codes), len(ids) - 1)
        return np.where(ids[at] == codes, places[at], -1)

    def _by_series(self) -> tuple[Any, Any]:
        if self._sorted is None:
            places = np.fromiter(self._places.values(), np.int64, len(self._places))
            places = places[self["series"][places] >= 0]
            places = places[np.argsort(self["series"][places], kind="stable")]
            self._sorted = (self["series"][places], places)
        return self._sorted

    def _grow(self, size: int) -> None:
        has = len(self["series"])
        for name, type_ in self._types.items():
            column: Any = np.zeros(size, type_)
            column[:has] = self._arrays[name]
            self._arrays[name] = column
        self._free += range(size - 1, has - 1, -1)
