"""Statements that write down who is connected and who was seen, where it is news.

What is held from later than `to_come_us` was written down by a clock that was wrong, and gives way
to anything; see `core.clock.is_older`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import case, delete, or_, select

from penstock.catalog.device_models import ClientPresence, DeviceFact
from penstock.catalog.dialects.upserting import upsert

#: Clients that are gone are remembered for so long, microseconds.
PRESENCE_KEPT_US = 90 * 86_400 * 1_000_000
#: Clients remembered that are away; some choose another identifier each time. The ones that are
#: away for longest are forgotten first.
MAX_AWAY = 100_000


def surplus_away() -> Any:
    """Remove clients that are away beyond `MAX_AWAY`."""
    away = select(ClientPresence.at_us).where(~ClientPresence.online)
    newest = away.order_by(ClientPresence.at_us.desc()).limit(1).offset(MAX_AWAY)
    return delete(ClientPresence).where(
        ~ClientPresence.online, ClientPresence.at_us <= newest.scalar_subquery()
    )


def upsert_presence(to_come_us: int) -> Any:
    """Keep whether clients are connected."""
    statement = upsert(ClientPresence)
    new = statement.excluded
    names = ("online", "at_us", "user", "reason", "keep_alive_s", "address")
    return statement.on_conflict_do_update(
        index_elements=["client", "system_id"],
        set_={name: new[name] for name in names},
        where=or_(new.at_us >= ClientPresence.at_us, ClientPresence.at_us > to_come_us),
    )


def upsert_seen(to_come_us: int) -> Any:
    """Keep when devices were seen; what is known of them already stays."""
    statement = upsert(DeviceFact)
    new = statement.excluded

    def unless_empty(name: str) -> Any:
        held = getattr(DeviceFact, name)
        return case((new[name] != "", new[name]), else_=held)

    def unless_known(name: str) -> Any:
        held = getattr(DeviceFact, name)
        return case((held != "", held), else_=new[name])

    return statement.on_conflict_do_update(
        index_elements=["thing_id"],
        set_={
            "type": unless_known("type"),
            "topic": unless_known("topic"),
            "last_seen_us": new.last_seen_us,
            "client": unless_empty("client"),
        },
        where=or_(
            DeviceFact.last_seen_us.is_(None),
            new.last_seen_us >= DeviceFact.last_seen_us,
            DeviceFact.last_seen_us > to_come_us,
        ),
    )
