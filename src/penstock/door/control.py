"""What a connected client may say besides PUBLISH."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.core.log import MQTT_5_0
from penstock.door.encoding import encode
from penstock.door.greeting import greet
from penstock.door.packets import (
    Ack,
    Connect,
    Disconnect,
    Packet,
    Ping,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
)
from penstock.door.properties import Kind, Property
from penstock.door.reasons import ProtocolViolation, Reason, violation

if TYPE_CHECKING:
    from penstock.door.connection import Connection
    from penstock.door.delivery import Delivery
    from penstock.door.session import Session


#: Reasons that a client can give in DISCONNECT (section 3.14.2.1).
_GOODBYES = frozenset((0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, *range(0x93, 0x9A)))


def handle(connection: Connection, packet: Packet) -> None:
    """Do what a control packet asks for.

    Raises:
        ProtocolViolation: It is not allowed now or never from a client.
    """
    session = connection.session
    if isinstance(packet, Connect):
        if session is not None:
            raise violation("CONNECT came twice")
        greet(connection, packet)
        return
    if session is None:
        raise violation("the first packet must be CONNECT")
    match packet:
        case Ack(kind=Kind.PUBREL):
            _release(connection, session, packet)
        case Ack():
            session.acknowledge(packet)
        case Ping(kind=Kind.PINGREQ):
            connection.send(encode(Ping(Kind.PINGRESP), connection.protocol))
        case Subscribe():
            # It may look through all retained messages, and makes ways be looked up anew.
            connection.rest()
            _subscribe(connection, session, packet)
        case Unsubscribe():
            connection.rest()
            broker = connection.door.broker
            reasons = tuple(broker.unsubscribe(session, name) for name in packet.filters)
            _answer(connection, Unsuback(packet.packet_id, reasons))
        case Disconnect():
            _goodbye(connection, session, packet)
        case _:
            raise violation(f"a client must not send {type(packet).__name__}")


def _release(connection: Connection, session: Session, packet: Ack) -> None:
    """Forget a QoS 2 packet identifier: the client will not send this message again."""
    reason = Reason.PACKET_IDENTIFIER_NOT_FOUND
    if packet.packet_id in session.inbound:
        session.inbound.remove(packet.packet_id)
        connection.door.broker.keeper.received(session, packet.packet_id, None)
        reason = Reason.SUCCESS
    connection.answer(encode(Ack(Kind.PUBCOMP, packet.packet_id, reason), connection.protocol))


def _subscribe(connection: Connection, session: Session, packet: Subscribe) -> None:
    broker = connection.door.broker
    who = connection.who
    if who is None:
        raise violation("the first packet must be CONNECT")
    identifier = packet.properties.get(Property.SUBSCRIPTION_IDENTIFIER, (0,))[0]
    was_there = {one.filter: one.filter in session.subscriptions for one in packet.requests}
    granted = [
        (request, broker.subscribe(who.who, session, request, identifier))
        for request in packet.requests
    ]
    reasons = tuple(_for_suback(reason, connection.protocol) for _, reason in granted)
    retained: list[Delivery] = []
    # A filter that is named a thousand times brings what is retained once.
    last = {request.filter: request for request, _ in granted}
    for request, reason in granted:
        if reason < Reason.UNSPECIFIED_ERROR and last[request.filter] is request:
            is_new = not was_there[request.filter]
            retained += broker.plan_retained(session, request, identifier, is_new=is_new)
    _answer(connection, Suback(packet.packet_id, reasons), retained)


def _answer(
    connection: Connection, packet: Suback | Unsuback, deliveries: Sequence[Delivery] = ()
) -> None:
    answer = encode(packet, connection.protocol)
    if len(answer) > connection.packet_limit:
        raise ProtocolViolation(
            Reason.PACKET_TOO_LARGE,
            f"the answer to so many filters has {len(answer)} bytes; the client takes "
            f"{connection.packet_limit}",
        )
    connection.answer(answer, deliveries)


def _for_suback(reason: int, protocol: int) -> int:
    """MQTT 3.1.1 knows one kind of failure only."""
    return reason if protocol == 5 else min(reason, Reason.UNSPECIFIED_ERROR)


def _goodbye(connection: Connection, session: Session, packet: Disconnect) -> None:
    if connection.protocol == MQTT_5_0 and packet.reason not in _GOODBYES:
        raise violation(f"a client's DISCONNECT cannot have reason 0x{packet.reason:02x}")
    expiry_s = packet.properties.get(Property.SESSION_EXPIRY_S)
    if expiry_s is not None:
        if expiry_s and not session.expiry_s:
            raise ProtocolViolation(
                Reason.PROTOCOL_ERROR, "DISCONNECT cannot make a session last that was not to"
            )
        session.expiry_s = min(expiry_s, connection.door.settings.max_session_expiry_s)
    connection.close(packet.reason)
