"""The post: how letters reach devices, as the dispatcher sees it, and one in memory for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a device.

    Attributes:
        key: Name of what it is about; comes back with what became of it.
        topic: Where to.
        payload: What it says.
        reply_topic: Where the device may answer (MQTT 5).
        lives_s: After so many seconds it is not delivered any more; None is never.
        retain: Whether it is kept for whoever subscribes later.
        is_receipt_wanted: Whether the door shall say when a device has it.
        clients: MQTT client identifiers that the device may have; whoever else reads along is not
            asked for a receipt.
    """

    key: str
    topic: str
    payload: bytes
    reply_topic: str = ""
    lives_s: int | None = None
    retain: bool = False
    is_receipt_wanted: bool = True
    clients: Sequence[str] = ()


class Up(msgspec.Struct, frozen=True):
    """The door can be reached (again); what was not taken before must be sent again."""


class Down(msgspec.Struct, frozen=True):
    """The door cannot be reached any more; what was not taken is not on its way."""


class Taken(msgspec.Struct, frozen=True):
    """The door has a letter on disk.

    Attributes:
        number: What `send` returned.
        is_heard: Whether anybody was there to take it.
    """

    number: int
    is_heard: bool = True


class Received(msgspec.Struct, frozen=True):
    """A device has the letter of this key."""

    key: str
    at_us: int


PostEvent = Up | Down | Taken | Received


class Post(Protocol):
    """Brings letters to the door. `send` is called by one thread."""

    def open(self, tell: Callable[[PostEvent], None]) -> None:
        """Begin to connect; `tell` is called from any thread and returns at once."""
        ...

    def send(self, letter: Letter) -> int | None:
        """Send a letter and return its number; None when the door is away."""
        ...

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        ...


class MemoryPost:
    """A post that keeps the letters; `take` and `receive` play the door."""

    def __init__(self, *, is_up: bool = True) -> None:
        self.letters: list[Letter] = []
        self.is_up = is_up
        self._tell: Callable[[PostEvent], None] = _ignore

    def open(self, tell: Callable[[PostEvent], None]) -> None:
        """Remember whom to tell."""
        self._tell = tell
        if self.is_up:
            tell(Up())

    def send(self, letter: Letter) -> int | None:
        """Keep a letter."""
        if not self.is_up:
            return None
        self.letters.append(letter)
        return len(self.letters) - 1

    def go(self, *, up: bool) -> None:
        """Let the door come or go."""
        self.is_up = up
        self._tell(Up() if up else Down())

    def take(self, number: int, *, is_heard: bool = True) -> None:
        """Let the door acknowledge a letter."""
        self._tell(Taken(number, is_heard))

    def receive(self, key: str, at_us: int) -> None:
        """Let a device acknowledge a letter."""
        self._tell(Received(key, at_us))

    def close(self) -> None:
        """Do nothing."""


def _ignore(_: PostEvent) -> None:
    """Nobody listens yet."""
