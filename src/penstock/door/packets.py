"""What MQTT control packets say, apart from how they look on the wire.

One frozen class per packet; `Ack` is the four answers to a PUBLISH, which look alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from penstock.core.log import MQTT_3_1_1
from penstock.door.properties import Kind, Properties
from penstock.door.reasons import Reason


@dataclass(frozen=True, slots=True)
class Will:
    """The message to publish when a client goes away without saying so."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connect:
    """A client introduces itself."""

    client: str
    protocol: int = MQTT_3_1_1
    clean_start: bool = True
    keep_alive_s: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connack:
    """The answer to a CONNECT."""

    reason: Reason = Reason.SUCCESS
    session_present: bool = False
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Publish:
    """A message; `packet_id` is 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ack:
    """PUBACK, PUBREC, PUBREL or PUBCOMP."""

    kind: Kind
    packet_id: int
    reason: int = Reason.SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One topic filter of a SUBSCRIBE, with its options.

    Attributes:
        retain_handling: 0 sends retained messages, 1 only for a new subscription, 2 never.
    """

    filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A client asks for messages."""

    packet_id: int
    requests: tuple[Request, ...]
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suback:
    """The answer to a SUBSCRIBE, one reason for each filter."""

    packet_id: int
    reasons: tuple[int, ...]
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """A client no longer wants messages."""

    packet_id: int
    filters: tuple[str, ...]
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unsuback:
    """The answer to an UNSUBSCRIBE; MQTT 3.1.1 carries no reasons."""

    packet_id: int
    reasons: tuple[int, ...] = ()
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ping:
    """PINGREQ or PINGRESP."""

    kind: Kind = Kind.PINGREQ


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Goodbye; the server says it in MQTT 5.0 only."""

    reason: int = Reason.SUCCESS
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Auth:
    """Extended authentication, MQTT 5.0 only."""

    reason: int = Reason.SUCCESS
    properties: Properties = field(default_factory=dict)


Packet: TypeAlias = (
    Connect
    | Connack
    | Publish
    | Ack
    | Subscribe
    | Suback
    | Unsubscribe
    | Unsuback
    | Ping
    | Disconnect
    | Auth
)
