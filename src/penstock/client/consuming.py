"""Received records become messages with their Datastream, typed, each once."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from penstock.client.arriving import Arrivals, Gap
from penstock.client.casts import cast
from penstock.client.catching_up import CatchingUp, Row
from penstock.client.following import result_of
from penstock.client.inbox import Inbox
from penstock.client.packets import Received, split_received
from penstock.client.producing import RESERVED
from penstock.client.things import Datastream
from penstock.client.times import moment, time_us
from penstock.core.clock import Clock
from penstock.core.errors import Forbidden, InvalidInput, NotFound, PenstockError
from penstock.core.series import Unit

_log = logging.getLogger(__name__)

#: How long a Datastream's facts are believed, and that there is none, in seconds.
_FRESH_S = 300.0
_MISSING_S = 10.0
#: Pause while what was missed cannot be read yet, in seconds.
_TICK_S = 0.02


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One result, as it was sent, with what is known of its Datastream.

    Attributes:
        result: In the type of the Datastream: float, int, bool, str or dict.
        time_us: Phenomenon time, microseconds UTC; when it was received if it has none.
        result_time_us: When the result was made, microseconds UTC.
        datastream_id: Id of the Datastream; None when the record describes it in place.
        datastream: The Datastream; None when it is not known, or may not be seen.
        extra: Further values that were sent with it.
        topic: MQTT topic that it came on; "" when it comes from the store.
    """

    result: Any
    time_us: int
    result_time_us: int
    datastream_id: int | None
    datastream: Datastream | None
    extra: Mapping[str, Any]
    topic: str

    @property
    def phenomenon_time(self) -> datetime:
        """`time_us` as a datetime in UTC."""
        return moment(self.time_us)

    @property
    def name(self) -> str:
        """Full name of the Datastream; "" when it is not known."""
        return self.datastream.name if self.datastream else ""

    @property
    def quantity(self) -> str:
        """Name of the Datastream within its Thing; "" when it is not known."""
        stream = self.datastream
        return stream.name.removeprefix(f"{stream.thing}.") if stream else ""

    @property
    def thing(self) -> str:
        """Name of the Thing; "" when it is not known."""
        return self.datastream.thing if self.datastream else ""

    @property
    def unit(self) -> Unit:
        """Unit of the result; empty when it is not known."""
        return self.datastream.unit if self.datastream else Unit()

    @property
    def location(self) -> tuple[float, ...] | None:
        """Where the Thing is: longitude and latitude in degrees, height in metres."""
        return self.datastream.location if self.datastream else None


