"""What did not come live, read from the platform's log in order of arrival.

The platform's queue for a client is bounded, and its log reaches further back. Each message has a
place there, its offset, and the door says it with each message: so what comes both ways, live and
from the log, is told apart by a number, and late data and new Datastreams are no different.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from penstock.client.inbox import Seen, mark_of
from penstock.core.errors import Forbidden, NotFound, PenstockError

_log = logging.getLogger(__name__)

#: Pause before asking again when the platform does not answer, and how long that goes on before
#: whoever consumes is told, in seconds.
AGAIN_S = 1.0
PATIENCE_S = 30.0
#: A place so old is brought up to date when nothing else is to be done, in seconds: little is to
#: be read through after a reconnection then, and the log still has it.
STALE_S = 600.0
#: Messages that the platform gives at once.
MAX_ITEMS = 10_000


class Item(msgspec.Struct, frozen=True):
    """A message of the log."""

    offset: int
    topic: str
    payload: str | None = None
    payload_base64: bytes | None = None

    @property
    def content(self) -> bytes:
        """The payload as it was sent."""
        text = self.payload
        return self.payload_base64 or b"" if text is None else text.encode()


class Page(msgspec.Struct, frozen=True):
    """What `GET /api/v1/messages` answers."""

    items: Sequence[Item]
    next: int
    first: int
    end: int


class HasPosition(Protocol):
    """Keeps the offset behind the last message dealt with; -1 while that is not known."""

    position: int


class Gap(PenstockError):
    """The log does not reach back to what was dealt with last."""


class Arrivals:
    """Knows how far a consumer has come in the log, and reads on from there.

    Args:
        fetch: Asks for the messages of some topic filters, from an offset on, at most so many;
            without an offset, where the log ends.
        places: Keeps the position.
        seen: Remembers single messages.
        most: How many it remembers.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[str], int | None, int], Page],
        places: HasPosition,
        seen: Seen,
        most: int,
    ) -> None:
        self._fetch = fetch
        self._places = places
        self._seen = seen
        self._most = most
        #: Whether there may be more to read.
        self.is_active = False
        #: What came from the log, or was dealt with before.
        self._covered = range(0)
        #: Behind the last message handed out.
        self._at = places.position
        self._moved_s = time.monotonic()
        self._due_s = 0.0
        self._failing_since_s: float | None = None
        #: What was handed out and is not told by the position alone: fingerprints of what came
        #: from the log, for its sender may send it again, and offsets of what overtook others.
        self._open: dict[bytes, int | None] = {}
        self._apart = 0

    @property
    def is_known(self) -> bool:
        """Whether the position is known."""
        return self._places.position >= 0

    def settle(self, position: int) -> None:
        """Go on from here; -1 when that is not known."""
        self._at = self._places.position = position
        self._covered = range(position, position)
        self.is_active = False

    def begin(self) -> None:
        """Read on: a connection was made, and something may have been missed."""
        if self.is_known:
            self.is_active = True
            self._due_s = 0.0

    def refresh(self) -> None:
        """Read on if the position is old; called when nothing else is to be done."""
        if not self.is_active and time.monotonic() - self._moved_s > STALE_S:
            self.begin()

    def wait_s(self) -> float:
        """Return in how many seconds to look again."""
        return max(self._due_s - time.monotonic(), 0.0)

    def end(self, filters: Sequence[str]) -> int:
        """Return where the log ends now. Raises as `fetch`."""
        return self._fetch(filters, None, 1).end

    def next(self, filters: Sequence[str], most: int) -> list[Item]:
        """Return what comes next; none for now, or no more.

        Raises:
            Gap: It is gone.
            Forbidden: The log may not be read.
            NotFound: The platform is too old to be asked.
            PenstockError: The platform has not answered for `PATIENCE_S`; nothing is lost.
        """
        while self.is_active and self.wait_s() <= 0:
            try:
                page = self._fetch(filters, self._at, min(max(most, 1), MAX_ITEMS))
            except (Forbidden, NotFound):
                raise
            except PenstockError as error:
                self._fail(error)
                return []
            self._failing_since_s = None
            if page.first > self._at or page.end < self._at:
                raise Gap("the platform's log does not hold what was missed any more")
            self._reach(page.next)
            self.is_active = page.next < page.end
            if not self.is_active:
                self._apart, self._moved_s = 0, time.monotonic()
            found = [item for item in page.items if self._is_new(item)]
            if found:
                return found
        return []

    def _reach(self, offset: int) -> None:
        self._at, self._covered = offset, range(self._covered.start, offset)

    def _is_new(self, item: Item) -> bool:
        mark = mark_of(item.content)
        is_old = _mark(item.offset) in self._seen or (
            bool(mark) and (mark in self._open or self._seen.has_other(mark, item.offset))
        )
        if mark and not is_old:
            self._open[mark] = item.offset
        return not is_old

    def give_again(self, items: Sequence[Item]) -> None:
        """Take back what `next` returned and nobody handed out."""
        self._reach(items[0].offset)
        self.is_active = True
        self._open.clear()

    def is_covered(self, offset: int | None) -> bool:
        """Tell whether a message that came live was handed out from the log."""
        return offset is not None and offset in self._covered

    def hand_out(self, offset: int | None, qos: int) -> None:
        """Take note that a message that came live is handed out."""
        if offset is None or not self.is_known:
            return
        if qos:
            self._at = max(self._at, offset + 1)
            self._apart = 0
            return
        # It may have overtaken messages that come yet.
        self._open[_mark(offset)] = None
        self._apart += 1
        if self._apart > self._most // 4:
            self.begin()

    def deal_with(self) -> bool:
        """Take note that all that was handed out is dealt with; return whether that moved on."""
        if self._open:
            self._seen.add(self._open)
            self._open.clear()
        if not self.is_known or self._at <= self._places.position:
            return False
        self._places.position = self._at
        self._moved_s = time.monotonic()
        return True

    def _fail(self, error: PenstockError) -> None:
        now_s = time.monotonic()
        self._failing_since_s = self._failing_since_s or now_s
        if now_s - self._failing_since_s > PATIENCE_S:
            raise error
        self._due_s = now_s + AGAIN_S
        _log.warning("what was missed cannot be read now, and is tried again: %s", error)


def _mark(offset: int) -> bytes:
    return hashlib.blake2b(b"@%d" % offset, digest_size=16).digest()
