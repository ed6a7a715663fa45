"""Which features datastreams were seen at: told to the catalog for all who wait at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

from penstock.sensorthings.writing.asked import Parts

#: Pairs of datastream and feature that are remembered as known to the catalog.
MAX_REMEMBERED = 100_000

Pair = tuple[int, int]


class Areas:
    """Makes the areas of datastreams hold the features that they are seen at.

    For use in one event loop. Whoever comes while the catalog writes shares the next transaction.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: OrderedDict[Pair, None] = OrderedDict()
        self._waiting: dict[Pair, None] = {}
        self._writing = asyncio.Lock()

    async def note(self, pairs: Iterable[Pair]) -> None:
        """Return when the areas of these datastreams hold these features (0 is the own one)."""
        fresh = {pair for pair in pairs if pair not in self._known}
        if not fresh:
            return
        self._waiting.update(dict.fromkeys(fresh))
        async with self._writing:
            # Another one may have told of these meanwhile.
            if fresh <= self._known.keys():
                return
            told, self._waiting = self._waiting, {}
            told.update(dict.fromkeys(fresh))
            seen: dict[int, list[int]] = {}
            for datastream, feature in told:
                seen.setdefault(datastream, []).append(feature)
            # One at a time, and mostly waiting for the disk: beside the lane of other calls.
            await asyncio.to_thread(self._parts.features.extend_areas, seen)
            self._known.update(told)
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
