"""Who may do what with which app. See `core.apps.Apps`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

import msgspec
import pyarrow as pa

from penstock.core.access import Access, Action, Resource
from penstock.core.apps import (
    AppEvent,
    AppInfo,
    AppRecords,
    AppSpec,
    AppState,
    Imported,
    KeptApp,
    OutputKind,
    Verified,
)
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.errors import (
    Conflict,
    InvalidInput,
    InvalidQuery,
    NotFound,
    NotSupported,
    PenstockError,
)
from penstock.core.organisation import DEFAULT_SYSTEM, System
from penstock.core.people import Actor, Event
from penstock.core.queries import Meaning, Progress, Streams
from penstock.sql.apps.answers import answers
from penstock.sql.apps.app_text import parse_apps, print_apps
from penstock.sql.apps.checking import checked
from penstock.sql.apps.cycles import refuse_cycle, refuse_missing
from penstock.sql.apps.running import MakeSink, Running, query_of
from penstock.sql.apps.verifying import Verifier

#: Writes into the audit trail.
Note = Callable[[Actor, Event], None]


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
        self._streams = streams
        self._make_sink = make_sink
        self._verifier = verifier
        self._catalog = catalog
        self._delete = delete
        self._access = access
        self._clock = clock
        self._note = note
        self._max_apps = max_apps
        self._meanings: dict[tuple[int, int], Meaning | None] = {}
        self._changing = threading.Lock()

    def list(self, by: Actor, search: str = "", system: int | None = None) -> Sequence[AppInfo]:
        """Return those that `by` may see, by name."""
        words = search.lower().split()
        counts = self._records.count_derived()
        return [
            self._info(app, counts)
            for app in self._records.apps()
            if self._may(by, Action.READ, app.system)
            and (system is None or app.system == system)
            and all(word in _searched(app) for word in words)
        ]

    def get(self, by: Actor, app: int) -> AppInfo:
        """Return one."""
        return self._info(self._seen(by, app), self._records.count_derived())

    def add(self, by: Actor, spec: AppSpec) -> AppInfo:
        """Make one, stopped."""
        with self._changing:
            system = self._system(by, spec.system, Action.MANAGE)
            app, meaning = self._check(by, checked(spec), system)
            if len(self._records.apps()) >= self._max_apps:
                msg = (
                    f"there are {self._max_apps} apps, which is all there may be (`apps.max_apps`)"
                )
                raise Conflict(msg)
            made = self._records.add(app)
            self._meanings[made.id, made.version] = meaning
            self._running.tell(made.id, f"made by {made.by}")
            self._trail(by, "add", made, after={"sql": made.spec.sql})
        return self._info(made, {})

    def change(self, by: Actor, app: int, spec: AppSpec, version: int | None = None) -> AppInfo:
        """Replace what was said of one; a running one goes on with it from where it stands."""
        with self._changing:
            held = self._managed(by, app)
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
            system = self._access_system(held.system)
            after, meaning = self._check(by, wanted, system, held)
            changed = self._records.change(after)
            self._meanings[changed.id, changed.version] = meaning
            self._running.tell(app, f"changed by {changed.by} to version {changed.version}")
            self._trail(
                by, "change", changed, before={"sql": held.spec.sql}, after={"sql": wanted.sql}
            )
            if changed.state is AppState.STARTED:
                self._running.stop(app)
                self._running.start(changed)
        return self._info(changed, self._records.count_derived())

    def versions(self, by: Actor, app: int) -> Sequence[AppInfo]:
        """Return what was said of one over time, newest first."""
        self._seen(by, app)
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
            held = self._managed(by, app)
            self._running.forget(app)
            derived = self._records.derived(app)
            self._records.remove(app)
            if with_data:
                self._delete(derived)
            gone = {"datastreams": len(derived) if with_data else 0}
            self._trail(by, "remove", held, before={"sql": held.spec.sql, **gone})

    def log(self, by: Actor, app: int, limit: int = 100) -> Sequence[AppEvent]:
        """Return what happened to one, newest first."""
        self._seen(by, app)
        return self._records.log(app, limit)

    def datastreams(self, by: Actor, app: int) -> Sequence[int]:
        """Return the Datastreams that one derives, ascending."""
        self._seen(by, app)
        return self._records.derived(app)

    def explain(self, by: Actor, spec: AppSpec) -> Meaning:
        """Check a query and tell what is known of it, without keeping it."""
        return self._streams.explain(query_of(self._unkept(by, spec)))

    def backtest(
        self,
        by: Actor,
        spec: AppSpec,
        start_us: int,
        end_us: int,
        progress: Progress | None = None,
    ) -> Iterator[pa.Table]:
        """Compute the rows of a query over a range of event time, keeping nothing."""
        _check_range(start_us, end_us)
        query = query_of(self._unkept(by, spec))
        meaning = self._streams.explain(query)
        parts = self._streams.over(query, start_us, end_us, progress)
        return answers(parts, meaning)

    def verify(
        self, by: Actor, app: int, start_us: int, end_us: int, progress: Progress | None = None
    ) -> Verified:
        """Compare what is stored of one for a range with a new computation."""
        _check_range(start_us, end_us)
        held = self._seen(by, app)
        if held.spec.output.kind is not OutputKind.DATASTREAMS:
            msg = "the output of this app is a topic, which is not kept; use `backtest`"
            raise NotSupported(msg)
        query = query_of(held)
        meaning = self._streams.explain(query)
        parts = self._streams.over(query, start_us, end_us, progress)
        derived = self._records.derived(app)
        return self._verifier.compare(held, meaning, derived, parts, start_us, end_us)

    def write_out(self, by: Actor) -> str:
        """Return all that `by` may see as text."""
        return print_apps(app.spec for app in self.list(by))

    def read_in(self, by: Actor, text: str) -> Imported:
        """Make and change apps as a text says."""
        specs = parse_apps(text)
        if not specs:
            msg = "there is no app in the text; one begins with a line `-- app: NAME`"
            raise InvalidInput(msg)
        held = {(app.system, app.spec.name.lower()): app for app in self._records.apps()}
        plans: list[tuple[AppSpec, KeptApp | None]] = []
        for spec in specs:
            with _named(spec.name):
                system = self._system(by, spec.system, Action.MANAGE)
                known = held.get((system.id, spec.name.lower()))
                wanted = msgspec.structs.replace(checked(spec), system=system.name)
                if known is None or wanted != known.spec:
                    self._check(by, wanted, system, known, later=[one.name for one in specs])
                plans.append((wanted, known))
        added, changed, unchanged = [], [], []
        for wanted, known in _in_order(plans):
            with _named(wanted.name):
                if known is None:
                    self.add(by, wanted)
                    added.append(wanted.name)
                elif self.change(by, known.id, wanted).version == known.version:
                    unchanged.append(wanted.name)
                else:
                    changed.append(wanted.name)
        return Imported(added=added, changed=changed, unchanged=unchanged)

    # How

    def _set(self, by: Actor, app: int, state: AppState) -> AppInfo:
        with self._changing:
            held = self._managed(by, app)
            if held.state is not state:
                name = self._access().name(by.who)
                if state is AppState.STARTED:
                    self._running.start(held)
                else:
                    self._running.stop(app)
                held = self._records.set_state(app, state, name, self._clock.now_us())
                self._running.tell(app, f"{state} by {name}")
                self._trail(by, "start" if state is AppState.STARTED else "stop", held)
        return self._info(held, self._records.count_derived())

    def _check(
        self,
        by: Actor,
        spec: AppSpec,
        system: System,
        held: KeptApp | None = None,
        later: Iterable[str] = (),
    ) -> tuple[KeptApp, Meaning]:
        """Return an app as it may be kept, and what is known of its query.

        `later` are apps that the same text makes.
        """
        app = KeptApp(
            id=held.id if held else 0,
            system=system.id,
            spec=msgspec.structs.replace(spec, system=system.name),
            version=held.version if held else 1,
            state=held.state if held else AppState.STOPPED,
            by=self._access().name(by.who),
            changed_us=self._clock.now_us(),
        )
        meaning = self._streams.explain(query_of(app))
        there = [one for one in self._records.apps() if one.system == app.system]
        refuse_missing(meaning, {*later, *(one.spec.name for one in there)})
        self._make_sink(app, meaning)
        refuse_cycle(app, meaning, self._records.apps(), self._meaning, self._catalog)
        return app, meaning

    def _meaning(self, app: KeptApp) -> Meaning | None:
        """Return what is known of the query of an app, or None if it cannot be run any more."""
        key = (app.id, app.version)
        if key not in self._meanings:
            try:
                self._meanings[key] = self._streams.explain(query_of(app))
            except PenstockError:
                return None
        return self._meanings[key]

    def _info(self, app: KeptApp, counts: Mapping[int, int]) -> AppInfo:
        return AppInfo(
            id=app.id,
            spec=app.spec,
            version=app.version,
            state=app.state,
            run=self._running.status(app.id) if app.state is AppState.STARTED else None,
            meaning=self._meaning(app),
            by=app.by,
            changed_us=app.changed_us,
            datastreams=counts.get(app.id, 0),
        )

    def _seen(self, by: Actor, app: int) -> KeptApp:
        self._access().require(by.who, Action.VIEW, Resource("platform"))
        found = self._records.apps([app])
        if not found or not self._may(by, Action.READ, found[0].system):
            msg = f"there is no app with id {app}; `GET /api/v1/apps` lists them"
            raise NotFound(msg)
        return found[0]

    def _managed(self, by: Actor, app: int) -> KeptApp:
        held = self._seen(by, app)
        self._access().require(by.who, Action.MANAGE, Resource("system", held.system))
        return held

    def _unkept(self, by: Actor, spec: AppSpec) -> KeptApp:
        wanted = msgspec.structs.replace(spec, name=spec.name or "query")
        system = self._system(by, spec.system, Action.READ)
        return KeptApp(system=system.id, spec=checked(wanted), by="", changed_us=0)

    def _system(self, by: Actor, name: str, action: Action) -> System:
        """Return the system of a name that `by` may use so; without a name, the one they have."""
        access = self._access()
        access.require(by.who, Action.VIEW, Resource("platform"))
        systems = access.organisation.systems
        own = [s for s in systems if self._may(by, action, s.id)]
        if not name:
            for one in own:
                if one.id == DEFAULT_SYSTEM or len(own) == 1:
                    return one
            msg = "say which `system` the app is of; `GET /api/v1/systems` lists yours"
            raise InvalidInput(msg)
        for one in systems:
            if one.name.lower() == name.lower() and self._may(by, Action.VIEW, one.id):
                access.require(by.who, action, Resource("system", one.id))
                return one
        msg = f"there is no system {name!r} that you may see"
        raise NotFound(msg)

    def _access_system(self, id_: int) -> System:
        return next(one for one in self._access().organisation.systems if one.id == id_)

    def _may(self, by: Actor, action: Action, system: int) -> bool:
        return self._access().allows(by.who, action, Resource("system", system))

    def _trail(
        self,
        by: Actor,
        action: str,
        app: KeptApp,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        self._note(
            by,
            Event(
                action=action,
                kind="app",
                object_id=app.id,
                name=app.spec.name,
                company=self._access_system(app.system).company,
                system=app.system,
                before=before,
                after=after,
            ),
        )


class _named:  # noqa: N801 - reads as what it does
    """Says of which app an error is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InvalidQuery):
            raise InvalidInput(f"app {self._name!r}: {error}") from error
        if isinstance(error, (InvalidInput, Conflict, NotFound)):
            raise type(error)(f"app {self._name!r}: {error}") from error


def _in_order(
    plans: Sequence[tuple[AppSpec, KeptApp | None]],
) -> Sequence[tuple[AppSpec, KeptApp | None]]:
    """Return what is to be kept, with apps before those that read them."""
    waiting, ordered = list(plans), []
    while waiting:
        names = {spec.name.lower() for spec, _ in waiting}
        ready = [plan for plan in waiting if not _reads(plan[0], names)] or waiting[:1]
        ordered += ready
        waiting = [plan for plan in waiting if plan not in ready]
    return ordered


def _reads(spec: AppSpec, names: Container[str]) -> bool:
    found = re.findall(r"apps\s*\.\s*[\"'`]?([A-Za-z0-9_-]+)", spec.sql, re.IGNORECASE)
    return any(name.lower() in names and name.lower() != spec.name.lower() for name in found)


def _searched(app: KeptApp) -> str:
    return f"{app.spec.name} {app.spec.system} {app.spec.description} {app.spec.sql}".lower()


def _check_range(start_us: int, end_us: int) -> None:
    if start_us >= end_us:
        msg = f"the range from {start_us} to {end_us} is empty; the end comes behind the start"
        raise InvalidInput(msg)
