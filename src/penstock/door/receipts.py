"""Receipts: telling the platform that a device has taken a message that the platform sent it.

Many may read along what is sent to a device: dashboards, recorders, whoever was granted to. What
counts is the device's own client alone. The platform names the identifiers that it may have; and
whoever has subscribed to just this topic by name has it in view, and not all there is.
"""

from __future__ import annotations

import re

import msgspec

from penstock.core.clock import Clock
from penstock.door.auth import is_reserved
from penstock.door.message import Message
from penstock.door.packets import Publish
from penstock.door.permissions import client_of
from penstock.door.presence import DOOR
from penstock.door.properties import Property
from penstock.door.session import Session
from penstock.door.topics import PLATFORM, split_share

#: User property by which the platform's own connection asks for a receipt.
ASKED_BY = "penstock-receipt"
#: User property, any number of times, with a client identifier of the device.
FROM = "penstock-receipt-from"
#: Topics below which receipts are published; the next level is the value of the user property.
RECEIPTS = f"{PLATFORM}/receipts"

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def asked_by(message: Message) -> str:
    """Return the name of the receipt that a message asks for; "" for none.

    Only the platform's own connections can ask: a message that a device sends with the same user
    property is a message like any other.
    """
    pairs = message.properties.get(Property.USER_PROPERTY)
    if pairs is None or not is_reserved(message.publisher):
        return ""
    name = dict(pairs).get(ASKED_BY, "")
    return name if _NAME.fullmatch(name) else ""


def is_for(session: Session, message: Message) -> bool:
    """Tell whether a session is of the device that a message with a receipt is for."""
    pairs = message.properties.get(Property.USER_PROPERTY, ())
    if (FROM, client_of(session.client)) in pairs:
        return True
    return any(_names(split_share(one)[1], message.topic) for one in session.subscriptions)


def receipt(name: str, session: Session, clock: Clock) -> Message:
    """Return the receipt to publish when the session's client has acknowledged."""
    about = {"client": client_of(session.client), "at": clock.now_us()}
    source = Publish(f"{RECEIPTS}/{name}", msgspec.json.encode(about))
    return Message(source, DOOR, clock.monotonic_s())


def _names(wanted: str, topic: str) -> bool:
    """Tell whether a filter is a topic, but for a wildcard in place of its last level."""
    levels, parts = wanted.split("/"), topic.split("/")
    if len(levels) > 1 and levels[-1] in ("+", "#"):
        return levels[:-1] == parts[:-1]
    return levels == parts
