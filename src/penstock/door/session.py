"""A client's session: what it subscribed to, and what is on its way to it.

A session may outlive its connection. While the client is away, QoS 1 and 2 messages wait in
memory; while it is there, at most its receive maximum is in flight and the rest waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from penstock.core.clock import Clock
from penstock.door.encoding import encode, encode_publish
from penstock.door.message import Message
from penstock.door.packets import Ack, Publish, Will
from penstock.door.properties import Kind
from penstock.door.reasons import Reason
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats
from penstock.door.subscriptions import Subscription


class Link(Protocol):
    """What a session needs of its client's connection."""

    protocol: int
    #: False while the client reads too slowly.
    writable: bool
    receive_maximum: int
    #: Largest packet the client takes.
    packet_limit: int

    def send(self, packet: bytes) -> None:
        """Queue bytes for the client."""
        ...

    def alias_for(self, topic: str) -> tuple[str, int]:
        """Return the topic to write and the alias to give, 0 for none."""
        ...

    def end(self, reason: Reason, why: str) -> None:
        """Say goodbye and close."""
        ...


@dataclass(slots=True)
class Outgoing:
    """A QoS 1 or 2 message for this session; `packet_id` is 0 until it is first sent."""

    message: Message
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    packet_id: int = 0
    released: bool = False


class Session:
    """One client identifier's state."""

    def __init__(self, client: str, settings: DoorSettings, clock: Clock, stats: Stats) -> None:
        self.client = client
        self.subscriptions: dict[str, Subscription] = {}
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
        self._settings = settings
        self._clock = clock
        self._stats = stats
        self._inflight: dict[int, Outgoing] = {}
        #: In flight from before this connection, to be sent again first (section 4.4).
        self._again: deque[Outgoing] = deque()
        self._queue: deque[Outgoing] = deque()
        self._queued_bytes = 0
        self._sent = 0
        self._last_id = 0

    @property
    def queued(self) -> int:
        """Messages that wait to be sent."""
        return len(self._queue)

    def attach(self, link: Link) -> None:
        """Take a new connection; `pump` then sends what waited."""
        self.link = link
        self._sent = 0
        self._again = deque(self._inflight.values())

    def detach(self) -> None:
        """Lose the connection."""
        self.link = None

    def deliver(
        self, message: Message, qos: int, *, retain: bool, identifiers: tuple[int, ...] = ()
    ) -> None:
        """Hand over a message at this QoS, now or when the client can take it.

        QoS 0 is dropped for a client that is away or reads too slowly. A connected client whose
        queue is full is disconnected with 0x97; for one that is away the message is dropped.
        """
        link = self.link
        if not qos:
            if link is None:
                return
            if not link.writable:
                self._stats.subscriber_dropped += 1
                return
            self._send_plain(link, message, retain, identifiers)
            return
        outgoing = Outgoing(message, qos, retain, identifiers)
        if link is not None and not self._queue and not self._again and self._may_send(link):
            self._transmit(link, outgoing)
        elif self._has_room(message):
            self._queue.append(outgoing)
            self._queued_bytes += len(message.payload)
        else:
            self._stats.subscriber_dropped += 1
            if link is not None:
                link.end(Reason.QUOTA_EXCEEDED, f"{len(self._queue)} messages wait unread")

    def pump(self) -> None:
        """Send what waits, as far as the client takes it."""
        link = self.link
        while link is not None and self._may_send(link):
            if self._again:
                outgoing = self._again.popleft()
                if outgoing.packet_id in self._inflight:
                    self._resend(link, outgoing)
            elif self._queue:
                outgoing = self._queue.popleft()
                self._queued_bytes -= len(outgoing.message.payload)
                self._transmit(link, outgoing)
            else:
                return
            link = self.link

    def acknowledge(self, ack: Ack) -> None:
        """Take a PUBACK, PUBREC or PUBCOMP of the client."""
        outgoing = self._inflight.get(ack.packet_id)
        link = self.link
        if ack.kind is Kind.PUBREC and ack.reason < Reason.UNSPECIFIED_ERROR:
            if link is not None:
                found = outgoing is not None and outgoing.qos == 2
                reason = Reason.SUCCESS if found else Reason.PACKET_IDENTIFIER_NOT_FOUND
                link.send(encode(Ack(Kind.PUBREL, ack.packet_id, reason), link.protocol))
            if outgoing is not None:
                outgoing.released = True
            return
        if outgoing is None or (ack.kind is Kind.PUBACK) != (outgoing.qos == 1):
            return
        del self._inflight[ack.packet_id]
        self._sent -= 1
        if self.on_taken is not None and ack.reason < Reason.UNSPECIFIED_ERROR:
            self.on_taken(self, outgoing.message)
        self.pump()

    def _may_send(self, link: Link) -> bool:
        return link.writable and self._sent < link.receive_maximum

    def _has_room(self, message: Message) -> bool:
        settings = self._settings
        return (
            len(self._queue) < settings.max_queued_messages
            and self._queued_bytes + len(message.payload) <= settings.max_queued_bytes
        )

    def _send_plain(
        self, link: Link, message: Message, retain: bool, identifiers: tuple[int, ...]
    ) -> None:
        topic, alias = link.alias_for(message.topic)
        if alias or identifiers or message.expires_at_s is not None:
            now_s = self._clock.monotonic_s()
            properties = message.properties_for(identifiers, alias, now_s, link.protocol)
            whole = Publish(topic, message.payload, 0, retain, properties=properties)
            packet = encode_publish(whole, link.protocol)
        else:
            packet = message.plain(link.protocol, retain=retain)
        self._send_within_limit(link, packet)

    def _transmit(self, link: Link, outgoing: Outgoing) -> None:
        if outgoing.message.is_expired(self._clock.monotonic_s()):
            return
        outgoing.packet_id = self._next_id()
        if self._send_within_limit(link, self._packet(link, outgoing, dup=False)):
            self._inflight[outgoing.packet_id] = outgoing
            self._sent += 1

    def _resend(self, link: Link, outgoing: Outgoing) -> None:
        if outgoing.released:
            packet = encode(Ack(Kind.PUBREL, outgoing.packet_id), link.protocol)
        else:
            packet = self._packet(link, outgoing, dup=True)
        if self._send_within_limit(link, packet):
            self._sent += 1
        else:
            del self._inflight[outgoing.packet_id]

    def _send_within_limit(self, link: Link, packet: bytes) -> bool:
        """Send, unless the client said that it takes no packet this large (3.1.2.11.4)."""
        if len(packet) > link.packet_limit:
            self._stats.subscriber_dropped += 1
            return False
        self._stats.delivered += 1
        link.send(packet)
        return True

    def _packet(self, link: Link, outgoing: Outgoing, *, dup: bool) -> bytes:
        message = outgoing.message
        topic, alias = link.alias_for(message.topic)
        properties = message.properties_for(
            outgoing.identifiers, alias, self._clock.monotonic_s(), link.protocol
        )
        packet = Publish(
            topic,
            message.payload,
            outgoing.qos,
            outgoing.retain,
            dup,
            outgoing.packet_id,
            properties,
        )
        return encode_publish(packet, link.protocol)

    def _next_id(self) -> int:
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id not in self._inflight:
                return self._last_id
