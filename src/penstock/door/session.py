"""A client's session: what it subscribed to, and what is on its way to it.

A session may outlive its connection. While the client is away, QoS 1 and 2 messages wait in
memory; while it is there, at most its receive maximum is in flight and the rest waits. A session
that is kept also survives the door's end: what it holds is noted for the journal, and a message
is sent only after its note is on disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from penstock.core.access import ANYONE
from penstock.core.clock import Clock
from penstock.door.aliases import GivenAliases
from penstock.door.encoding import encode, encode_publish
from penstock.door.filters import Filters
from penstock.door.keeping import Keeper
from penstock.door.message import Message
from penstock.door.packets import Ack, Publish, Will
from penstock.door.properties import Kind, Property
from penstock.door.quotas import Allowance, whole
from penstock.door.reasons import Reason
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats


class Link(Protocol):
    """What a session needs of its client's connection."""

    protocol: int
    #: False while the client reads too slowly.
    writable: bool
    receive_maximum: int
    #: Largest packet the client takes.
    packet_limit: int
    #: Whether the client wants to know each message's place in the log.
    tells_offsets: bool
    #: Short names of topics that the client was given.
    aliases: GivenAliases

    def send(self, packet: bytes) -> None:
        """Queue bytes for the client."""
        ...

    def answer(self, packet: bytes) -> None:
        """Queue bytes for the client once all that was noted until now is on disk."""
        ...

    def end(self, reason: Reason, why: str) -> None:
        """Say goodbye and close."""
        ...

    def cut(self) -> None:
        """Close at once, whatever was not read."""
        ...


#: What a message for a session costs of `max_all_queued_bytes` beside its payload.
MESSAGE_BYTES = 256
#: Packet identifiers that one session can have in use (section 2.2.1).
MAX_OPEN = 65_535


@dataclass(slots=True, eq=False)
class Outgoing:
    """A QoS 1 or 2 message for this session.

    Attributes:
        place: Counts the session's messages; they are sent in this order.
        share: Filter of the shared subscription that it came by; empty for others.
        is_ready: Whether all that has to be on disk first is on disk.
        is_sent: Whether it was sent before, so that the next time is a duplicate.
        is_released: Whether the client has it (QoS 2) and PUBREL is what it waits for.
        is_noted: Whether the journal knows it.
    """

    message: Message
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    packet_id: int
    place: int
    share: str = ""
    is_ready: bool = True
    is_sent: bool = False
    is_released: bool = False
    is_noted: bool = False


