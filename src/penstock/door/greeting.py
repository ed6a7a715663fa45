"""CONNECT and CONNACK: who comes in, and on what terms."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from penstock.core.access import Kind
from penstock.core.log import MQTT_5_0
from penstock.door.aliases import NO_ALIASES, GivenAliases
from penstock.door.auth import INTERNAL, Visitor, is_reserved
from penstock.door.encoding import encode
from penstock.door.intake import Intake
from penstock.door.message import OFFSET
from penstock.door.packets import Connack, Connect
from penstock.door.presence import Arrival
from penstock.door.properties import Property
from penstock.door.reasons import ProtocolViolation, Reason
from penstock.door.sign_in import Known, Showing
from penstock.door.subscriptions import DENIED

if TYPE_CHECKING:
    from penstock.door.connection import Connection
    from penstock.door.session import Session
    from penstock.door.settings import DoorSettings

#: Longest client identifier taken, in UTF-8 bytes; it is written with every block of the log.
MAX_CLIENT_BYTES = 256


def greet(connection: Connection, packet: Connect) -> None:
    """Let a client in, or say why not; reading stops while its password is checked."""
    connection.protocol = packet.protocol
    connection.heard_connect = True
    connection.packet_limit = packet.properties.get(Property.MAXIMUM_PACKET_BYTES, 1 << 30)
    if Property.AUTHENTICATION_METHOD in packet.properties:
        raise ProtocolViolation(
            Reason.BAD_AUTHENTICATION_METHOD, "extended authentication is not offered"
        )
    if not packet.client and not packet.clean_start and packet.protocol != MQTT_5_0:
        raise ProtocolViolation(
            Reason.CLIENT_IDENTIFIER_NOT_VALID, "a kept session needs a client identifier"
        )
    if len(packet.client.encode()) > MAX_CLIENT_BYTES:
        raise ProtocolViolation(
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
            f"client identifier is longer than {MAX_CLIENT_BYTES} bytes",
        )
    door = connection.door
    door.look()
    caller = connection.caller
    names_user = door.settings.tls.certificate_names_user
    shown = Showing(
        packet.username,
        packet.password,
        caller.certificate_name if names_user else None,
        caller.address,
    )
    known = door.sign_in.at_once(shown)
    internal = known is not None and known.who.kind is Kind.PLATFORM
    if packet.client and is_reserved(packet.client) is not internal:
        raise ProtocolViolation(
            Reason.CLIENT_IDENTIFIER_NOT_VALID,
            f"client identifiers that begin with {INTERNAL!r} are for the platform itself only",
        )
    if known is not None:
        _let_in(connection, packet, known)
    else:
        connection.begin_greeting()
        door.run(_check(connection, packet, shown))


async def _check(connection: Connection, packet: Connect, shown: Showing) -> None:
    try:
        known = await connection.door.sign_in.slowly(shown)
        if connection.is_closed:
            return
        _let_in(connection, packet, known)
    except ProtocolViolation as problem:
        if not connection.is_closed:
            connection.door.refuse(connection, problem)
        return
    finally:
        connection.hold("greeting", on=False)
    connection.go_on()


def _visitor(connection: Connection, packet: Connect, known: Known) -> Visitor:
    permissions = connection.door.permissions
    internal = known.who.kind is Kind.PLATFORM
    client = packet.client or f"{INTERNAL if internal else 'auto'}-{secrets.token_hex(8)}"
    return Visitor(
        client,
        known.name or packet.username,
        known.who,
        known.proof,
        permissions.system(known.who),
        permissions.session_name(known.who, client),
    )


def _let_in(connection: Connection, packet: Connect, known: Known) -> None:
    door = connection.door
    visitor = _visitor(connection, packet, known)
    if (
        packet.will is not None
        and door.broker.routing.route(known.who, packet.will.topic) is DENIED
    ):
        raise ProtocolViolation(
            Reason.NOT_AUTHORIZED, f"a will to {packet.will.topic[:80]!r} is not allowed"
        )
    _take_over(connection, visitor)
    session, present = door.broker.open_session(
        visitor.session, known.who, clean=packet.clean_start
    )
    _agree(connection, session, packet)
    connection.who = visitor
    connection.intake = Intake(
        visitor.session,
        packet.protocol,
        door.broker.routing.of(known.who),
        session.inbound,
        max_packet_bytes=door.settings.max_packet_bytes,
        max_aliases=door.settings.max_topic_aliases,
    )
    door.broker.keeper.session(session)
    connection.open(session, Arrival(visitor, int(connection.keep_alive_s), connection.address))
    five = packet.protocol == MQTT_5_0
    terms = _terms(door.settings, session, packet, visitor.client) if five else {}
    if packet.properties.get(Property.REQUEST_RESPONSE_INFORMATION) and five:
        topic = door.permissions.response_topic(known.who, visitor.client)
        if topic is not None:
            terms[Property.RESPONSE_INFORMATION] = topic
    answer = encode(Connack(Reason.SUCCESS, present, terms), packet.protocol)
    if len(answer) > connection.packet_limit and terms.pop(Property.RESPONSE_INFORMATION, None):
        answer = encode(Connack(Reason.SUCCESS, present, terms), packet.protocol)
    connection.welcome(answer)


def _take_over(connection: Connection, visitor: Visitor) -> None:
    """End the session's other connection, and count this one."""
    door = connection.door
    allowance = door.quotas.of(visitor.who)
    before = door.broker.session_of(visitor.session)
    link = None if before is None else before.link
    # Who is at the bound, and lost its connection without our noticing, comes back all the same.
    replaces = link is not None and before is not None and before.who == visitor.who
    if not replaces:
        door.quotas.require(allowance, "connections")
    if link is not None:
        link.end(Reason.SESSION_TAKEN_OVER, "the client connected again")
        if not allowance.connections.has_room():
            link.cut()
    connection.charge(allowance)


