"""What clients were set up wrongly for, said so that a person can mend it and a flood cannot hurt.

A client that speaks the wrong protocol to a port can say so no better than by failing; this writes
one line for it. Of each kind there is at most one line in ten seconds: anybody can cause them.
"""

from __future__ import annotations

import logging

from penstock.core.clock import Clock

_log = logging.getLogger(__name__)

#: Time between two lines of one kind.
PAUSE_S = 10.0
_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"CONN")
_TLS, _CONNECT = 0x16, 0x10


class Mistakes:
    """Reports clients that cannot get in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_at_s: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def report(self, kind: str, text: str) -> None:
        """Write a line, unless there was one of this kind a moment ago."""
        now_s = self._clock.monotonic_s()
        if now_s < self._next_at_s.get(kind, 0.0):
            self._untold[kind] = self._untold.get(kind, 0) + 1
            return
        self._next_at_s[kind] = now_s + PAUSE_S
        untold = self._untold.pop(kind, 0)
        more = f" ({untold} more like it since the last such line)" if untold else ""
        _log.warning("%s%s", text, more)


def first_words(data: bytes) -> str:
    """Name the protocol that a client seems to speak."""
    if data[0] == _TLS:
        return "TLS"
    if data[0] == _CONNECT:
        return "MQTT without TLS"
    if data[:4] in _METHODS:
        return "HTTP"
    return "something that is neither MQTT nor TLS nor HTTP"
