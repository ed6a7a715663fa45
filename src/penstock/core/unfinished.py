"""Writes that go to two places: remembered until both have them, whatever happens in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class UnfinishedWrites(Protocol):
    """Notes of what is still to be done; durable when a call returns. Safe from any thread.

    What a note asks for is done again at the next start, so doing it twice has to be harmless.
    """

    def begin(self, note: bytes) -> int:
        """Keep a note and return its id, which is greater than those before."""
        ...

    def unfinished(self) -> Mapping[int, bytes]:
        """Return the notes that are kept, in the order in which they came."""
        ...

    def finish(self, id_: int) -> None:
        """Forget a note; nothing happens if there is none."""
        ...