def _agree(connection: Connection, session: Session, packet: Connect) -> None:
    """Set what the client asked for, within our bounds."""
    settings = connection.door.settings
    wishes = packet.properties
    if packet.protocol == MQTT_5_0:
        expiry_s = wishes.get(Property.SESSION_EXPIRY_S, 0)
    else:
        expiry_s = 0 if packet.clean_start else settings.max_session_expiry_s
    session.expiry_s = min(expiry_s, settings.max_session_expiry_s)
    session.will = packet.will
    session.will_due_at_s = None
    connection.keep_alive_s = _keep_alive_s(settings, packet)
    connection.tells_offsets = any(
        name == OFFSET for name, _ in wishes.get(Property.USER_PROPERTY, ())
    )
    connection.receive_maximum = min(
        wishes.get(Property.RECEIVE_MAXIMUM, 65535), settings.max_inflight
    )
    aliases = min(wishes.get(Property.TOPIC_ALIAS_MAXIMUM, 0), settings.max_topic_aliases)
    connection.aliases = GivenAliases(aliases) if aliases else NO_ALIASES


def _keep_alive_s(settings: DoorSettings, packet: Connect) -> int:
    """A server can shorten the keep-alive in MQTT 5.0 only (section 3.2.2.3.14)."""
    longest = settings.max_keep_alive_s
    if longest and packet.protocol == MQTT_5_0 and not 0 < packet.keep_alive_s <= longest:
        return longest
    return packet.keep_alive_s


def _terms(
    settings: DoorSettings, session: Session, packet: Connect, client: str
) -> dict[int, Any]:
    """Return what an MQTT 5.0 client must know: where we differ from what it may assume."""
    terms: dict[int, Any] = {
        Property.MAXIMUM_PACKET_BYTES: settings.max_packet_bytes,
        Property.TOPIC_ALIAS_MAXIMUM: settings.max_topic_aliases,
    }
    if settings.receive_maximum < 65535:
        terms[Property.RECEIVE_MAXIMUM] = settings.receive_maximum
    if not packet.client:
        terms[Property.ASSIGNED_CLIENT_IDENTIFIER] = client
    if session.expiry_s != packet.properties.get(Property.SESSION_EXPIRY_S, 0):
        terms[Property.SESSION_EXPIRY_S] = session.expiry_s
    keep_alive_s = _keep_alive_s(settings, packet)
    if keep_alive_s != packet.keep_alive_s:
        terms[Property.SERVER_KEEP_ALIVE_S] = keep_alive_s
    return terms
