"""The fast path: from received bytes to a run of PUBLISH packets for the log.

Free of sockets. The usual packet is QoS 0 or 1, has no MQTT 5.0 properties, and nobody subscribes
to its topic. `Intake.take` knows it by its head (see `heads`). A head met for the first time goes
through `_is_usual`, everything else through `_examine`.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Protocol

from penstock.core.log import MQTT_5_0
from penstock.door.asking import is_notification
from penstock.door.decoding import decode_publish
from penstock.door.delivery import Delivery
from penstock.door.encoding import encode, encode_publish
from penstock.door.heads import Heads
from penstock.door.message import Message
from penstock.door.packets import Ack, Publish
from penstock.door.properties import Kind, Property
from penstock.door.reasons import ProtocolViolation, Reason, malformed
from penstock.door.subscriptions import DENIED, QUIET, Route

_PUBACK = b"\x40\x02"
_PUBREC = b"\x50\x02"
#: PUBACK and PUBREC with the reason "no matching subscribers", around the packet identifier.
_PUBACK_UNHEARD = (b"\x40\x03", b"\x10")
_PUBREC_UNHEARD = (b"\x50\x03", b"\x10")
_NO_ID = b"\0\0"


def frame(data: bytes, at: int, size: int, max_bytes: int) -> tuple[int, int]:
    """Return where the body of the packet at `at` begins, and where the packet ends.

    The end may be behind `size`: the packet is not there yet. The body begins at 0 if not even
    the length is there.

    Raises:
        ProtocolViolation: The length is malformed or above `max_bytes`.
    """
    length = 0
    for index in range(4):
        where = at + 1 + index
        if where >= size:
            return 0, where + 1
        digit = data[where]
        length |= (digit & 0x7F) << (7 * index)
        if not digit & 0x80:
            stop = where + 1 + length
            if stop - at > max_bytes:
                raise ProtocolViolation(
                    Reason.PACKET_TOO_LARGE,
                    f"packet of {stop - at} bytes; at most {max_bytes} are taken",
                )
            return where + 1, stop
    raise malformed("remaining length is longer than four bytes")


class Routes(Protocol):
    """Where the topics of one client lead."""

    #: Topic bytes to route, for topics that were looked up before; may be emptied at any time.
    known: dict[bytes, Route]
    #: Changes whenever a route may have changed.
    age: int

    def look_up(self, topic: bytes) -> Route:
        """Check the topic, find its route and remember it in `known`."""
        ...

    def is_heard(self, route: Route, message: Message) -> bool:
        """Tell whether a message has anybody to go to."""
        ...


@dataclass(slots=True)
class Run:
    """PUBLISH packets that came in one go, and what is to be done once they are on disk.

    Attributes:
        ends: Where each packet ends, as in `core.log.Block`.
        answers: PUBACK and PUBREC packets.
        messages: Those that subscribers or the retained store want.
        received: Packet identifier and place in the run of each new QoS 2 message.
        deliveries: What goes to whom once the run is on disk; filled in when its group begins.
    """

    packets: bytes
    ends: bytes
    count: int
    answers: bytes
    acknowledged: int
    messages: list[Message] = field(default_factory=list)
    received: list[tuple[int, int]] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)


class Intake:
    """Takes the PUBLISH packets of one connection."""

    def __init__(
        self,
        client: str,
        protocol: int,
        routes: Routes,
        inbound: set[int],
        *,
        max_packet_bytes: int,
        max_aliases: int,
    ) -> None:
        self._client = client
        self._protocol = protocol
        self._routes = routes
        self._inbound = inbound
        self._max_packet_bytes = max_packet_bytes
        self._max_aliases = max_aliases
        self._aliases: dict[int, str] = {}
        self._heads = Heads(five=protocol == MQTT_5_0)
        self._heads_age = routes.age
        self._duplicates = 0
        #: Messages that were refused since the last time, and the topic of the last one.
        self._denied = 0
        self._denied_topic = ""
        self._begin()

    def _begin(self) -> None:
        self._parts: list[bytes] = []
        self._ends = array("I")
        self._length = 0
        #: Packet identifiers, and the places of those among them that somebody subscribed to.
        self._pubacks: list[bytes] = []
        self._heard: list[int] = []
        self._pubrecs: list[bytes] = []
        self._refusals: list[bytes] = []
        self._messages: list[Message] = []
        self._received: list[tuple[int, int]] = []

    def take(self, data: bytes, at: int, size: int, now_s: float) -> int:
        """Take PUBLISH packets from `at` on; return where the first other thing begins.

        That is another kind of packet, a packet that is not all there yet, or `size`.

        Raises:
            ProtocolViolation: What came before it is taken and can be harvested.
        """
        five = self._protocol == MQTT_5_0
        heads = self._usable_heads()
        total_of = heads.totals.get
        head_bytes = heads.size
        ends = self._ends
        add_id = self._pubacks.append
        start = at
        # A packet that ends at `stop` in `data` ends at `stop + shift` in the run.
        shift = self._length - at
        try:
            if heads.has_pattern:
                at = self._take_many(data, at, shift)
            before = len(ends)
            while at + 2 <= size:
                total = total_of(data[at : at + head_bytes])
                if total is not None:
                    stop = at + abs(total)
                    if stop > size:
                        break
                    rest = at + head_bytes
                    if total < 0:
                        if not (five and data[rest]):
                            at = stop
                            ends.append(stop + shift)
                            continue
                    elif (packet_id := data[rest : rest + 2]) != _NO_ID and not (
                        five and data[rest + 2]
                    ):
                        add_id(packet_id)
                        at = stop
                        ends.append(stop + shift)
                        continue
                if data[at] & 0xF0 != 0x30:
                    break
                body, stop = frame(data, at, size, self._max_packet_bytes)
                if stop > size:
                    break
                if self._is_usual(data, at, body, stop):
                    head_bytes = heads.size
                    at = stop
                    ends.append(stop + shift)
                    continue
                instead = self._examine(data[at], data[body:stop], now_s)
                if instead is None:
                    ends.append(stop + shift)
                else:
                    self._parts += (data[start:at], instead)
                    shift += len(instead) - (stop - at)
                    start = stop
                    if instead:
                        ends.append(stop + shift)
                at = stop
            heads.prepare(len(ends) - before)
        finally:
            if at > start:
                self._parts.append(data[start:at])
            self._length = at + shift
        return at

    def _take_many(self, data: bytes, at: int, shift: int) -> int:
        """Take the usual packets from `at` on all at once; return where they end."""
        packets = self._heads.many(data, at)
        if not packets:
            return at
        if self._heads.ids is not None:
            self._pubacks += map(self._heads.ids, packets)
        ends = array("I", accumulate(map(len, packets), initial=at + shift))
        self._ends += ends[1:]
        return ends[-1] - shift

    def _usable_heads(self) -> Heads:
        """Return the packet heads met before, forgotten when subscriptions have changed."""
        if self._heads_age != self._routes.age:
            self._heads_age = self._routes.age
            self._heads.forget()
        return self._heads

    @property
    def unacknowledged(self) -> int:
        """QoS 1 messages taken and not harvested yet."""
        return len(self._pubacks)

    def take_duplicates(self) -> int:
        """Return how many QoS 2 messages came again since the last time."""
        count, self._duplicates = self._duplicates, 0
        return count

    def take_denied(self) -> tuple[int, str]:
        """Return how many messages were refused since the last time, and the last one's topic."""
        count, self._denied = self._denied, 0
        return count, self._denied_topic

    def harvest(self) -> Run | None:
        """Return what was taken since the last time; None if nothing was."""
        count = len(self._ends)
        if not (count or self._pubrecs or self._refusals or self._pubacks or self._messages):
            return None
        parts = self._parts
        ends = self._ends
        if sys.byteorder == "big":
            ends.byteswap()
        answers = b"".join(self._refusals)
        if self._pubacks:
            answers += self._as_pubacks()
        answers += b"".join(self._pubrecs)
        packets = parts[0] if len(parts) == 1 else b"".join(parts)
        run = Run(
            packets,
            ends.tobytes(),
            count,
            answers,
            len(self._pubacks),
            self._messages,
            self._received,
        )
        self._begin()
        return run

    def _as_pubacks(self) -> bytes:
        """Return the PUBACKs in the order of the messages ([MQTT-4.6.0-2])."""
        ids, heard = self._pubacks, self._heard
        if self._protocol != MQTT_5_0 or len(heard) == len(ids):
            return _PUBACK + _PUBACK.join(ids)
        head, tail = _PUBACK_UNHEARD
        if not heard:
            return head + (tail + head).join(ids) + tail
        packets = [head + packet_id + tail for packet_id in ids]
        for place in heard:
            packets[place] = _PUBACK + ids[place]
        return b"".join(packets)

    def _is_usual(self, data: bytes, at: int, body: int, stop: int) -> bool:
        """Take a packet without anything unusual; say whether it was one.

        If it needs nothing but logging and a PUBACK, its head is remembered.
        """
        first = data[at]
        if stop - body < 5 or first not in (0x30, 0x32):
            return False
        name_end = body + 2 + (data[body] << 8) + data[body + 1]
        rest = name_end + (first & 2)
        five = self._protocol == MQTT_5_0
        if rest + five > stop or (five and data[rest]):
            return False
        name = data[body + 2 : name_end]
        route = self._routes.known.get(name)
        if route is None or route is DENIED:
            return False
        if first == 0x32:
            packet_id = data[name_end:rest]
            if packet_id == _NO_ID:
                return False
            if route is not QUIET:
                self._heard.append(len(self._pubacks))
            self._pubacks.append(packet_id)
        if route is QUIET:
            self._heads.learn(data[at:name_end], stop - at if first == 0x32 else at - stop)
        else:
            payload = data[rest + five : stop]
            qos = first >> 1 & 1
            message = Message.plainly(name.decode(), payload, qos, self._client, len(self._ends))
            self._messages.append(message)
        return True

    def _examine(self, first: int, body: bytes, now_s: float) -> bytes | None:
        """Take one packet; return what to log instead of it, or None to log it as it came."""
        packet = decode_publish(first, body, self._protocol)
        topic = packet.topic
        instead = None
        if Property.TOPIC_ALIAS in packet.properties:
            topic = self._resolve(packet)
            instead = _with_topic(packet, topic, self._protocol)
        if Property.SUBSCRIPTION_IDENTIFIER in packet.properties:
            raise ProtocolViolation(
                Reason.PROTOCOL_ERROR, "a client's PUBLISH must not have a subscription identifier"
            )
        name = topic.encode()
        route = self._routes.known.get(name) or self._routes.look_up(name)
        if route is DENIED:
            self._denied += 1
            self._denied_topic = topic
            self._refuse(packet)
            return b""
        message = None
        is_notified = is_notification(topic, self._client)
        if route is not QUIET or packet.retain:
            # What tells of something that is kept already is handed on and not logged again.
            index = -1 if is_notified else len(self._ends)
            message = Message(packet, self._client, now_s, topic, index)
        if packet.qos and not self._acknowledge(packet, route, message):
            return b""
        if message is not None:
            self._messages.append(message)
        return b"" if is_notified else instead

    def _acknowledge(self, packet: Publish, route: Route, message: Message | None) -> bool:
        """Note the answer to a QoS 1 or 2 message; return whether the message is a new one."""
        packet_id = packet.packet_id.to_bytes(2, "big")
        is_heard = message is not None and self._routes.is_heard(route, message)
        if packet.qos == 1:
            if is_heard:
                self._heard.append(len(self._pubacks))
            self._pubacks.append(packet_id)
            return True
        if is_heard or self._protocol != MQTT_5_0:
            self._pubrecs.append(_PUBREC + packet_id)
        else:
            self._pubrecs.append(packet_id.join(_PUBREC_UNHEARD))
        if packet.packet_id in self._inbound:
            self._duplicates += 1
            return False
        self._inbound.add(packet.packet_id)
        self._received.append((packet.packet_id, len(self._ends)))
        return True

    def _resolve(self, packet: Publish) -> str:
        alias = packet.properties[Property.TOPIC_ALIAS]
        if not 0 < alias <= self._max_aliases:
            raise ProtocolViolation(
                Reason.TOPIC_ALIAS_INVALID,
                f"topic alias {alias}; it must be 1 to {self._max_aliases}",
            )
        if packet.topic:
            self._aliases[alias] = packet.topic
        elif alias not in self._aliases:
            raise ProtocolViolation(
                Reason.PROTOCOL_ERROR, f"topic alias {alias} was never given a topic"
            )
        return self._aliases[alias]

    def _refuse(self, packet: Publish) -> None:
        """Answer a message that its client may not publish; MQTT 3.1.1 knows no refusal."""
        if not packet.qos:
            return
        kind = Kind.PUBACK if packet.qos == 1 else Kind.PUBREC
        reason = Reason.NOT_AUTHORIZED if self._protocol == MQTT_5_0 else Reason.SUCCESS
        self._refusals.append(encode(Ack(kind, packet.packet_id, reason), self._protocol))


def _with_topic(packet: Publish, topic: str, protocol: int) -> bytes:
    properties = {k: v for k, v in packet.properties.items() if k != Property.TOPIC_ALIAS}
    whole = Publish(
        topic,
        packet.payload,
        packet.qos,
        packet.retain,
        packet.dup,
        packet.packet_id,
        properties,
    )
    return encode_publish(whole, protocol)
