"""Messages for sessions: decided when their group begins, sent when it is on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.door.message import Message
    from penstock.door.session import Outgoing, Session


@dataclass(slots=True, eq=False)
class Delivery:
    """One message for one session.

    Attributes:
        outgoing: Its place in the session's queue, if the session is kept and the message is to
            survive with it.
    """

    session: Session
    message: Message
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    outgoing: Outgoing | None = None


def plan(
    session: Session,
    message: Message,
    qos: int,
    *,
    retain: bool,
    identifiers: tuple[int, ...],
    share: str = "",
) -> Delivery | None:
    """Decide on a delivery; None if a kept session has no room for the message."""
    if not (qos and session.is_kept):
        return Delivery(session, message, qos, retain, identifiers)
    outgoing = session.enqueue(message, qos, retain=retain, identifiers=identifiers, share=share)
    if outgoing is None:
        return None
    return Delivery(session, message, qos, retain, identifiers, outgoing)


def hand_over(deliveries: Iterable[Delivery]) -> None:
    """Deliver what is on disk."""
    waiting: dict[Session, None] = {}
    for one in deliveries:
        if one.outgoing is None:
            one.session.deliver(
                one.message, one.qos, retain=one.retain, identifiers=one.identifiers
            )
        else:
            one.outgoing.is_ready = True
            waiting[one.session] = None
    for session in waiting:
        session.pump()
