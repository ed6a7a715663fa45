"""Messages of apps are with the door when `send` returns, or it says that they are not."""

from __future__ import annotations

import threading

import pytest

from penstock.core.errors import NotConnected
from penstock.devices.post import Letter, MemoryPost
from penstock.runtime.courier import MANY, Courier


class Door(MemoryPost):
    """Takes every letter, from another thread, unless it goes down first."""

    def __init__(self, *, falls_at: int = -1) -> None:
        super().__init__()
        self._falls_at = falls_at

    def send(self, letter: Letter) -> int | None:
        number = super().send(letter)
        if number == self._falls_at:
            self.go(up=False)
        elif number is not None:
            threading.Thread(target=self.take, args=(number,)).start()
        return number


def test_it_returns_when_all_are_taken() -> None:
    door = Door()
    courier = Courier(door)
    messages = [(f"a/{n}", b"x") for n in range(MANY + 3)]
    courier.send(messages)
    assert [(one.topic, one.payload) for one in door.letters] == messages
    assert not any(one.is_receipt_wanted for one in door.letters)
    courier.close()


def test_it_says_when_the_door_goes_away_between() -> None:
    courier = Courier(Door(falls_at=1))
    with pytest.raises(NotConnected):
        courier.send([("a", b"1"), ("b", b"2"), ("c", b"3")])
