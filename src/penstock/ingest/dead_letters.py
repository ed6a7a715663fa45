"""Dead letters: messages that could not become observations wait here with their reasons."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from penstock.core.clock import Clock
from penstock.core.errors import Corrupt
from penstock.core.log import Block, Log, LogReader, LogWriter
from penstock.core.platform import DeadLetter
from penstock.ingest.letters import PROTOCOL, Letter, pack, unpack
from penstock.ingest.patience import Patience

_log = logging.getLogger(__name__)

#: Partition of letters that need a correction: of the route, the codec or the sender.
DEAD = "dead"
#: Partition of letters that wait for their device to be enrolled.
HELD = "held"
#: Partitions that hold no messages of devices.
RESERVED = (DEAD, HELD)

#: Known name of the reader whose position tells which letters are done with.
_READER = "letters"
#: Letters written as one block.
_BLOCK = 4096


class LetterBox:
    """The letters of one partition that wait: those behind the reader's committed position.

    Writing and taking happen in the ingest thread, `waiting` and `look` in any.

    Args:
        log: Keeps the letters.
        partition: `DEAD` or `HELD`.
    """

    def __init__(self, log: Log, partition: str) -> None:
        self.partition = partition
        self._log = log
        self._writer: LogWriter = log.writer(partition)
        self._reader: LogReader = log.reader(partition, _READER)
        self._position = self._reader.position
        #: Letters before the position that a replay has replaced already, before a crash.
        self.replaced: set[int] = set()

    @property
    def position(self) -> int:
        """Offset of the first letter that may wait."""
        return self._position

    @property
    def end(self) -> int:
        """Offset behind the last letter."""
        return self._writer.durable_offset

    @property
    def waiting(self) -> int:
        """How many letters wait."""
        return max(0, self.end - self._position - len(self.replaced))

    def append(self, letters: Sequence[Letter], now_us: int, patience: Patience) -> None:
        """Keep letters; they are durable when it returns.

        Raises:
            Closing: Ingest is asked to stop; they are kept when the box closes.
        """
        for start in range(0, len(letters), _BLOCK):
            packets, ends = pack(letters[start : start + _BLOCK])
            self._writer.append("ingest", PROTOCOL, now_us, packets, ends)
        patience.until_done("the dead letters", self._writer.sync)

    def look(self, from_offset: int = 0) -> Iterator[list[tuple[int, Letter]]]:
        """Give the letters that wait from an offset on, in portions, with their offsets."""
        reader = self._log.reader(self.partition)
        try:
            first = max(from_offset, self._position)
            reader.seek(first)
            while blocks := _read(reader):
                letters = unpack(blocks)
                yield [(o, x) for o, x in letters if o >= first and o not in self.replaced]
        finally:
            reader.close()

    def commit(self, offset: int) -> None:
        """Be done with all letters before an offset."""
        if offset > self._position:
            self._reader.commit(offset)
            self._position = offset
            self.replaced = {o for o in self.replaced if o >= offset}

    def trim(self, max_letters: int, oldest_us: int) -> int:
        """Drop letters that are too many or too old; return how many."""
        before = self._position
        self._reader.seek_time(oldest_us)
        self.commit(min(max(self._reader.position, self.end - max_letters), self.end))
        return self._position - before

    def close(self) -> None:
        """Release the partition; what waits stays."""
        self._writer.close()
        self._reader.close()


def _read(reader: LogReader) -> Sequence[Block]:
    while True:
        try:
            return reader.read()
        except Corrupt as error:
            _log.error("dead letters are lost: %s", error)


class DeadLetters:
    """Both boxes, and which messages have a letter already.

    Args:
        log: Keeps the letters.
        clock: Tells their age.
        max_letters: Letters that may wait in each box.
        max_age_s: How long one may wait.
        marks: Where reading continues in each partition; older messages do not come again.
    """

    def __init__(
        self,
        log: Log,
        clock: Clock,
        *,
        max_letters: int,
        max_age_s: float,
        marks: Mapping[str, int],
    ) -> None:
        self._clock = clock
        self._max_letters = max_letters
        self._max_age_us = int(max_age_s * 1e6)
        self.boxes = (LetterBox(log, DEAD), LetterBox(log, HELD))
        self.dead, self.held = self.boxes
        self.held_devices: set[str] = set()
        self.dropped = 0
        self._known: dict[str, set[int]] = {}
        self._recover(marks)

    @property
    def waiting(self) -> int:
        """How many letters wait."""
        return sum(box.waiting for box in self.boxes)

    def _recover(self, marks: Mapping[str, int]) -> None:
        """Learn what waits, and which letters an interrupted replay has replaced."""
        boxes = {box.partition: box for box in self.boxes}
        replaced = []
        for box in self.boxes:
            for _, letter in (entry for portion in box.look() for entry in portion):
                if letter.offset >= marks.get(letter.partition, 0):
                    self.remember([letter])
                if box is self.held and letter.device:
                    self.held_devices.add(letter.device)
                if letter.previous:
                    name, _, number = letter.previous.rpartition(":")
                    replaced.append((boxes.get(name), int(number)))
        for origin, offset in replaced:
            if origin is not None and offset >= origin.position:
                origin.replaced.add(offset)

    def sources(self) -> dict[str, set[int]]:
        """Return by partition the offsets of the messages that have a waiting letter."""
        found: dict[str, set[int]] = {}
        for box in self.boxes:
            for _, letter in (entry for portion in box.look() for entry in portion):
                found.setdefault(letter.partition, set()).add(letter.offset)
        return found

    def append(
        self,
        letters: Sequence[Letter],
        patience: Patience,
        known: Mapping[str, set[int]] | None = None,
    ) -> None:
        """Keep letters, apart from those of messages that have one already.

        Args:
            letters: What is to be kept.
            patience: Waits while the disk is full.
            known: Messages that have a letter; by default those found when it was opened.

        Raises:
            Closing: Ingest is asked to stop.
        """
        is_first_time = known is None
        known = self._known if known is None else known
        if known:
            letters = [x for x in letters if x.offset not in known.get(x.partition, ())]
        held = [letter for letter in letters if letter.device]
        dead = [letter for letter in letters if not letter.device] if held else letters
        now_us = self._clock.now_us()
        if dead:
            self.dead.append(dead, now_us, patience)
        if held:
            self.held_devices.update(letter.device for letter in held)
            self.held.append(held, now_us, patience)
        if is_first_time:
            self.remember(letters)

    def remember(self, letters: Sequence[Letter]) -> None:
        """Note that these messages have a letter, because they may come again."""
        for letter in letters:
            self._known.setdefault(letter.partition, set()).add(letter.offset)

    def passed(self, partition: str, offset: int) -> None:
        """Note that a partition is read up to an offset, so older messages cannot come again."""
        known = self._known.get(partition)
        if known and offset > max(known):
            del self._known[partition]

    def list(self, after: int, limit: int) -> list[DeadLetter]:
        """Return letters that wait by ascending id, those behind `after`."""
        found: list[DeadLetter] = []
        for number, box in enumerate(self.boxes):
            entries: list[DeadLetter] = []
            for portion in box.look(max(0, (after + 1 - number) // 2)):
                entries += (_shown(2 * o + 1 + number, x) for o, x in portion)
                if len(entries) >= limit:
                    break
            found += entries[:limit]
        return sorted(found, key=lambda letter: letter.id)[:limit]

    def discard(self) -> int:
        """Be done with all letters that wait; return how many."""
        dropped = self.waiting
        for box in self.boxes:
            box.commit(box.end)
        self.held_devices.clear()
        return dropped

    def trim(self) -> None:
        """Drop letters that are too many or too old, and say so."""
        oldest_us = self._clock.now_us() - self._max_age_us
        dropped = sum(box.trim(self._max_letters, oldest_us) for box in self.boxes if box.waiting)
        if dropped:
            self.dropped += dropped
            _log.warning(
                "%d dead letters were dropped: more than %d or older than %d s; their messages "
                "may still be in the log (penstock log replay)",
                dropped, self._max_letters, self._max_age_us // 1_000_000,
            )  # fmt: skip

    def close(self) -> None:
        """Release both boxes."""
        for box in self.boxes:
            box.close()


def _shown(number: int, letter: Letter) -> DeadLetter:
    return DeadLetter(
        id=number,
        topic=letter.topic,
        payload=letter.payload,
        client=letter.client,
        arrived_us=letter.arrived_us,
        partition=letter.partition,
        offset=letter.offset,
        codec=letter.codec,
        reason=letter.reason,
    )
