"""Who is connected, told through the log, so that it is durable and in order with the data.

For every client that comes or goes the door appends a message to its own partition, and to whoever
subscribes it is passed on like any other. A door that starts says so first: all clients are away
until they are said to be here again, whatever became of the last run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from penstock.core.access import Kind
from penstock.core.clock import Clock
from penstock.core.log import MQTT_3_1_1
from penstock.core.publish import encode_publish
from penstock.door.commit import Entry, GroupCommit
from penstock.door.intake import Run
from penstock.door.message import Message
from penstock.door.packets import Publish
from penstock.door.reasons import Reason
from penstock.door.topics import PLATFORM

if TYPE_CHECKING:
    from penstock.door.auth import Visitor
    from penstock.door.broker import Broker

#: Who the door's own messages come from; no client can have this identifier.
DOOR = "$penstock/door"
#: Topic of the message that a door writes when it starts.
STARTED = f"{PLATFORM}/door"
#: Topics below which clients come and go; the next level is the client, percent-encoded.
CLIENTS = f"{PLATFORM}/clients"

#: What ended a connection, in one word, where it is not "error".
_WORDS: dict[int, str] = {
    Reason.SUCCESS: "clean",
    Reason.DISCONNECT_WITH_WILL: "will",
    Reason.SESSION_TAKEN_OVER: "takeover",
    Reason.KEEP_ALIVE_TIMEOUT: "keep-alive",
    Reason.SERVER_SHUTTING_DOWN: "shutdown",
    Reason.ADMINISTRATIVE_ACTION: "revoked",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A client that is here: who, from where, and how often it is to be heard."""

    who: Visitor
    keep_alive_s: int
    address: str


class Presence:
    """Writes down which clients come and go; the platform's own connections are none."""

    def __init__(self, broker: Broker, commit: GroupCommit, clock: Clock) -> None:
        self._broker = broker
        self._commit = commit
        self._clock = clock

    def start(self) -> None:
        """Say that the door begins, and that nobody is here yet."""
        self._tell(STARTED, {"started": self._clock.now_us()})

    def came(self, arrival: Arrival) -> None:
        """Say that a client is here."""
        self._tell_of(arrival, online=True, why="connect")

    def left(self, arrival: Arrival, reason: int) -> None:
        """Say that a client is gone, and why."""
        self._tell_of(arrival, online=False, why=_WORDS.get(reason, "error"))

    def settle(self, run: Run) -> None:
        """Pass on what is on disk."""
        self._broker.settle(run)

    def _tell_of(self, arrival: Arrival, *, online: bool, why: str) -> None:
        who = arrival.who
        if who.is_internal:
            return
        about = {
            "online": online,
            "at": self._clock.now_us(),
            "client": who.client,
            "user": who.username,
            # A user acts for no system; what they connect with is no device of one.
            "system": 0 if who.who.kind is Kind.USER else who.system,
            "reason": why,
            "keep_alive_s": arrival.keep_alive_s,
            "address": arrival.address,
        }
        self._tell(f"{CLIENTS}/{quote(who.client, safe='')}", about)

    def _tell(self, topic: str, about: dict[str, object]) -> None:
        payload = msgspec.json.encode(about)
        packet = encode_publish(topic, payload)
        message = Message(Publish(topic, payload), DOOR, self._clock.monotonic_s())
        run = Run(packet, len(packet).to_bytes(4, "little"), 1, b"", 0, [message])
        self._commit.add(Entry(self, DOOR, MQTT_3_1_1, run, is_counted=False))
