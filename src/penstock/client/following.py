"""Live observations: what is stored since a time, then each new one, once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import IO, Any

import msgspec

from penstock.client.casts import cast
from penstock.client.things import Datastream
from penstock.client.times import iso, moment
from penstock.client.web import Web
from penstock.core.errors import Backpressure, Bug, InvalidInput, NotConnected
from penstock.core.series import ObservationType, Unit

#: Observations remembered, to tell those that come again after a reconnection.
_REMEMBERED = 100_000


class Observation(msgspec.Struct, frozen=True):
    """One stored observation; `time_us` in microseconds UTC.

    Attributes:
        datastream: What it belongs to.
        time_us: Phenomenon time, microseconds UTC.
        result: In the type of the Datastream.
        feature: What was observed, if not the Thing; 0 otherwise.
        parameters: Further values.
    """

    datastream: Datastream
    time_us: int
    result: Any
    feature: int = 0
    parameters: Mapping[str, Any] | None = None

    @property
    def time(self) -> datetime:
        """Phenomenon time in UTC."""
        return moment(self.time_us)

    @property
    def unit(self) -> Unit:
        """Unit of the result."""
        return self.datastream.unit


def result_of(stream: Datastream, number: float | None, text: str | None) -> Any:
    """Return a stored result in the type of its Datastream."""
    kind = stream.observation_type
    if number is None and text is None:
        return None
    if kind is ObservationType.COMPLEX and text is not None:
        return msgspec.json.decode(text)
    try:
        return cast(kind, text if number is None else number)
    except (InvalidInput, msgspec.DecodeError):
        return text if number is None else number


class Follower:
    """Reads the live stream of the API, and comes back when it breaks.

    Args:
        web: Asks the API.
        streams: Which Datastreams.
        start_us: Begin with what is stored since then; None begins with what is new.
        max_retry_s: Longest pause before coming back.
        silence_s: A stream that is silent for longer is broken.
    """

    def __init__(
        self,
        web: Web,
        streams: Sequence[Datastream],
        start_us: int | None,
        max_retry_s: float,
        silence_s: float,
    ) -> None:
        self._web = web
        self._streams = {stream.id: stream for stream in streams}
        self._start_us = start_us
        self._max_retry_s = max_retry_s
        self._silence_s = silence_s
        self._last_id = ""
        self._seen: dict[tuple[int, int, int], Any] = {}

    def __iter__(self) -> Iterator[Observation]:
        """Give observations, without end. What changes its value comes again."""
        failures = 0
        while True:
            try:
                for event, data in self._events():
                    failures = 0
                    yield from self._read(event, data)
            except (NotConnected, Backpressure):
                failures += 1
                if failures == 1 and not self._last_id and not self._seen:
                    raise
            pause_s = min(0.2 * 2 ** min(failures, 20), self._max_retry_s)
            time.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311

    def _events(self) -> Iterator[tuple[str, bytes]]:
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        params = {
            "datastream": list(self._streams),
            "start": None if self._start_us is None else iso(self._start_us),
        }
        with self._web.open(
            "GET", "/observations/stream", params, None, headers, self._silence_s
        ) as answer:
            yield from self._cut(answer)

    def _cut(self, answer: IO[bytes]) -> Iterator[tuple[str, bytes]]:
        event, data = "", b""
        while line := answer.readline():
            name, _, value = line.rstrip(b"\r\n").partition(b":")
            value = value.removeprefix(b" ")
            if not name and not value:
                if event:
                    yield event, data
                event, data = "", b""
            elif name == b"event":
                event = value.decode()
            elif name == b"data":
                data += value
            elif name == b"id":
                self._last_id = value.decode()

    def _read(self, event: str, data: bytes) -> Iterator[Observation]:
        if event == "gap":
            # More came than was sent live; what is stored since then has it all.
            yield from self._catch_up()
            return
        if event not in {"snapshot", "observations"}:
            return
        columns = msgspec.json.decode(data, type=dict[str, Any])
        ids = columns.get("datastream", ())
        nothing = [None] * len(ids)
        for id_, at_us, number, text, feature, parameters in zip(
            ids,
            columns.get("time", ()),
            columns.get("number") or nothing,
            columns.get("text") or nothing,
            columns.get("feature") or [0] * len(ids),
            columns.get("parameters") or nothing,
            strict=True,
        ):
            yield from self._once(id_, at_us, number, text, feature, parameters)

    def _once(
        self, id_: int, at_us: int, number: Any, text: Any, feature: int, parameters: Any
    ) -> Iterator[Observation]:
        value = number if text is None else text
        key = (id_, at_us, feature)
        if key in self._seen and self._seen[key] == value:
            return
        self._seen[key] = value
        if len(self._seen) > 2 * _REMEMBERED:
            for old in list(self._seen)[:_REMEMBERED]:
                del self._seen[old]
        stream = self._streams.get(id_)
        if stream is None:
            raise Bug(f"the stream sent datastream {id_}, which was not asked for")
        yield Observation(stream, at_us, result_of(stream, number, text), feature, parameters)

    def _catch_up(self) -> Iterator[Observation]:
        from penstock.client.observations import Observations

        since_us = int(self._last_id) - 10_000_000 if self._last_id else self._start_us
        stored = Observations(self._web, list(self._streams.values()), since_us, None, None)
        for row in stored:
            parameters = row["parameters"]
            yield from self._once(
                row["datastream"],
                row["time"],
                row["number"],
                row["text"],
                row["feature"],
                None if parameters is None else msgspec.json.decode(parameters),
            )
