"""Receipts: telling the platform that a client has taken a message that the platform sent it."""

from __future__ import annotations

import re

import msgspec

from penstock.core.clock import Clock
from penstock.door.auth import is_reserved
from penstock.door.message import Message
from penstock.door.packets import Publish
from penstock.door.presence import DOOR
from penstock.door.properties import Property
from penstock.door.topics import PLATFORM

#: User property by which the platform's own connection asks for a receipt.
ASKED_BY = "penstock-receipt"
#: Topics below which receipts are published; the next level is the value of the user property.
RECEIPTS = f"{PLATFORM}/receipts"

_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


def receipt_for(message: Message, client: str, clock: Clock) -> Message | None:
    """Return the receipt to publish when `client` has acknowledged; None if none was asked for.

    Only the platform's own connections can ask: a message that a device sends with the same user
    property is a message like any other.
    """
    if not is_reserved(message.publisher):
        return None
    asked = dict(message.properties.get(Property.USER_PROPERTY, ())).get(ASKED_BY)
    if asked is None or not _NAME.fullmatch(asked):
        return None
    payload = msgspec.json.encode({"client": client, "at": clock.now_us()})
    return Message(Publish(f"{RECEIPTS}/{asked}", payload), DOOR, clock.monotonic_s())
