"""Messages of apps to the door: sent when somebody needs it, and there when `send` returns."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from penstock.core.errors import NotConnected
from penstock.devices.post import Down, Letter, Post, PostEvent, Taken, Up

#: Seconds to wait until the door has taken messages.
TIMEOUT_S = 10.0
#: Messages on their way at one time.
MANY = 500


class Courier:
    """Brings messages to the door. Safe to call from any thread.

    Args:
        post: Reaches the door; opened when the first message is sent.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._taken: set[int] = set()
        self._is_up = False
        self._is_open = False
        self._connection = 0

    def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send messages; when it returns the door has them on disk.

        Raises:
            NotConnected: It may have taken some; send all again.
        """
        with self._sending:
            if not self._is_open:
                self._is_open = True
                self._post.open(self._tell)
            for start in range(0, len(messages), MANY):
                self._send(messages[start : start + MANY])

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        self._post.close()

    def _send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_up, TIMEOUT_S):
                raise _away()
            connection = self._connection
            self._taken.clear()
        numbers = set()
        for topic, payload in messages:
            letter = Letter(key="", topic=topic, payload=payload, is_receipt_wanted=False)
            number = self._post.send(letter)
            if number is None:
                raise _away()
            numbers.add(number)

        def is_over() -> bool:
            return numbers <= self._taken or self._connection != connection or not self._is_up

        with self._changed:
            self._changed.wait_for(is_over, TIMEOUT_S)
            if not numbers <= self._taken:
                raise _away()

    def _tell(self, event: PostEvent) -> None:
        with self._changed:
            if isinstance(event, Taken):
                self._taken.add(event.number)
            elif isinstance(event, Up):
                self._is_up = True
                self._connection += 1
            elif isinstance(event, Down):
                self._is_up = False
            self._changed.notify_all()


def _away() -> NotConnected:
    return NotConnected("the MQTT door does not take messages now; they are sent again")
