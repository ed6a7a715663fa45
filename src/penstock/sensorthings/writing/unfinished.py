"""Writes to catalog and log that were cut short: done to their end at the next start."""

from __future__ import annotations

import logging

import msgspec

from penstock.core.entities import Identity
from penstock.core.errors import PenstockError
from penstock.core.selection import Selection
from penstock.sensorthings.writing.asked import Parts

_log = logging.getLogger(__name__)

#: How long a start waits until what was cut short is in the store, seconds.
MAX_WAIT_S = 30.0


class Move(msgspec.Struct, frozen=True):
    """An Observation that gets another identity.

    Attributes:
        id: What its address has, before and after.
        old: From where it goes.
        to: Where it is then; None when that is the identity of its id.
    """

    id: str
    old: Identity
    to: Identity | None


class Note(msgspec.Struct, frozen=True):
    """What is to be done: messages into the log, and an Observation off its old place."""

    messages: list[tuple[str, bytes]]
    client: str
    move: Move | None = None

    def encoded(self) -> bytes:
        """Return it as bytes."""
        return msgspec.msgpack.encode(self)


def complete_move(parts: Parts, move: Move) -> None:
    """Remember where an Observation is, and take it from where it was."""
    parts.moved.move(move.id, move.to)
    parts.store.delete(exactly(move.old))


def exactly(identity: Identity) -> Selection:
    """Return the choice of the row with an identity."""
    return Selection(
        datastreams=(identity.datastream,),
        features=(identity.feature,),
        start_us=identity.time_us,
        end_us=identity.time_us + 1,
    )


async def resume(parts: Parts) -> int:
    """Do to its end what was cut short, before anybody writes anew; return how much it was.

    What fails now, for instance because the disk is full, is left for the next start.
    """
    notes = await parts.blocking(parts.unfinished.unfinished)
    done = 0
    for id_, text in notes.items():
        try:
            done += await _finish(parts, id_, msgspec.msgpack.decode(text, type=Note))
        except (PenstockError, msgspec.DecodeError):
            _log.exception("a write that was cut short could not be done; it is tried at a start")
    return done


async def _finish(parts: Parts, id_: int, note: Note) -> bool:
    offset = await parts.platform.publish(note.messages, note.client)
    if note.move is not None:
        # The old row may itself be on its way from the log, also from the door's part of it:
        # removed before, it would come again.
        is_there = await parts.platform.ingested(offset, MAX_WAIT_S)
        if not is_there or not await parts.platform.all_ingested(MAX_WAIT_S):
            _log.warning("Observation %s is moved at the next start", note.move.id)
            return False
        await parts.blocking(complete_move, parts, note.move)
    await parts.blocking(parts.unfinished.finish, id_)
    return True
