"""MQTT 5.0 reason codes (section 2.4), and the error that carries one."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from penstock.core.errors import InvalidInput


class Reason(IntEnum):
    """Why something was accepted, refused or ended; the number goes over the wire."""

    SUCCESS = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99


#: CONNACK return codes of MQTT 3.1.1 (section 3.2.2.3) for our reasons; others become 3,
#: "server unavailable".
CONNACK_3_1_1 = {
    Reason.SUCCESS: 0,
    Reason.UNSUPPORTED_PROTOCOL_VERSION: 1,
    Reason.CLIENT_IDENTIFIER_NOT_VALID: 2,
    Reason.BAD_USER_NAME_OR_PASSWORD: 4,
    Reason.NOT_AUTHORIZED: 5,
    Reason.BAD_AUTHENTICATION_METHOD: 5,
}


class ProtocolViolation(InvalidInput):
    """Raised when a client breaks the protocol; its connection ends with `reason`."""

    code: ClassVar[str] = "mqtt-protocol"

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def malformed(message: str) -> ProtocolViolation:
    """Return the error for a packet that cannot be parsed."""
    return ProtocolViolation(Reason.MALFORMED_PACKET, message)


def violation(message: str) -> ProtocolViolation:
    """Return the error for a packet that parses but is not allowed here."""
    return ProtocolViolation(Reason.PROTOCOL_ERROR, message)
