"""A message on its way to subscribers."""

from __future__ import annotations

from penstock.core.log import MQTT_5_0
from penstock.door.fields import encode_length, u16
from penstock.door.packets import Publish, Will
from penstock.door.properties import NONE, Properties, Property, encode_properties

#: Properties of a PUBLISH that subscribers get as the publisher sent them (section 3.3.2.3).
_PASSED_ON = (
    Property.PAYLOAD_FORMAT,
    Property.CONTENT_TYPE,
    Property.RESPONSE_TOPIC,
    Property.CORRELATION_DATA,
    Property.USER_PROPERTY,
)


#: User property with a message's place in the log, for clients that ask for it.
OFFSET = "penstock-offset"


class Message:
    """Topic, payload and what else subscribers learn.

    Attributes:
        publisher: Client identifier of who sent it.
        expires_at_s: Monotonic time after which nobody gets it any more; None means never.
        index: Place among the packets of its run.
        offset: Place in the log; None until that is known, and when the log has begun anew since.
        number: Number in the journal; 0 while it is not there.
        uses: How many sessions in the journal wait for it.
    """

    __slots__ = (
        "_plain",
        "expires_at_s",
        "index",
        "number",
        "offset",
        "payload",
        "properties",
        "publisher",
        "qos",
        "retain",
        "topic",
        "uses",
    )

    def __init__(
        self,
        source: Publish | Will,
        publisher: str,
        now_s: float,
        topic: str | None = None,
        index: int = 0,
    ) -> None:
        self.topic = topic or source.topic
        self.payload = source.payload
        self.qos = source.qos
        self.retain = source.retain
        self.publisher = publisher
        given = source.properties
        self.properties: Properties = (
            {key: given[key] for key in _PASSED_ON if key in given} if given else NONE
        )
        expiry_s = given.get(Property.MESSAGE_EXPIRY_S)
        self.expires_at_s = None if expiry_s is None else now_s + expiry_s
        self.index = index
        self.offset: int | None = None
        self.number = 0
        self.uses = 0
        self._plain: tuple[int, bool, bytes] | None = None

    @classmethod
    def plainly(cls, topic: str, payload: bytes, qos: int, publisher: str, index: int) -> Message:
        """Return a message without properties that is not retained: the usual kind, made fast."""
        message = cls.__new__(cls)
        message.topic = topic
        message.payload = payload
        message.qos = qos
        message.retain = False
        message.publisher = publisher
        message.properties = NONE
        message.expires_at_s = None
        message.index = index
        message.offset = None
        message.number = 0
        message.uses = 0
        message._plain = None  # noqa: SLF001 - it is a constructor
        return message

    def is_expired(self, now_s: float) -> bool:
        """Say whether nobody should get it any more."""
        return self.expires_at_s is not None and now_s >= self.expires_at_s

    def plain(self, protocol: int, *, retain: bool) -> bytes:
        """Return it as a QoS 0 packet, the same for all plain subscribers, made once."""
        made = self._plain
        if made is not None and made[0] == protocol and made[1] is retain:
            return made[2]
        name = self.topic.encode()
        properties = encode_properties(self.properties) if protocol == MQTT_5_0 else b""
        payload = self.payload
        packet = b"".join(
            (
                b"\x31" if retain else b"\x30",
                encode_length(2 + len(name) + len(properties) + len(payload)),
                u16(len(name)),
                name,
                properties,
                payload,
            )
        )
        self._plain = (protocol, retain, packet)
        return packet

    def properties_for(
        self,
        identifiers: tuple[int, ...],
        alias: int,
        now_s: float,
        protocol: int,
        *,
        tells_offset: bool = False,
    ) -> Properties:
        """Return the properties of the packet for one subscriber."""
        if protocol != MQTT_5_0:
            return NONE
        if not identifiers and not alias and self.expires_at_s is None and not tells_offset:
            return self.properties
        own = dict(self.properties)
        if tells_offset:
            # What the publisher says of it does not count.
            pairs = [one for one in own.get(Property.USER_PROPERTY, ()) if one[0] != OFFSET]
            if self.offset is not None:
                pairs.append((OFFSET, str(self.offset)))
            own[Property.USER_PROPERTY] = tuple(pairs)
        if self.expires_at_s is not None:
            own[Property.MESSAGE_EXPIRY_S] = max(1, round(self.expires_at_s - now_s))
        if identifiers:
            own[Property.SUBSCRIPTION_IDENTIFIER] = identifiers
        if alias:
            own[Property.TOPIC_ALIAS] = alias
        return own
