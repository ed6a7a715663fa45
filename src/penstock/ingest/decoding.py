"""Messages become readings: each route's codecs are tried in turn, a batch at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from penstock.core.codec import Codec, Int64s, Messages, Readings
from penstock.core.errors import Bug
from penstock.core.listening import PLATFORM_CLIENT, Kind
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US
from penstock.ingest.messages import Batch
from penstock.ingest.routes import NONE, TopicTable
from penstock.ingest.tenancy import owned

_log = logging.getLogger(__name__)

#: Routes that lead to no codec.
NOT_DECODED = frozenset({NONE, *Kind})

#: How often a codec that raised is asked again with a part of the batch, to find the culprit.
MAX_SEARCHES = 64
#: Different breaks that are logged; the dead letters have them all.
MAX_TOLD = 100


class Rejected(msgspec.Struct, frozen=True):
    """A message that could not become observations.

    Attributes:
        message: Its index in the batch.
        codec: Who tried; "" when no route matched.
        reason: What is wrong, for a person.
        device: Name of the device that is not enrolled, when that is the reason.
    """

    message: int
    codec: str
    reason: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """What one codec read from some messages of a batch.

    Attributes:
        codec: Name of the codec.
        readings: What it read.
        message: Index in the batch of the message that each row came from.
    """

    codec: str
    readings: Readings
    message: Int64s


class Decoder:
    """Hands the messages of a batch to the codecs of their routes.

    Args:
        codecs: The codecs that routes name.
        table: Whose routes the topics were found with.
    """

    def __init__(self, codecs: Mapping[str, Codec], table: TopicTable) -> None:
        self._codecs = codecs
        self._routes = table.codecs
        self._tenancy = table.tenancy
        self._told: set[str] = set()

    def decode(self, batch: Batch) -> tuple[list[Part], list[Rejected]]:
        """Read a batch; never raises for what is in it."""
        parts: list[Part] = []
        rejected: list[Rejected] = []
        routes = np.array([topic.route for topic in batch.topics], np.int64)
        own = [at for at, name in enumerate(batch.clients) if name.startswith(PLATFORM_CLIENT)]
        if own:
            routes[np.isin(batch.block, own)] = TopicTable.OWN
        for route in np.unique(routes).tolist():
            members = np.flatnonzero(routes == route)
            if route == TopicTable.UNROUTED:
                rejected += (
                    Rejected(m, "", f"no route matches topic {batch.topics[m].name[:200]!r}")
                    for m in members.tolist()
                )
            elif route != TopicTable.OWN and self._routes[route][0] not in NOT_DECODED:
                self._chain(batch, members, self._routes[route], parts, rejected)
        return parts, rejected

    def _chain(
        self,
        batch: Batch,
        members: Int64s,
        codecs: Sequence[str],
        parts: list[Part],
        rejected: list[Rejected],
    ) -> None:
        reasons: dict[int, str] = {}
        for codec in codecs:
            failed = self._try(codec, batch, members, parts)
            if len(codecs) > 1:
                for message, reason in failed.items():
                    before = reasons.get(message)
                    tried = f"{codec}: {reason}"
                    reasons[message] = f"{before}; {tried}" if before else tried
            else:
                reasons = failed
            if not failed:
                return
            members = np.fromiter(failed, np.int64, len(failed))
        names = ", ".join(codecs)
        rejected += (Rejected(m, names, reasons[m]) for m in members.tolist())

    def _try(self, codec: str, batch: Batch, members: Int64s, parts: list[Part]) -> dict[int, str]:
        """Let one codec read some messages; return those that it could not, with reasons."""
        failed: dict[int, str] = {}
        searches = MAX_SEARCHES
        todo = [members]
        while todo:
            some = todo.pop()
            try:
                readings = self._codecs[codec].decode(messages_of(batch, some))
                _check(readings, len(some))
            except Exception as error:
                if len(some) > 1 and searches > 0:
                    searches -= 1
                    middle = len(some) // 2
                    todo += (some[middle:], some[:middle])
                    continue
                reason = f"the codec broke: {_last_line(error)}"
                self._tell(codec, reason, batch.topics[int(some[0])].name)
                failed.update(dict.fromkeys(some.tolist(), reason))
                continue
            for failure in readings.failures:
                failed[int(some[failure.message])] = failure.reason
            if len(readings.series):
                if self._tenancy.is_divided:
                    readings = owned(readings, systems_of(batch, some))
                readings, late = _in_range(readings)
                failed.update((int(some[m]), reason) for m, reason in late)
                parts.append(Part(codec, readings, some[readings.message]))
        return dict(sorted(failed.items()))

    def _tell(self, codec: str, reason: str, topic: str) -> None:
        """Log a break with its traceback, but the same one only once."""
        if reason in self._told:
            return
        if len(self._told) < MAX_TOLD:
            self._told.add(reason)
            _log.exception("codec %s on topic %r: %s", codec, topic[:200], reason)


def messages_of(batch: Batch, members: Int64s) -> Messages:
    """Return some messages of a batch as codecs want them."""
    if len(members) == len(batch):
        topics, payloads = batch.topics, batch.payloads
    else:
        chosen = members.tolist()
        topics = [batch.topics[m] for m in chosen]
        payloads = [batch.payloads[m] for m in chosen]
    return Messages(
        topics=[topic.path for topic in topics],
        payloads=payloads,
        arrived_us=batch.arrived_us[members],
        fields=[topic.fields for topic in topics],
    )


def systems_of(batch: Batch, members: Int64s) -> Int64s:
    """Return the systems that some messages of a batch belong to."""
    return np.array([batch.topics[m].system for m in members.tolist()], np.int64)


def _last_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:500]


def _check(readings: Readings, messages: int) -> None:
    rows = len(readings.series)
    columns = (readings.time_us, readings.number, readings.message, readings.text,
               readings.feature, readings.end_time_us, readings.result_time_us,
               readings.parameters, readings.place)  # fmt: skip
    if any(column is not None and len(column) != rows for column in columns):
        raise Bug("a codec gave columns of different lengths")
    if any(not 0 <= failure.message < messages for failure in readings.failures):
        raise Bug("a codec reported a failure of a message that it was not given")
    if not rows:
        return
    if int(readings.series.min()) < 0 or int(readings.series.max()) >= len(readings.keys):
        raise Bug("a codec gave a series that is not among its keys")
    if int(readings.message[0]) < 0 or int(readings.message[-1]) >= messages:
        raise Bug("a codec gave rows for a message that it was not given")


def _in_range(readings: Readings) -> tuple[Readings, list[tuple[int, str]]]:
    """Leave out messages with times that no store can keep; return them with reasons."""
    times = readings.time_us
    if int(times.min()) >= MIN_TIME_US and int(times.max()) < MAX_TIME_US:
        return readings, []
    outside = (times < MIN_TIME_US) | (times >= MAX_TIME_US)
    culprits = np.unique(readings.message[outside])
    worst = {int(readings.message[i]): int(times[i]) for i in np.flatnonzero(outside)}
    keep = np.flatnonzero(~np.isin(readings.message, culprits))
    reasons = [
        (m, f"time {us} us since 1970 is outside the years 1 to 9999") for m, us in worst.items()
    ]
    return rows_of(readings, keep), reasons


def rows_of(readings: Readings, rows: Int64s) -> Readings:
    """Return some rows of what a codec read."""
    return Readings(
        keys=readings.keys,
        series=readings.series[rows],
        time_us=readings.time_us[rows],
        number=readings.number[rows],
        message=readings.message[rows],
        text=None if readings.text is None else readings.text.take(rows),
        feature=None if readings.feature is None else readings.feature[rows],
        end_time_us=None if readings.end_time_us is None else readings.end_time_us.take(rows),
        result_time_us=(
            None if readings.result_time_us is None else readings.result_time_us.take(rows)
        ),
        parameters=None if readings.parameters is None else readings.parameters.take(rows),
        place=None if readings.place is None else readings.place[rows],
        described=readings.described,
        failures=readings.failures,
    )
