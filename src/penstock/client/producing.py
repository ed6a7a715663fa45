"""Results of registered quantities become records on their way to the platform."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from penstock.client.casts import cast
from penstock.client.outbox import Outbox
from penstock.client.packets import record
from penstock.client.registering import Quantities
from penstock.client.things import Datastream
from penstock.client.times import Stamps, iso, time_us
from penstock.core.errors import InvalidInput

#: Members of a record that are the client's to write.
RESERVED = frozenset({"phenomenonTime", "resultTime", "Datastream", "result", "id"})

_encode = msgspec.json.Encoder().encode


class _Ready(NamedTuple):
    """A quantity that was produced before: everything that stays the same."""

    stream: Datastream
    topic: str
    middle: bytes


class Producer:
    """Makes records and hands them to the outbox.

    Args:
        quantities: What is registered.
        outbox: Takes the records.
        stamps: Gives times to what has none.
    """

    def __init__(self, quantities: Quantities, outbox: Outbox, stamps: Stamps) -> None:
        self._quantities = quantities
        self._outbox = outbox
        self._stamps = stamps
        self._ready: dict[str, _Ready] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Look quantities up anew: something was registered."""
        self._ready.clear()

    def produce(
        self,
        system: str,
        quantity: str,
        result: object,
        timestamp: object,
        extra: Mapping[str, Any],
    ) -> None:
        """Keep one result to be sent."""
        ready = self._ready.get(quantity) or self._make_ready(system, quantity)
        value = _encode(cast(ready.stream.observation_type, result))
        more = _more(extra) if extra else b"}"
        given = None if timestamp is None else time_us(timestamp)
        with self._lock:
            time = self._stamps.stamp(ready.stream.id) if given is None else given
            payload = _payload(time, ready.middle, value, more)
            self._outbox.add([record(ready.topic, payload)], time if given is None else 0)

    def produce_many(
        self,
        system: str,
        quantity: str,
        results: Iterable[object],
        timestamps: Sequence[object] | None,
    ) -> int:
        """Keep results to be sent, all or none, and return how many."""
        ready = self._ready.get(quantity) or self._make_ready(system, quantity)
        kind = ready.stream.observation_type
        values = [_encode(cast(kind, result)) for result in results]
        times = None if timestamps is None else [time_us(one) for one in timestamps]
        if times is not None and len(times) != len(values):
            msg = f"{len(values)} results have {len(times)} timestamps; give one for each"
            raise InvalidInput(msg)
        with self._lock:
            stamped = 0
            if times is None:
                times = [self._stamps.stamp(ready.stream.id) for _ in values]
                stamped = max(times, default=0)
            records = [
                record(ready.topic, _payload(time, ready.middle, value, b"}"))
                for time, value in zip(times, values, strict=True)
            ]
            if records:
                self._outbox.add(records, stamped)
        return len(values)

    def _make_ready(self, system: str, quantity: str) -> _Ready:
        stream = self._quantities.find(quantity)
        middle = b'","Datastream":{"@iot.id":%d},"result":' % stream.id
        ready = _Ready(stream, f"{system}.int/{stream.id}", middle)
        self._ready[quantity] = ready
        return ready


def _payload(time: int, middle: bytes, value: bytes, more: bytes) -> bytes:
    text = iso(time).encode()
    return b"".join((b'{"phenomenonTime":"', text, b'","resultTime":"', text, middle, value, more))


def _more(extra: Mapping[str, Any]) -> bytes:
    taken = RESERVED & extra.keys()
    if taken:
        names = ", ".join(sorted(taken))
        raise InvalidInput(f"{names} cannot be given as extra values; choose other names")
    try:
        return b"," + _encode(extra)[1:]
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"the extra values cannot be written as JSON: {error}") from None
