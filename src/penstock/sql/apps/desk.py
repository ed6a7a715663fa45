"""Who may do what with which app. See `core.apps.Apps`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import pyarrow as pa

from penstock.core.access import Access, Action
from penstock.core.apps import (
    AppEvent,
    AppInfo,
    AppRecords,
    AppSpec,
    AppState,
    Imported,
    KeptApp,
    Verified,
)
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.errors import Conflict, InvalidInput
from penstock.core.people import Actor
from penstock.core.queries import Meaning, Progress, Streams
from penstock.sql.apps.assessing import Assessor
from penstock.sql.apps.checking import checked
from penstock.sql.apps.exchanging import Importer, print_infos
from penstock.sql.apps.rights import Note, Rights
from penstock.sql.apps.running import MakeSink, Running
from penstock.sql.apps.trying import Trials
from penstock.sql.apps.verifying import Verifier


class AppDesk:
    """The stream apps of one platform. Safe to call from any thread.

    Args:
        records: Keeps apps.
        running: Runs them.
        streams: Checks and computes queries.
        make_sink: Checks that an answer has a place.
        verifier: Compares what is stored with what is computed.
        catalog: Keeps derived Datastreams.
        delete: Deletes a derived Datastream with its observations.
        access: Gives the organisation as it is now.
        clock: Tells the time.
        note: Writes the audit trail.
        max_apps: How many there may be.
    """

    def __init__(
        self,
        *,
        records: AppRecords,
        running: Running,
        streams: Streams,
        make_sink: MakeSink,
        verifier: Verifier,
        catalog: Catalog,
        delete: Callable[[Sequence[int]], None],
        access: Callable[[], Access],
        clock: Clock,
        note: Note,
        max_apps: int,
    ) -> None:
        self._records = records
        self._running = running
        self._delete = delete
        self._clock = clock
        self._max_apps = max_apps
        self._rights = Rights(records, access, note)
        self._assessor = Assessor(records, streams, make_sink, catalog, clock)
        self._trials = Trials(self._rights, records, streams, verifier)
        self._importer = Importer(self._rights, records, self._assessor, running, max_apps)
        self._changing = threading.Lock()

    def list(self, by: Actor, search: str = "", system: int | None = None) -> Sequence[AppInfo]:
        """Return those that `by` may see, by name."""
        words = search.lower().split()
        counts = self._records.count_derived()
        return [
            self._info(app, counts)
            for app in self._records.apps()
            if self._rights.may(by, Action.READ, app.system)
            and (system is None or app.system == system)
            and all(word in _searched(app) for word in words)
        ]

    def get(self, by: Actor, app: int) -> AppInfo:
        """Return one."""
        return self._info(self._rights.seen(by, app), self._records.count_derived())

    def add(self, by: Actor, spec: AppSpec) -> AppInfo:
        """Make one, stopped."""
        with self._changing:
            system = self._rights.system(by, spec.system, Action.MANAGE)
            app = self._assessor.draft(checked(spec), system, self._rights.name(by))
            meaning = self._assessor.assess(app)
            if len(self._records.apps()) >= self._max_apps:
                msg = (
                    f"there are {self._max_apps} apps, which is all there may be (`apps.max_apps`)"
                )
                raise Conflict(msg)
            made = self._records.add(app)
            self._assessor.keep(made, meaning)
            self._running.tell(made.id, f"made by {made.by}")
            self._rights.trail(by, "add", made, after={"sql": made.spec.sql})
        return self._info(made, {})

    def change(self, by: Actor, app: int, spec: AppSpec, version: int | None = None) -> AppInfo:
        """Replace what was said of one; a running one goes on with it from where it stands."""
        with self._changing:
            held = self._rights.managed(by, app)
            if version is not None and version != held.version:
                msg = (
                    f"app {held.spec.name!r} is at version {held.version} and not at {version} any "
                    "more; look at it again before you change it"
                )
                raise Conflict(msg)
            wanted = checked(spec)
            if wanted.name != held.spec.name or wanted.system not in ("", held.spec.system):
                msg = (
                    f"app {held.spec.name!r} of {held.spec.system} keeps its name and its system, "
                    "by which others read it; make another app instead"
                )
                raise InvalidInput(msg)
            wanted = msgspec.structs.replace(wanted, system=held.spec.system)
            if wanted == held.spec:
                return self._info(held, self._records.count_derived())
            system = self._rights.system_of(held)
            after = self._assessor.draft(wanted, system, self._rights.name(by), held)
            meaning = self._assessor.assess(after)
            changed = self._records.change(after)
            self._assessor.keep(changed, meaning)
            self._running.tell(app, f"changed by {changed.by} to version {changed.version}")
            self._rights.trail(
                by, "change", changed, before={"sql": held.spec.sql}, after={"sql": wanted.sql}
            )
            if changed.state is AppState.STARTED:
                self._running.stop(app)
                self._running.start(changed)
        return self._info(changed, self._records.count_derived())

    def versions(self, by: Actor, app: int) -> Sequence[AppInfo]:
        """Return what was said of one over time, newest first."""
        self._rights.seen(by, app)
        return [
            AppInfo(
                id=one.id,
                spec=one.spec,
                version=one.version,
                state=one.state,
                run=None,
                meaning=None,
                by=one.by,
                changed_us=one.changed_us,
            )
            for one in self._records.versions(app)
        ]

    def start(self, by: Actor, app: int) -> AppInfo:
        """Start one; does nothing if it is started."""
        return self._set(by, app, AppState.STARTED)

    def stop(self, by: Actor, app: int) -> AppInfo:
        """Stop one; does nothing if it is stopped."""
        return self._set(by, app, AppState.STOPPED)

    def remove(self, by: Actor, app: int, *, with_data: bool) -> None:
        """Delete one; its derived Datastreams stay unless `with_data`."""
        with self._changing:
            held = self._rights.managed(by, app)
            self._running.forget(app)
            derived = self._records.derived(app)
            self._records.remove(app)
            if with_data:
                self._delete(derived)
            gone = {"datastreams": len(derived) if with_data else 0}
            self._rights.trail(by, "remove", held, before={"sql": held.spec.sql, **gone})

    def log(self, by: Actor, app: int, limit: int = 100) -> Sequence[AppEvent]:
        """Return what happened to one, newest first."""
        self._rights.seen(by, app)
        return self._records.log(app, limit)

    def datastreams(self, by: Actor, app: int) -> Sequence[int]:
        """Return the Datastreams that one derives, ascending."""
        self._rights.seen(by, app)
        return self._records.derived(app)

    def explain(self, by: Actor, spec: AppSpec) -> Meaning:
        """Check a query and tell what is known of it, without keeping it."""
        return self._trials.explain(by, spec)

    def translate(self, by: Actor, text: str) -> str:
        """Return a filter of the digital twin stack as a `SELECT`."""
        return self._trials.translate(by, text)

    def backtest(
        self,
        by: Actor,
        spec: AppSpec,
        start_us: int,
        end_us: int,
        progress: Progress | None = None,
    ) -> Iterator[pa.Table]:
        """Compute the rows of a query over a range of event time, keeping nothing."""
        return self._trials.backtest(by, spec, start_us, end_us, progress)

    def verify(
        self, by: Actor, app: int, start_us: int, end_us: int, progress: Progress | None = None
    ) -> Verified:
        """Compare what is stored of one for a range with a new computation."""
        return self._trials.verify(by, app, start_us, end_us, progress)

    def write_out(self, by: Actor) -> str:
        """Return all that `by` may see as text."""
        return print_infos(self.list(by))

    def read_in(self, by: Actor, text: str, *, start: bool = False) -> Imported:
        """Make and change apps as a text says."""
        with self._changing:
            return self._importer.read_in(by, text, start=start)

    def _set(self, by: Actor, app: int, state: AppState) -> AppInfo:
        with self._changing:
            held = self._rights.managed(by, app)
            if held.state is not state:
                name = self._rights.name(by)
                if state is AppState.STARTED:
                    self._running.start(held)
                else:
                    self._running.stop(app)
                held = self._records.set_state(app, state, name, self._clock.now_us())
                self._running.tell(app, f"{state} by {name}")
                self._rights.trail(by, "start" if state is AppState.STARTED else "stop", held)
        return self._info(held, self._records.count_derived())

    def _info(self, app: KeptApp, counts: Mapping[int, int]) -> AppInfo:
        return AppInfo(
            id=app.id,
            spec=app.spec,
            version=app.version,
            state=app.state,
            run=self._running.status(app.id) if app.state is AppState.STARTED else None,
            meaning=self._assessor.meaning(app),
            by=app.by,
            changed_us=app.changed_us,
            datastreams=counts.get(app.id, 0),
        )


def _searched(app: KeptApp) -> str:
    return f"{app.spec.name} {app.spec.system} {app.spec.description} {app.spec.sql}".lower()
