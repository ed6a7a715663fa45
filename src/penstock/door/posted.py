"""Messages that came another way than MQTT, handed to those who subscribe to their topics.

The hub keeps what comes by HTTP in a partition of its own, and acknowledges it when it is on disk.
The door reads that partition behind it: two processes that share nothing but files, and a post
that does not wait for the door. Who may publish was decided by the API; who may receive is decided
here, as for every message.

It is read from the moment on that somebody subscribes to anything; before, it costs nothing. Where
it was read up to is in the journal, in one transaction with what sessions are to get of it: after
a crash each message is in each queue once. What the SensorThings API has to tell is told by topics
of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from penstock.core.access import PLATFORM
from penstock.core.errors import Corrupt
from penstock.core.imports import is_written
from penstock.core.log import Block, LogReader
from penstock.core.things_topics import is_things_topic
from penstock.door.auth import INTERNAL
from penstock.door.broker import Broker
from penstock.door.commit import GroupCommit
from penstock.door.decoding import decode_publish
from penstock.door.intake import frame
from penstock.door.message import Message
from penstock.door.reasons import ProtocolViolation
from penstock.door.subscriptions import DENIED, QUIET

_log = logging.getLogger(__name__)

#: Time between two looks whether there is more, in seconds: after there was some, growing by half
#: each time up to the second while there is none.
LOOK_S, IDLE_LOOK_S = 0.01, 0.05
#: The same after it could not be read.
TROUBLE_S = 10.0
#: Bytes read before clients have their turn again; a single message may be larger.
PIECE_BYTES = 262_144
#: Who such messages come from; no client can have this identifier.
PUBLISHER = f"{INTERNAL}/posted"
#: At QoS 1 sessions keep them for clients that are away.
_QOS = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A partition of the log that another process writes.

    Attributes:
        reader: Reads it; needs no name, because retention does not wait for subscribers.
        end: Tells the offset before which everything is on disk.
    """

    reader: LogReader
    end: Callable[[], int]


class Posted:
    """Follows the partition while anybody subscribes to anything.

    Args:
        source: The partition.
        broker: Knows who wants what. Its sessions are restored already.
        commit: Tells when the disk refuses.
    """

    def __init__(self, source: Source, broker: Broker, commit: GroupCommit) -> None:
        self._source = source
        self._broker = broker
        self._commit = commit
        self._loop = asyncio.get_running_loop()
        self._routes = broker.routing.of(PLATFORM)
        self._timer: asyncio.Handle | None = None
        self._pause_s = LOOK_S

    def start(self) -> None:
        """Go on where the journal says, if sessions of before want anything."""
        before = self._broker.keeper.posted_offset
        end = self._source.end()
        if self._broker.is_listened_to:
            self._begin(end if before is None else min(before, end))
        self._broker.on_listened = self._listened

    def close(self) -> None:
        """Read no more. Safe to call twice."""
        self._broker.on_listened = None
        self._stop()
        self._source.reader.close()

    def _listened(self, is_listened_to: bool) -> None:
        if is_listened_to:
            self._begin(self._source.end())
        else:
            self._stop()

    def _begin(self, offset: int) -> None:
        self._source.reader.seek(offset)
        self._broker.keeper.posted(offset)
        self._pause_s = LOOK_S
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._pause_s, self._look)
        self._pause_s = min(1.5 * self._pause_s, IDLE_LOOK_S)
        if self._commit.is_holding:
            return  # it is the same disk, and what is handed on may have to be written down
        try:
            blocks = self._read()
        except Exception:
            _log.exception("What came by HTTP cannot be read for subscribers; trying again")
            self._again(self._loop.call_later(TROUBLE_S, self._look))
            return
        if blocks:
            self._pause_s = LOOK_S
            self._again(self._loop.call_soon(self._look))

    def _again(self, timer: asyncio.Handle) -> None:
        self._stop()
        self._timer = timer

    def _read(self) -> Sequence[Block]:
        reader = self._source.reader
        first = reader.position
        try:
            blocks = reader.read(PIECE_BYTES)
        except Corrupt as error:
            _log.error("Subscribers miss messages that came by HTTP: %s", error)
            blocks = ()
        messages = [one for block in blocks for one in self._wanted(block, first)]
        if reader.position != first:
            self._broker.hand_on(messages)
            self._broker.keeper.posted(reader.position)
        return blocks

    def _wanted(self, block: Block, first: int) -> Iterator[Message]:
        """Give the messages of a block, from an offset on, that anybody may receive."""
        known, data, ends = self._routes.known, block.packets, memoryview(block.ends)
        at = 0
        for index in range(block.count):
            stop = int.from_bytes(ends[4 * index : 4 * index + 4], "little")
            start, at = at, stop
            if block.offset + index < first:
                continue
            try:
                body, _ = frame(data, start, stop, stop - start)
                topic_end = body + 2 + (data[body] << 8) + data[body + 1]
                name = data[body + 2 : topic_end]
                route = known.get(name) or self._routes.look_up(name)
                if route is QUIET or route is DENIED or _is_of_things(name.decode()):
                    continue
                packet = decode_publish(data[start], data[body:stop], block.protocol)
            except ProtocolViolation as problem:
                _log.debug("A message that came by HTTP is for no subscriber: %s", problem)
                continue
            self._broker.stats.posted += 1
            yield Message.plainly(packet.topic, packet.payload, _QOS, PUBLISHER, -1)


def _is_of_things(topic: str) -> bool:
    return is_things_topic(topic) or is_written(topic)
