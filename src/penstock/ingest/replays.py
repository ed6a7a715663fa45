"""Replays: messages of the log, or dead letters, go through today's routes again.

A replay is done in steps by the ingest thread, between batches of new messages, so that neither
waits for the other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol

import numpy as np
from msgspec.structs import replace

from penstock.core.errors import InvalidInput, NotFound
from penstock.core.log import Log
from penstock.core.platform import Replayed
from penstock.core.store import Marks, Store
from penstock.ingest.dead_letters import RESERVED, DeadLetters, LetterBox
from penstock.ingest.decoding import Rejected
from penstock.ingest.deleted import Deleted
from penstock.ingest.letters import Letter, previous
from penstock.ingest.messages import Batch, split
from penstock.ingest.patience import Closing, Patience
from penstock.ingest.pipeline import Pipeline
from penstock.ingest.routes import TopicTable
from penstock.ingest.sources import letters_of

#: The work of a replay; gives messages, observations and failed messages of each step.
Steps = Generator[tuple[int, int, int], None, None]

#: Portions of dead letters after which what was replayed is made durable.
_COMMIT_EVERY = 16


class Rooms(Protocol):
    """What a replay needs of the ingest that it runs in."""

    log: Log
    store: Store
    table: TopicTable
    pipeline: Pipeline
    patience: Patience

    deleted: Callable[[], Deleted]

    @property
    def letters(self) -> DeadLetters:
        """The dead letters."""
        ...

    @property
    def marks(self) -> Marks:
        """Where the store stands, including what is not durable yet."""
        ...


class Replay:
    """A replay under way.

    Args:
        steps: Does the work.
    """

    def __init__(self, steps: Steps) -> None:
        self.outcome: Future[Replayed] = Future()
        self.outcome.set_running_or_notify_cancel()  # it cannot be cancelled half-way
        self._steps = steps
        self._sums = (0, 0, 0)

    def step(self) -> int | None:
        """Do a little; return how many messages that were, or None when it is over."""
        try:
            done = next(self._steps)
        except StopIteration:
            self.outcome.set_result(Replayed(*self._sums))
            return None
        except Closing:
            raise
        except Exception as error:
            self.outcome.set_exception(error)
            return None
        a, b = self._sums, done
        self._sums = (a[0] + b[0], a[1] + b[1], a[2] + b[2])
        return done[0]

    def give_up(self, error: Exception) -> None:
        """End it early."""
        self._steps.close()
        if not self.outcome.done():
            self.outcome.set_exception(error)


def replay_range(
    rooms: Rooms, partition: str, from_offset: int, until_offset: int, max_bytes: int
) -> Steps:
    """Ingest a range of a partition again, step by step.

    Raises:
        NotFound: No such partition.
        InvalidInput: The range is empty or begins before the first kept message.
    """
    if partition in RESERVED or partition not in rooms.log.partitions():
        known = ", ".join(p for p in rooms.log.partitions() if p not in RESERVED) or "none"
        raise NotFound(f"log partition {partition!r} cannot be replayed; there are: {known}")
    reader = rooms.log.reader(partition)
    try:
        first = reader.position
        if not first <= from_offset < until_offset:
            msg = (
                f"range {from_offset} to {until_offset} of partition {partition!r} is empty or "
                f"not kept any more; it has messages {first} to {until_offset}"
            )
            raise InvalidInput(msg)
        reader.seek(from_offset)
        have_letters = rooms.letters.sources()
        position = from_offset
        while position < until_offset and (blocks := reader.read(max_bytes)):
            batch = split(partition, blocks, rooms.table, position, until_offset)
            position = batch.next_offset
            yield _again(rooms, batch, partial(letters_of, batch), have_letters)
        rooms.patience.until_done("the store", rooms.store.flush)
    finally:
        reader.close()


def replay_letters(rooms: Rooms, boxes: Sequence[LetterBox]) -> Steps:
    """Ingest all letters that wait in some boxes again, step by step; what fails waits anew."""
    for box in boxes:
        until = box.end
        for number, portion in enumerate(box.look(), 1):
            letters = [entry for entry in portion if entry[0] < until]
            if letters:
                yield _letters_again(rooms, box, letters)
            if len(letters) < len(portion):
                break
            if letters and number % _COMMIT_EVERY == 0:
                rooms.patience.until_done("the store", rooms.store.flush)
                box.commit(letters[-1][0] + 1)
        rooms.patience.until_done("the store", rooms.store.flush)
        box.commit(until)


def discard_letters(rooms: Rooms) -> Steps:
    """Drop all letters that wait; their messages are not read again after a crash either."""
    rooms.patience.until_done("the store", rooms.store.flush)
    yield rooms.letters.discard(), 0, 0


def _letters_again(
    rooms: Rooms, box: LetterBox, entries: Sequence[tuple[int, Letter]]
) -> tuple[int, int, int]:
    batch = Batch(
        partition=box.partition,
        next_offset=entries[-1][0] + 1,
        topics=[rooms.table[letter.topic.encode()] for _, letter in entries],
        payloads=[letter.payload for _, letter in entries],
        arrived_us=np.array([letter.arrived_us for _, letter in entries], np.int64),
        offsets=np.array([offset for offset, _ in entries], np.int64),
        clients=("",),
        block=np.zeros(len(entries), np.int64),
    )

    def anew(rejected: Sequence[Rejected]) -> list[Letter]:
        return [
            replace(
                entries[r.message][1],
                reason=r.reason,
                codec=r.codec,
                device=r.device,
                previous=previous(box.partition, entries[r.message][0]),
            )
            for r in sorted(rejected, key=lambda r: r.message)
        ]

    return _again(rooms, batch, anew, {})


def _again(
    rooms: Rooms,
    batch: Batch,
    write: Callable[[Sequence[Rejected]], list[Letter]],
    known: Mapping[str, set[int]],
) -> tuple[int, int, int]:
    outcome = rooms.pipeline.read(batch, rooms.deleted())
    rooms.letters.append(write(outcome.rejected), rooms.patience, known)
    if outcome.observations.num_rows:
        rooms.pipeline.keep(outcome.observations, rooms.marks)
    return len(batch), outcome.observations.num_rows, len(outcome.rejected)