class Consumer:
    """Takes messages out of the inbox.

    Args:
        inbox: Holds what was received.
        look_up: Returns the Datastreams of these ids that there are.
        clock: Tells the time.
        arrivals: Gives what did not come, from the log.
        missed: Gives it from the store, when the log does not reach back so far.
        is_subscribed: Tells of the inbox's n-th connection whether what comes live comes over it.
    """

    def __init__(
        self,
        inbox: Inbox,
        look_up: Callable[[Sequence[int]], Sequence[Datastream]],
        clock: Clock,
        arrivals: Arrivals,
        missed: CatchingUp,
        is_subscribed: Callable[[int], bool],
    ) -> None:
        self._arrivals = arrivals
        self._missed = missed
        self._is_subscribed = is_subscribed
        #: Topic filters that match all that was subscribed to.
        self._filters: dict[str, None] = {}
        #: Where the log ended when the store began to be asked; None while it is not.
        self._log_end: int | None = None
        #: The connection for which was looked at what is missing.
        self._connection = 0
        self._inbox = inbox
        self._look_up = look_up
        self._clock = clock
        self._known: dict[int, tuple[Datastream | None, float]] = {}
        #: Number of the last record handed out and not dealt with; 0 for none.
        self._handed_out = 0
        #: Ids wanted; None means all.
        self.wanted: set[int] | None = set()

    def subscribing(self, filters: Sequence[str]) -> None:
        """Take note where the log ends, before the first filters are subscribed to."""
        # One for all Datastreams of a system: what is not wanted is passed over here.
        self._filters.update(dict.fromkeys(f"{one.partition('/')[0]}/#" for one in filters))
        if not self._missed.has_history and not self._arrivals.is_known:
            end = self._end_of_log()
            self._arrivals.settle(-1 if end is None else end)

    def subscribed(self) -> None:
        """Begin the history of this consumer, if it has none."""
        if self._missed.has_history:
            return
        self._missed.begin(self._clock.now_us())
        connection = self._inbox.connections
        if self._arrivals.is_known and self._is_subscribed(connection):
            # All that is wanted comes live over it, older messages of the session first.
            self._connection = connection

    def consume(self, timeout_s: float, most: int) -> list[Message]:
        """Count what was handed out before as dealt with, and return what is next."""
        self.acknowledge()
        until_s = time.monotonic() + timeout_s
        while True:
            left_s = max(until_s - time.monotonic(), 0.0)
            messages = self._next(left_s, most)
            if messages or left_s <= 0:
                return messages
            self.acknowledge()

    def acknowledge(self) -> None:
        """Say that everything handed out is dealt with: it does not come again."""
        if self._handed_out:
            self._inbox.done(self._handed_out)
            self._handed_out = 0
        self._missed.deal_with(has_moved=self._arrivals.deal_with())

    def _next(self, timeout_s: float, most: int) -> list[Message]:
        self._look_for_connection()
        missed = self._next_arrived(most) or self._next_missed(most)
        if missed:
            return missed
        if self._arrivals.is_active:
            # What comes live is newer, and has to wait.
            time.sleep(min(timeout_s, max(self._arrivals.wait_s(), _TICK_S)))
            return []
        if self._missed.is_active:
            timeout_s = min(timeout_s, self._missed.wait_s())
        received = self._inbox.get(most, timeout_s, self._connection)
        if not received:
            self._arrivals.refresh()
            return []
        return self._next_live(received)

    def _next_live(self, received: Sequence[tuple[int, bytes]]) -> list[Message]:
        kept = [split_received(one) for _, one in received]
        new = [one for one in kept if not self._arrivals.is_covered(one.offset)]
        messages = self._messages(received[0][0], new)
        self._inbox.repeated += len(kept) - len(new)
        for one in new:
            self._arrivals.hand_out(one.offset, one.qos)
        self._handed_out = received[-1][0]
        return messages

    def _look_for_connection(self) -> None:
        """Begin to catch up if there was a connection since."""
        connection = self._inbox.connections
        if connection == self._connection:
            return
        self._connection = connection
        if self._arrivals.is_known:
            self._arrivals.begin()
        else:
            self._ask_store()

    def _next_arrived(self, most: int) -> list[Message]:
        if self._log_end is not None and not self._missed.is_active:
            # The store had what the log had lost; from here on the log has it all again.
            self._arrivals.settle(self._log_end)
            self._log_end = None
            self._arrivals.begin()
        if not self._arrivals.is_active or not self._is_subscribed(self._connection):
            return []
        try:
            items = self._arrivals.next(list(self._filters), most)
        except (Forbidden, Gap, NotFound) as error:
            _log.warning("what was missed is read from the store, not from the log: %s", error)
            self._ask_store()
            return []
        try:
            return self._messages(None, [Received(i.topic, i.content, i.offset) for i in items])
        except PenstockError:
            self._arrivals.give_again(items)
            raise

    def _ask_store(self) -> None:
        """Read what was missed from the store, and then the log from where it ends now."""
        self._log_end = self._end_of_log() if self._missed.has_history else None
        self._arrivals.settle(-1)
        self._missed.begin(self._clock.now_us())
        self._missed.save()

    def _end_of_log(self) -> int | None:
        try:
            return self._arrivals.end(list(self._filters))
        except PenstockError as error:
            _log.warning("where the platform's log ends cannot be asked: %s", error)
            return None

    def _messages(self, number: int | None, records: Sequence[Received]) -> list[Message]:
        """Return what is wanted of these; puts back the inbox to `number` if that fails."""
        chosen = []
        for one in records:
            fields = _fields(one.payload)
            if fields is not None and (self.wanted is None or _id(fields) in self.wanted):
                chosen.append((one.topic, fields))
        try:
            self._learn({id_ for _, fields in chosen if (id_ := _id(fields)) is not None})
        except PenstockError:
            if number is not None:
                self._inbox.put_back(number)
            raise
        found = [self._live(topic, fields) for topic, fields in chosen]
        return [message for message in found if message is not None]

    def _next_missed(self, most: int) -> list[Message]:
        rows = self._missed.next(self.wanted or (), most)
        if self.wanted is not None:
            rows = [row for row in rows if row["datastream"] in self.wanted]
        if not rows:
            return []
        try:
            self._learn({row["datastream"] for row in rows})
        except PenstockError:
            self._missed.give_again()
            raise
        for row in rows:
            self._missed.hand_out(row["datastream"], row["time"], is_stored=True)
        return [self._stored(row) for row in rows]

    def _live(self, topic: str, fields: dict[str, Any]) -> Message | None:
        """Return a message; None for one that was missed and has been read from the store."""
        message = self._message(topic, fields)
        id_ = message.datastream_id
        if id_ is not None and fields.get("phenomenonTime") is not None:
            if self._missed.is_known(id_, message.time_us):
                self._inbox.repeated += 1
                return None
            self._missed.hand_out(id_, message.time_us, is_stored=False)
        return message

    def _stored(self, row: Row) -> Message:
        id_ = row["datastream"]
        stream = self._known[id_][0]
        number, text, parameters = row["number"], row["text"], row["parameters"]
        result = (number if text is None else text) if stream is None else None
        return Message(
            result=result if stream is None else result_of(stream, number, text),
            time_us=row["time"],
            result_time_us=row["result_time"] or row["time"],
            datastream_id=id_,
            datastream=stream,
            extra=msgspec.json.decode(parameters) if parameters else {},
            topic="",
        )

    def _learn(self, ids: set[int]) -> None:
        now_s = time.monotonic()
        unknown = [id_ for id_ in ids if id_ not in self._known or self._known[id_][1] < now_s]
        if not unknown:
            return
        found = {stream.id: stream for stream in self._look_up(unknown)}
        if len(self._known) > 100_000:
            self._known.clear()
        for id_ in unknown:
            good_s = _FRESH_S if id_ in found else _MISSING_S
            self._known[id_] = (found.get(id_), now_s + good_s)

    def _message(self, topic: str, fields: dict[str, Any]) -> Message:
        id_ = _id(fields)
        stream = self._known[id_][0] if id_ is not None else None
        result = fields.get("result")
        if stream is not None:
            # Another sender may have another idea of it; then it stays as it is, as in the store.
            with contextlib.suppress(InvalidInput):
                result = cast(stream.observation_type, result)
        now_us = self._clock.now_us()
        at_us = _time(fields.get("phenomenonTime"), now_us)
        same = fields.get("resultTime") == fields.get("phenomenonTime")
        return Message(
            result=result,
            time_us=at_us,
            result_time_us=at_us if same else _time(fields.get("resultTime"), at_us),
            datastream_id=id_,
            datastream=stream,
            extra={name: value for name, value in fields.items() if name not in RESERVED},
            topic=topic,
        )


_decode = msgspec.json.Decoder(dict[str, Any]).decode


def _fields(payload: bytes) -> dict[str, Any] | None:
    """Return a record's members; None for what is no record of an observation."""
    try:
        fields = _decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return None
    return fields if "result" in fields else None


def _id(fields: Mapping[str, Any]) -> int | None:
    stream = fields.get("Datastream")
    found = stream.get("@iot.id") if isinstance(stream, Mapping) else None
    return found if type(found) is int else None


def _time(value: object, otherwise: int) -> int:
    text = value.partition("/")[0] if isinstance(value, str) else value
    try:
        return otherwise if text is None else time_us(text)
    except InvalidInput:
        return otherwise
