"""A thread that does a piece of work whenever it is woken, and now and then by itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from penstock.core.errors import Backpressure

_log = logging.getLogger(__name__)


class Worker:
    """Calls `work` in a thread of its own, at least every `interval_s`, until stopped.

    `work` that finds the disk full is called again after the interval; the log says so once.
    """

    def __init__(self, name: str, work: Callable[[], None], interval_s: float) -> None:
        self._work = work
        self._interval_s = interval_s
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called; long work looks at it now and then."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Have the work done soon."""
        self._awake.set()

    def stop(self) -> None:
        """Wait for the work under way and end the thread."""
        self._stopping.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self.is_stopping:
            self._awake.wait(self._interval_s)
            self._awake.clear()
            if self.is_stopping:
                return
            self._try()
            if self._is_failing:
                self._stopping.wait(self._interval_s)

    def _try(self) -> None:
        try:
            self._work()
        except Backpressure as error:
            if not self._is_failing:
                _log.warning("%s", error)
            self._is_failing = True
        except Exception:
            _log.exception("the lake could not write; it tries again")
            self._is_failing = True
        else:
            if self._is_failing:
                _log.warning("the lake writes again")
            self._is_failing = False
