"""Retrying what the store, the catalog or the disk refuses for now, without losing anything."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from penstock.core.errors import Backpressure, InvalidInput, NotConnected, PenstockError

_T = TypeVar("_T")
_log = logging.getLogger(__name__)

#: First wait after a refusal, seconds; doubled up to `max_retry_s`.
FIRST_WAIT_S = 0.05
#: Refusals of an unexpected kind before giving up.
MAX_SURPRISES = 6


class Closing(Exception):
    """Raised inside the ingest thread when it is asked to stop while it waits."""


class Patience:
    """Repeats an operation until it works.

    What a contract allows for a while (`Backpressure`, `NotConnected`, an error of the system) is
    tried forever; what it does not allow is tried a few times and then handed on.

    Args:
        stop: Set when the thread is asked to stop.
        max_wait_s: Longest wait between two tries.
    """

    def __init__(self, stop: threading.Event, max_wait_s: float) -> None:
        self._stop = stop
        self._max_wait_s = max_wait_s
        self.trouble = ""
        self.retries = 0

    def until_done(self, what: str, operation: Callable[[], _T]) -> _T:
        """Return what `operation` returns, once it does.

        Raises:
            Closing: Ingest is asked to stop.
            Exception: What the operation raised, if trying again makes no sense.
        """
        wait_s = FIRST_WAIT_S
        surprises = 0
        while True:
            try:
                result = operation()
            except InvalidInput:
                raise
            except Exception as error:
                if not isinstance(error, (Backpressure, NotConnected, OSError)):
                    surprises += 1
                    if surprises == MAX_SURPRISES:
                        raise
                self._note(what, error)
                hint_s = error.retry_after_s if isinstance(error, Backpressure) else 0.0
                if self._stop.wait(min(max(wait_s, hint_s), self._max_wait_s)):
                    raise Closing from error
                wait_s *= 2
                continue
            if self.trouble:
                _log.warning("%s works again", what)
                self.trouble = ""
            return result

    def _note(self, what: str, error: Exception) -> None:
        self.retries += 1
        message = f"{what}: {error}"
        if message != self.trouble:
            known = isinstance(error, (PenstockError, OSError))
            _log.warning("%s; trying again", message, exc_info=None if known else error)
        self.trouble = message