class Session:
    """One client identifier's state."""

    def __init__(
        self,
        client: str,
        settings: DoorSettings,
        clock: Clock,
        stats: Stats,
        keeper: Keeper,
        allowance: Allowance | None = None,
    ) -> None:
        #: Its name: owner and client identifier.
        self.client = client
        #: Whose it is: it gets what they may receive.
        self.who = ANYONE
        #: Asked again before a message is sent, since it may have waited for long.
        self.may_receive: Callable[[Session, str], bool] | None = None
        #: Number in the journal; 0 while it is not there.
        self.number = 0
        self.subscriptions = Filters()
        #: Packet identifiers of QoS 2 messages received and not yet released by the client.
        self.inbound: set[int] = set()
        self.link: Link | None = None
        self.expiry_s = 0
        #: Monotonic time at which it ends; set while the client is away.
        self.expires_at_s = 0.0
        self.will: Will | None = None
        #: Monotonic time at which the will is published; None while none is due.
        self.will_due_at_s: float | None = None
        #: Called when the client has taken a QoS 1 or 2 message for good.
        self.on_taken: Callable[[Session, Message], None] | None = None
        #: Who pays for what it has.
        self.allowance = allowance or whole(settings)
        #: Called when there was no room for a message in the allowance.
        self.on_over: Callable[[Allowance, str], object] | None = None
        #: Place of the last message that was sent.
        self.sent_place = 0
        self._settings = settings
        self._clock = clock
        self._stats = stats
        self._keeper = keeper
        #: All messages that are not done with, by packet identifier, in their order.
        self._open: dict[int, Outgoing] = {}
        #: Those to be sent to the client that is here.
        self._queue: deque[Outgoing] = deque()
        #: Those that were never sent.
        self._waiting = 0
        self._waiting_bytes = 0
        #: What all open messages cost.
        self._held_bytes = 0
        #: Sent on this connection and not acknowledged.
        self._sent = 0
        self._last_id = 0
        self._last_place = 0

    @property
    def queued(self) -> int:
        """Messages that wait to be sent for the first time."""
        return self._waiting

    @property
    def is_kept(self) -> bool:
        """Whether it survives the end of the door."""
        return self.number > 0 and self.expiry_s > 0

    def open_messages(self) -> Iterable[Outgoing]:
        """Return the messages that are not done with, in their order."""
        return self._open.values()

    def charge(self, allowance: Allowance) -> None:
        """Let this pay from now on for all that the session has."""
        for payer, sign in ((self.allowance, -1), (allowance, 1)):
            payer.sessions.take(sign)
            payer.subscriptions.take(sign * len(self.subscriptions))
            payer.queued_bytes.take(sign * self._held_bytes)
        self.allowance = allowance

    def attach(self, link: Link) -> None:
        """Take a new connection; `pump` then sends what waited."""
        self.link = link
        self._sent = 0
        self._queue = deque(self._open.values())

    def lose(self, now_s: float) -> None:
        """Lose the connection: from now on the session expires, and its will becomes due."""
        self.link = None
        self._queue.clear()
        self.expires_at_s = now_s + self.expiry_s
        self.will_due_at_s = None
        if self.will is not None:
            delay_s = self.will.properties.get(Property.WILL_DELAY_S, 0)
            self.will_due_at_s = now_s + min(delay_s, self.expiry_s)

    def restore(self, outgoing: Iterable[Outgoing]) -> None:
        """Take the messages that the journal knows, in their order."""
        for one in outgoing:
            self._open[one.packet_id] = one
            self._hold(one.message, 1)
            self._last_id, self._last_place = one.packet_id, one.place
            if not one.is_sent:
                self._waiting += 1
                self._waiting_bytes += len(one.message.payload)

    def deliver(
        self, message: Message, qos: int, *, retain: bool, identifiers: tuple[int, ...] = ()
    ) -> None:
        """Hand over a message at this QoS, now or when the client can take it.

        QoS 0 is dropped for a client that is away or reads too slowly.
        """
        link = self.link
        if qos:
            if self.enqueue(message, qos, retain=retain, identifiers=identifiers):
                self.pump()
        elif link is not None:
            if link.writable:
                self._send_plain(link, message, retain, identifiers)
            else:
                self._stats.subscriber_dropped += 1

    def enqueue(
        self,
        message: Message,
        qos: int,
        *,
        retain: bool,
        identifiers: tuple[int, ...] = (),
        share: str = "",
    ) -> Outgoing | None:
        """Take a QoS 1 or 2 message for later; None if there is no room for it.

        If the session is kept, the message is noted, and not sent before `is_ready` is set. A
        connected client whose queue is full is disconnected with 0x97; for one that is away the
        message is dropped.
        """
        has_room = self._has_room(message)
        if has_room and not self.allowance.queued_bytes.has_room(_cost(message)):
            has_room = False
            if self.on_over is not None:
                self.on_over(self.allowance, "queued_bytes")
        if not has_room:
            self._stats.subscriber_dropped += 1
            if self.link is not None:
                self.link.end(Reason.QUOTA_EXCEEDED, f"{self._waiting} messages wait unread")
            return None
        self._last_place += 1
        outgoing = Outgoing(
            message, qos, retain, identifiers, self._next_id(), self._last_place, share
        )
        self._open[outgoing.packet_id] = outgoing
        self._hold(message, 1)
        self._waiting += 1
        self._waiting_bytes += len(message.payload)
        if self.link is not None:
            self._queue.append(outgoing)
        if self.is_kept:
            outgoing.is_ready = False
            self._keeper.queued(self, outgoing)
        return outgoing

    def pump(self) -> None:
        """Send what waits, as far as the client takes it."""
        link = self.link
        while link is not None and self._queue and self._may_send(link):
            outgoing = self._queue[0]
            if not outgoing.is_ready:
                return
            self._queue.popleft()
            # It may have been acknowledged meanwhile.
            if self._open.get(outgoing.packet_id) is outgoing:
                self._transmit(link, outgoing)
            link = self.link

    def acknowledge(self, ack: Ack) -> None:
        """Take a PUBACK, PUBREC or PUBCOMP of the client."""
        outgoing = self._open.get(ack.packet_id)
        if outgoing is not None and not outgoing.is_sent:
            outgoing = None
        if ack.kind is Kind.PUBREC and ack.reason < Reason.UNSPECIFIED_ERROR:
            self._release(ack, outgoing)
            return
        if outgoing is None or (ack.kind is Kind.PUBACK) != (outgoing.qos == 1):
            return
        self._finish(outgoing)
        self._sent = max(0, self._sent - 1)
        if self.on_taken is not None and ack.reason < Reason.UNSPECIFIED_ERROR:
            self.on_taken(self, outgoing.message)
        self.pump()

    def _release(self, ack: Ack, outgoing: Outgoing | None) -> None:
        """Answer a PUBREC: the client has the message, and is told so until it says PUBCOMP."""
        link = self.link
        found = outgoing is not None and outgoing.qos == 2
        if outgoing is not None and not outgoing.is_released:
            outgoing.is_released = True
            if outgoing.is_noted:
                self._keeper.queued(self, outgoing)
        if link is not None:
            reason = Reason.SUCCESS if found else Reason.PACKET_IDENTIFIER_NOT_FOUND
            link.answer(encode(Ack(Kind.PUBREL, ack.packet_id, reason), link.protocol))

    def _finish(self, outgoing: Outgoing) -> None:
        del self._open[outgoing.packet_id]
        self._hold(outgoing.message, -1)
        self._keeper.done(self, outgoing)

    def _hold(self, message: Message, sign: int) -> None:
        cost = sign * _cost(message)
        self._held_bytes += cost
        self.allowance.queued_bytes.take(cost)

    def _may_send(self, link: Link) -> bool:
        return link.writable and self._sent < link.receive_maximum

    def _has_room(self, message: Message) -> bool:
        if len(self._open) >= MAX_OPEN:
            return False
        settings = self._settings
        in_flight = self._room_in_flight()
        return self._waiting < in_flight or (
            self._waiting < settings.max_queued_messages + in_flight
            and self._waiting_bytes + len(message.payload) <= settings.max_queued_bytes
        )

    def _room_in_flight(self) -> int:
        """Return how many messages could be sent at once; they do not count as waiting."""
        link = self.link
        if link is None or not link.writable:
            return 0
        return max(0, link.receive_maximum - self._sent)

    def _send_plain(
        self, link: Link, message: Message, retain: bool, identifiers: tuple[int, ...]
    ) -> None:
        topic, alias = link.aliases.give(message.topic)
        if alias or identifiers or message.expires_at_s is not None or link.tells_offsets:
            now_s = self._clock.monotonic_s()
            properties = message.properties_for(
                identifiers, alias, now_s, link.protocol, tells_offset=link.tells_offsets
            )
            whole = Publish(topic, message.payload, 0, retain, properties=properties)
            packet = encode_publish(whole, link.protocol)
        else:
            packet = message.plain(link.protocol, retain=retain)
        if not self._send_within_limit(link, packet) and topic and alias:
            link.aliases.take_back(topic)

    def _transmit(self, link: Link, outgoing: Outgoing) -> None:
        """Send a message, or what its exchange has come to."""
        is_new = not outgoing.is_sent
        if is_new:
            self._waiting -= 1
            self._waiting_bytes -= len(outgoing.message.payload)
            self.sent_place = outgoing.place
        topic, alias = "", 0
        if outgoing.is_released:
            packet = encode(Ack(Kind.PUBREL, outgoing.packet_id), link.protocol)
        elif (is_new and outgoing.message.is_expired(self._clock.monotonic_s())) or (
            self.may_receive is not None and not self.may_receive(self, outgoing.message.topic)
        ):
            self._finish(outgoing)
            return
        else:
            topic, alias = link.aliases.give(outgoing.message.topic)
            # Clients keep a QoS 2 message until PUBREL, and npm's mqtt has forgotten by then what
            # the alias stood for: those messages have their topic too.
            name = topic if outgoing.qos == 1 else outgoing.message.topic
            packet = self._packet(link, outgoing, name, alias)
        if self._send_within_limit(link, packet):
            outgoing.is_sent = True
            self._sent += 1
            return
        if topic and alias:
            link.aliases.take_back(topic)
        self._finish(outgoing)

    def _send_within_limit(self, link: Link, packet: bytes) -> bool:
        """Send, unless the client said that it takes no packet this large (3.1.2.11.4)."""
        if len(packet) > link.packet_limit:
            self._stats.subscriber_dropped += 1
            return False
        self._stats.delivered += 1
        link.send(packet)
        return True

    def _packet(self, link: Link, outgoing: Outgoing, topic: str, alias: int) -> bytes:
        message = outgoing.message
        properties = message.properties_for(
            outgoing.identifiers,
            alias,
            self._clock.monotonic_s(),
            link.protocol,
            tells_offset=link.tells_offsets,
        )
        packet = Publish(
            topic,
            message.payload,
            outgoing.qos,
            outgoing.retain,
            outgoing.is_sent,
            outgoing.packet_id,
            properties,
        )
        return encode_publish(packet, link.protocol)

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % MAX_OPEN + 1
            if self._last_id not in self._open:
                return self._last_id


def _cost(message: Message) -> int:
    return len(message.payload) + MESSAGE_BYTES
