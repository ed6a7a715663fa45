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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

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
from penstock.door.reasons import ProtocolViolation, Reason
from penstock.door.subscriptions import DENIED, QUIET

_log = logging.getLogger(__name__)

#: Time between two looks whether there is more, in seconds: after there was some, growing by half
#: each time up to the second while there is none.
LOOK_S, IDLE_LOOK_S = 0.01, 0.05
#: The same after it could not be read.
TROUBLE_S = 10.0
#: Time that clients have to come back after a start before what was missed is handed on: it would
#: fill the queues of those that are away.
START_S = 2.0
#: After a power loss the end of the log looks too small until its writer has recovered it. Only if
#: it still does after this time, in seconds, it is another log.
ANOTHER_LOG_S = 60.0
#: Bytes read at once, and messages handed on before clients have their turn again; a single block
#: may be larger.
PIECE_BYTES, PIECE_MESSAGES = 262_144, 500
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
        commit: Tells when the disk refuses, and when it is behind.
        max_packet_bytes: Larger messages are for no subscriber.
    """

    def __init__(
        self, source: Source, broker: Broker, commit: GroupCommit, max_packet_bytes: int
    ) -> None:
        self._source = source
        self._broker = broker
        self._commit = commit
        self._max_packet_bytes = max_packet_bytes
        self._loop = asyncio.get_running_loop()
        self._routes = broker.routing.of(PLATFORM)
        self._timer: asyncio.Handle | None = None
        self._pause_s = LOOK_S
        self._is_following = False
        #: What was read and not handed on yet, each with the offset behind it.
        self._read_ahead: Iterator[tuple[int, Message | None]] = iter(())
        #: Up to where the journal says that it was read, and until when that is believed rather
        #: than an end before it.
        self._before = 0
        self._believed_until_s = 0.0
        self._is_in_doubt = False
        #: Number of the sync with which the last piece is on disk.
        self._sync = 0

    def start(self) -> None:
        """Go on where the journal says, if sessions of before want anything."""
        before = self._broker.keeper.posted_offset
        self._before = before or 0
        self._believed_until_s = self._loop.time() + ANOTHER_LOG_S
        self._broker.on_listened = self._listened
        if not self._broker.is_listened_to:
            return
        if before is None:
            self._listened(True)
        else:
            self._begin(before, START_S)

    def close(self) -> None:
        """Read no more. Safe to call twice."""
        self._broker.on_listened = None
        self._stop()
        self._source.reader.close()

    def _listened(self, is_listened_to: bool) -> None:
        self._stop()
        if not is_listened_to:
            return
        try:
            end = self._source.end()
        except Exception:
            _log.exception("What comes by HTTP cannot be read for subscribers; trying again")
            self._again(self._loop.call_later(TROUBLE_S, self._listened, True))
            return
        is_believed = self._loop.time() < self._believed_until_s
        self._begin(max(end, self._before) if is_believed else end, LOOK_S)

    def _begin(self, offset: int, after_s: float) -> None:
        self._stop()
        self._is_following = True
        self._is_in_doubt = self._loop.time() < self._believed_until_s
        self._source.reader.seek(offset)
        self._broker.keeper.posted(offset)
        self._pause_s = LOOK_S
        self._timer = self._loop.call_later(after_s, self._look)

    def _stop(self) -> None:
        self._is_following = False
        self._read_ahead = iter(())
        self._again(None)

    def _look(self) -> None:
        self._timer = self._loop.call_later(self._pause_s, self._look)
        self._pause_s = min(1.5 * self._pause_s, IDLE_LOOK_S)
        if self._commit.is_holding:
            return  # it is the same disk, and what is handed on may have to be written down
        if self._commit.is_busy and self._broker.stats.syncs < self._sync:
            self._pause_s = LOOK_S
            return  # the last piece comes first
        try:
            is_more = self._hand_on_piece()
        except Exception:
            _log.exception("What came by HTTP cannot be read for subscribers; trying again")
            if self._is_following:
                self._again(self._loop.call_later(TROUBLE_S, self._look))
            return
        if is_more and self._is_following:
            self._pause_s = LOOK_S
            self._again(self._loop.call_soon(self._look))

    def _again(self, timer: asyncio.Handle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    def _hand_on_piece(self) -> bool:
        """Hand on what is next, reading it if need be; return whether there may be more."""
        piece = list(islice(self._read_ahead, PIECE_MESSAGES))
        if not piece:
            has_moved = self._read()
            piece = list(islice(self._read_ahead, PIECE_MESSAGES))
            if not piece:
                return has_moved
        messages = [message for _, message in piece if message is not None]
        until = piece[-1][0]
        if messages:
            self._sync = self._broker.stats.syncs + (2 if self._commit.is_busy else 1)
        ahead = self._read_ahead
        try:
            self._broker.hand_on(messages)
        except Exception:
            _log.exception(
                "Subscribers miss up to %d messages before offset %d that came by HTTP; this is a "
                "bug, please report it",
                len(messages),
                until,
            )
        if ahead is self._read_ahead:  # handing on may have ended the last subscriber
            self._broker.keeper.posted(until)
        return True

    def _read(self) -> bool:
        """Read on; return whether that came further."""
        reader = self._source.reader
        first = reader.position
        try:
            blocks = reader.read(PIECE_BYTES)
        except Corrupt as error:
            _log.error("Subscribers miss messages that came by HTTP: %s", error)
            self._broker.keeper.posted(reader.position)
            return True
        except Exception:
            reader.seek(first)
            raise
        self._read_ahead = (one for block in blocks for one in self._wanted(block, first))
        if not blocks and self._is_in_doubt:
            self._look_for_another_log()
        return bool(blocks)

    def _look_for_another_log(self) -> None:
        position = self._source.reader.position
        if self._loop.time() < self._believed_until_s:
            return
        self._is_in_doubt = False
        end = self._source.end()
        if end < position:
            _log.error(
                "Subscribers had what came by HTTP up to offset %d, but the log ends at %d: it is "
                "another one, which is read from its end",
                position,
                end,
            )
            self._source.reader.seek(end)
            self._broker.keeper.posted(end)

    def _wanted(self, block: Block, first: int) -> Iterator[tuple[int, Message | None]]:
        """Give the messages of a block from an offset on, or None for what nobody may receive.

        Each comes with the offset behind it.
        """
        data, ends = block.packets, memoryview(block.ends)
        at = 0
        for index in range(block.count):
            stop = int.from_bytes(ends[4 * index : 4 * index + 4], "little")
            start, at = at, stop
            if block.offset + index < first:
                continue
            offset = block.offset + index
            try:
                message = self._message(data, start, stop, block.protocol)
            except ProtocolViolation as problem:
                is_large = problem.reason is Reason.PACKET_TOO_LARGE
                _log.log(
                    logging.WARNING if is_large else logging.DEBUG,
                    "The message at offset %d that came by HTTP is for no subscriber: %s",
                    offset,
                    problem,
                )
                message = None
            except Exception:
                _log.exception("Subscribers miss the message at offset %d, by HTTP", offset)
                message = None
            self._broker.stats.posted += message is not None
            yield offset + 1, message

    def _message(self, data: bytes, start: int, stop: int, protocol: int) -> Message | None:
        body, _ = frame(data, start, stop, self._max_packet_bytes)
        topic_end = body + 2 + (data[body] << 8) + data[body + 1]
        name = data[body + 2 : topic_end]
        route = self._routes.known.get(name) or self._routes.look_up(name)
        if route is QUIET or route is DENIED or _is_of_things(name.decode()):
            return None
        packet = decode_publish(data[start], data[body:stop], protocol)
        return Message.plainly(packet.topic, packet.payload, _QOS, PUBLISHER, -1)


def _is_of_things(topic: str) -> bool:
    return is_things_topic(topic) or is_written(topic)
