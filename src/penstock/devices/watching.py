"""Watching devices: when each was last seen, kept in memory and written down every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from penstock.core.clock import Clock, is_older
from penstock.core.devices import DeviceRecords, Seen
from penstock.core.listening import Sighting
from penstock.devices.naming import topic_from_data

#: Datastreams whose Thing is remembered.
MAX_KNOWN = 1_000_000


class Watch:
    """Remembers who was seen.

    Args:
        records: Where it is written down.
        clock: Tells the time.
    """

    def __init__(self, records: DeviceRecords, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._seen: dict[int, Sighting] = {}
        self._said: dict[int, Seen] = {}
        self._things: dict[int, int] = {}

    def saw(self, sightings: Sequence[Sighting]) -> None:
        """Take what a batch told; a dictionary is all it costs."""
        with self._lock:
            self._seen.update(zip((one.datastream for one in sightings), sightings, strict=True))

    def saw_device(self, thing: int, arrived_us: int, client: str) -> None:
        """Take that a device said something that is no result."""
        with self._lock:
            held = self._said.get(thing)
            now_us = self._clock.now_us()
            if held is None or not is_older(arrived_us, held.at_us, now_us):
                self._said[thing] = Seen(thing_id=thing, at_us=arrived_us, client=client)

    def last_seen(self) -> dict[int, int]:
        """Return when Things were seen that are not written down yet; empty when all are."""
        with self._lock:
            waiting = list(self._seen.values())
            newest = {thing: one.at_us for thing, one in self._said.items()}
        for one in waiting:
            thing = self._things.get(one.datastream)
            if thing is not None:
                newest[thing] = max(one.arrived_us, newest.get(thing, 0))
        return newest

    def write(self) -> int:
        """Write down who was seen since the last time and return how many devices that were."""
        with self._writing:
            with self._lock:
                waiting, self._seen = self._seen, {}
                said, self._said = self._said, {}
            if not waiting and not said:
                return 0
            try:
                seen = self._by_thing(waiting)
                self._records.note([*seen, *said.values()])
            except BaseException:
                with self._lock:
                    self._seen = {**waiting, **self._seen}
                    self._said = {**said, **self._said}
                raise
            return len(seen)

    def forget(self) -> None:
        """Ask anew which Thing a Datastream belongs to."""
        with self._writing, self._lock:
            self._things.clear()
            self._seen.clear()
            self._said.clear()

    def _by_thing(self, waiting: dict[int, Sighting]) -> list[Seen]:
        unknown = [id_ for id_ in waiting if id_ not in self._things]
        if len(self._things) + len(unknown) > MAX_KNOWN:
            self._things.clear()
            unknown = list(waiting)
        if unknown:
            self._things.update(self._records.things_of(unknown))
        newest: dict[int, Sighting] = {}
        for id_, one in waiting.items():
            thing = self._things.get(id_)
            if thing is None:
                continue
            held = newest.get(thing)
            if held is None or one.arrived_us >= held.arrived_us:
                newest[thing] = one
        return [_seen(thing, one) for thing, one in newest.items()]


def _seen(thing: int, one: Sighting) -> Seen:
    topic, type_ = topic_from_data(one.codec, one.topic)
    return Seen(thing_id=thing, at_us=one.arrived_us, client=one.client, topic=topic, type=type_)
