"""Apps that run: started in the engine, watched, and what happens to them written down."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from penstock.core.apps import AppEvent, AppRecords, AppState, KeptApp
from penstock.core.clock import Clock
from penstock.core.errors import Conflict, PenstockError
from penstock.core.queries import Meaning, Query, RunState, RunStatus, Sink, Streams
from penstock.sql.apps.checking import start_of

_log = logging.getLogger(__name__)

#: Lines of each app's log that stay.
LOG_LINES = 1000
#: Seconds between two looks at how apps fare.
LOOK_EVERY_S = 1.0

#: Makes what takes the answer of an app.
MakeSink = Callable[[KeptApp, Meaning], Sink]

_LEVELS: Mapping[RunState, str] = {RunState.FAILING: "warning", RunState.FAILED: "error"}


def query_of(app: KeptApp) -> Query:
    """Return what an app computes."""
    spec = app.spec
    return Query(
        sql=spec.sql,
        system=app.system,
        lateness_s=spec.lateness_s,
        idle_s=spec.idle_s,
        reach_s=spec.reach_s,
    )


class Running:
    """The apps that are started. Safe to call from any thread.

    Args:
        records: Keeps logs.
        streams: Runs queries.
        make_sink: See there.
        clock: Tells the time.
        first_us: Tells the time of the first observation there is, or None.
    """

    def __init__(
        self,
        records: AppRecords,
        streams: Streams,
        make_sink: MakeSink,
        clock: Clock,
        first_us: Callable[[], int | None],
    ) -> None:
        self._records = records
        self._streams = streams
        self._make_sink = make_sink
        self._clock = clock
        self._first_us = first_us
        self._lock = threading.RLock()
        self._started: dict[int, KeptApp] = {}
        self._failed: dict[int, RunStatus] = {}
        self._seen: dict[int, tuple[RunState, str]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def restore(self) -> None:
        """Start what was started when the platform ended; what cannot be started says so."""
        for app in self._records.apps():
            if app.state is AppState.STARTED:
                try:
                    self.start(app)
                except Exception as error:
                    self._refuse(app, error)

    def start(self, app: KeptApp) -> None:
        """Run an app from where it stood.

        Raises:
            PenstockError: It cannot be run; it is not.
        """
        with self._lock:
            query = query_of(app)
            sink = self._make_sink(app, self._streams.explain(query))
            try:
                self._streams.start(app.id, query, sink, self._start_us(app))
            except Conflict:
                # A stop that came before is not over yet, or somebody else started it.
                self._streams.stop(app.id)
                self._streams.start(app.id, query, sink, self._start_us(app))
            self._failed.pop(app.id, None)
            self._started[app.id] = app
            self._watch()

    def restart(self, app: KeptApp) -> None:
        """Run an app as it is now; one that cannot be run says so."""
        with self._lock:
            self.stop(app.id)
            try:
                self.start(app)
            except PenstockError as error:
                self._refuse(app, error)

    def stop(self, app: int) -> None:
        """Stop an app after the slice at hand."""
        with self._lock:
            self._streams.stop(app)
            self._leave(app)

    def forget(self, app: int) -> None:
        """Stop an app and forget where it stood."""
        with self._lock:
            self._streams.forget(app)
            self._leave(app)

    def status(self, app: int) -> RunStatus | None:
        """Return how an app fares, or None when it does not run."""
        return self._streams.status(app) or self._failed.get(app)

    def statuses(self) -> Mapping[int, tuple[KeptApp, RunStatus]]:
        """Return how all that are started fare, by id."""
        with self._lock:
            started = dict(self._started)
        return {
            id_: (app, status)
            for id_, app in started.items()
            if (status := self.status(id_)) is not None
        }

    def tell(self, app: int, message: str, level: str = "info") -> None:
        """Write a line into an app's log."""
        event = AppEvent(time_us=self._clock.now_us(), level=level, message=message)
        self._records.write(app, [event], LOG_LINES)

    def close(self) -> None:
        """Stop watching; the engine stops what runs. Safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def look(self) -> None:
        """Write down whose state has changed."""
        for id_, (_, status) in self.statuses().items():
            now = (status.state, status.message)
            if self._seen.get(id_) == now:
                continue
            self._seen[id_] = now
            text = f"{status.state}: {status.message}" if status.message else str(status.state)
            self.tell(id_, text, _LEVELS.get(status.state, "info"))

    def _start_us(self, app: KeptApp) -> int | None:
        return self._first_us() if app.spec.start == "beginning" else start_of(app.spec.start)

    def _refuse(self, app: KeptApp, error: Exception) -> None:
        if not isinstance(error, PenstockError):
            _log.exception("app %s could not be started", app.spec.name, exc_info=error)
        with self._lock:
            self._failed[app.id] = RunStatus(state=RunState.FAILED, message=str(error))
            self._started[app.id] = app
            self._watch()

    def _leave(self, app: int) -> None:
        for held in (self._started, self._failed, self._seen):
            held.pop(app, None)

    def _watch(self) -> None:
        """Look at how apps fare from now on; nobody does while none was ever started."""
        if self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._run, name="apps", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            try:
                self.look()
            except Exception:
                _log.exception("how apps fare could not be written down; trying again")
