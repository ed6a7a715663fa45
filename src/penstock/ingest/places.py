"""Things that move: which of the places that messages tell are news for the catalog."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np

from penstock.core.codec import Int64s
from penstock.core.series import Series
from penstock.ingest.decoding import Part

_Spot = tuple[float, ...]
#: A Thing by its system, and by its name or by the id of a Datastream whose Thing nobody named.
_Thing = tuple[int, str | int]


class Places:
    """Thins the places of each Thing to one per interval; one where it is already is no news.

    A cache and nothing more: the catalog takes a place twice without harm.

    Args:
        describe: Returns what a key of a codec stands for.
        every_s: The interval, by the times of the messages.
        max_things: Things remembered.
    """

    def __init__(
        self, describe: Callable[[str, Hashable], Series], *, every_s: float, max_things: int
    ) -> None:
        self._describe = describe
        self._every_us = max(1, round(every_s * 1e6))
        self._max_things = max_things
        self._things: dict[int, _Thing] = {}
        self._last: dict[_Thing, tuple[int, _Spot]] = {}

    def news(self, parts: Sequence[Part], ids: Sequence[Int64s], now_us: int) -> list[Series]:
        """Return the places to tell, each as a series of a Datastream that is enrolled.

        Args:
            parts: What codecs read.
            ids: Datastream of each row, 0 where there is none.
            now_us: No place is told for a later time: a device whose clock is ahead would seem
                to stand still until then.
        """
        found: list[Series] = []
        seen: set[tuple[_Thing, int]] = set()
        for part, rows in zip(parts, ids, strict=True):
            for row in self._candidates(part, rows):
                datastream, time_us = int(rows[row]), int(part.readings.time_us[row])
                thing = self._thing(part, row, datastream)
                step = time_us // self._every_us
                if (thing, step) in seen:
                    continue
                seen.add((thing, step))
                spot = tuple(part.readings.place[row].tolist())  # type: ignore[index]
                if self._is_known(thing, step, spot):
                    continue
                found.append(
                    Series(
                        datastream_id=datastream,
                        system=thing[0],
                        location=spot,
                        located_us=min(time_us, now_us),
                    )
                )
        return found

    def forget(self) -> None:
        """Take nothing for known any more."""
        self._things.clear()
        self._last.clear()

    def _candidates(self, part: Part, rows: Int64s) -> Iterator[int]:
        """Give the first row with a place of each Datastream and interval, by time."""
        place, times = part.readings.place, part.readings.time_us
        if place is None:
            return
        placed = np.flatnonzero((rows != 0) & ~np.isnan(place).any(axis=1))
        placed = placed[np.lexsort((times[placed], rows[placed]))]
        steps = times[placed] // self._every_us
        is_first = np.ones(len(placed), bool)
        is_first[1:] = (np.diff(rows[placed]) != 0) | (np.diff(steps) != 0)
        first = placed[is_first]
        yield from first[np.argsort(times[first], kind="stable")].tolist()

    def _thing(self, part: Part, row: int, datastream: int) -> _Thing:
        thing = self._things.get(datastream)
        if thing is None:
            if len(self._things) >= self._max_things:
                self.forget()
            key = part.readings.keys[int(part.readings.series[row])]
            series = self._describe(part.codec, key)
            thing = self._things[datastream] = (series.system, series.thing or datastream)
        return thing

    def _is_known(self, thing: _Thing, step: int, spot: _Spot) -> bool:
        """Tell whether a place is no news; remember the newest of each Thing."""
        last = self._last.get(thing)
        if last is None or step > last[0]:
            self._last[thing] = (step, spot)
            return last is not None and spot == last[1]
        return step == last[0]
