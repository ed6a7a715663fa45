"""Stream apps: queries with a name, an owner and a place for their answer, as they are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec
import pyarrow as pa

from penstock.core.people import Actor
from penstock.core.queries import Meaning, Progress, RunStatus


class OutputKind(StrEnum):
    """Where the answer of an app goes."""

    #: Derived Datastreams, one for each series and value column.
    DATASTREAMS = "datastreams"
    #: An MQTT topic, a JSON object for each row; at least once.
    TOPIC = "topic"


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """Where the answer of an app goes.

    Attributes:
        kind: See there.
        topic: With `{column}` for values of the row, for kind `topic`.
        thing: Name of the Thing of derived Datastreams, with `{column}`; the column `thing`, or
            the app's own name, when empty.
        units: Symbols of units of measurement by value column, where the query does not tell.
        properties: Names of observed properties by value column, where they differ from it.
    """

    kind: OutputKind = OutputKind.DATASTREAMS
    topic: str = ""
    thing: str = ""
    units: dict[str, str] = {}
    properties: dict[str, str] = {}


class AppSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says of an app. In a file: a header of `-- key: value` lines, and the SQL.

    Attributes:
        name: Unique among the apps of its system; 1 to 63 letters, digits, `-` and `_`.
        system: Name of the system that owns it, its outputs, and whose data it may read.
        sql: One `SELECT`.
        output: Where the answer goes.
        lateness_s: See `core.queries.Query`, as for the next two.
        idle_s: See there.
        reach_s: See there.
        start: `now`, `beginning`, or an ISO 8601 time: where it begins when it is first started.
        description: For people.
    """

    name: str
    sql: str
    system: str = ""
    output: Output = Output()
    lateness_s: float = 2.0
    idle_s: float = 30.0
    reach_s: float = 3600.0
    start: str = "now"
    description: str = ""


class AppState(StrEnum):
    """What is wanted of an app; how it fares is in `RunStatus`."""

    STOPPED = "stopped"
    STARTED = "started"


class AppInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An app as lists and pages show it.

    Attributes:
        id: Unique, positive, never used again.
        spec: What somebody said of it.
        version: From 1, one more with every change of what it computes.
        state: What is wanted.
        run: How it fares; None while it does not run.
        meaning: What is known of its query.
        by: Who changed it last.
        changed_us: When, microseconds UTC.
        datastreams: How many Datastreams it has derived so far.
    """

    id: int
    spec: AppSpec
    version: int
    state: AppState
    run: RunStatus | None
    meaning: Meaning | None
    by: str
    changed_us: int
    datastreams: int = 0


class AppEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an app's log."""

    time_us: int
    level: str
    message: str


class KeptApp(msgspec.Struct, frozen=True, kw_only=True):
    """An app as it is kept: what somebody said of it, and what is wanted of it.

    Attributes:
        id: Unique, positive, never used again; 0 before it is kept.
        system: Id of its system; `spec.system` is its name then.
        spec: See `AppInfo`, as for the others.
        version: See there.
        state: See there.
        by: See there.
        changed_us: See there.
    """

    id: int = 0
    system: int
    spec: AppSpec
    version: int = 1
    state: AppState = AppState.STOPPED
    by: str
    changed_us: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A value that is stored otherwise than computed anew; None is a row that is not there."""

    datastream: str
    time_us: int
    stored: float | str | None
    computed: float | str | None


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of an app for a range, compared with a new computation.

    Attributes:
        start_us: Begin of the range that was compared, inclusive.
        end_us: End of it, exclusive.
        rows: Values computed.
        same: Of these, stored exactly so.
        different: Stored otherwise, not stored, or stored and not computed.
        examples: Some of those, by time.
    """

    start_us: int
    end_us: int
    rows: int
    same: int
    different: int
    examples: Sequence[Difference] = ()


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, by name of app.

    Attributes:
        added: Made.
        changed: Of another version now.
        unchanged: Said as they are.
        started: Started, because the text says so and that was asked for.
    """

    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    unchanged: Sequence[str] = ()
    started: Sequence[str] = ()


class AppRecords(Protocol):
    """Keeps apps. Safe to call from any thread; durable when a method returns."""

    def apps(self, ids: Sequence[int] | None = None) -> Sequence[KeptApp]:
        """Return apps by name; None is all."""
        ...

    def add(self, app: KeptApp) -> KeptApp:
        """Keep a new one and return it with its id.

        Raises:
            Conflict: Its system has one of that name.
        """
        ...

    def change(self, app: KeptApp) -> KeptApp:
        """Replace one by its next version, `app.version + 1`, and return it.

        Raises:
            NotFound: There is none of that id.
            Conflict: It is not at `app.version` any more.
        """
        ...

    def put(self, apps: Sequence[KeptApp]) -> Sequence[KeptApp]:
        """Keep new ones (of id 0) and replace others by their next versions: all, or none.

        Raises:
            NotFound: There is none of an id.
            Conflict: A name is taken, or one is not at that version any more.
        """
        ...

    def set_state(self, app: int, state: AppState, by: str, now_us: int) -> KeptApp:
        """Keep what is wanted of one.

        Raises:
            NotFound: There is none of that id.
        """
        ...

    def versions(self, app: int) -> Sequence[KeptApp]:
        """Return what was said of one over time, newest first."""
        ...

    def remove(self, app: int) -> None:
        """Forget one, its versions and its log; its id is not used again."""
        ...

    def write(self, app: int, events: Sequence[AppEvent], keep: int) -> None:
        """Write lines into the log of one, of which the newest `keep` stay."""
        ...

    def log(self, app: int, limit: int) -> Sequence[AppEvent]:
        """Return lines of a log, newest first."""
        ...

    def derived(self, app: int) -> Sequence[int]:
        """Return the Datastreams that an app derives and that still exist, ascending."""
        ...

    def count_derived(self) -> Mapping[int, int]:
        """Return how many Datastreams each app derives."""
        ...


class Apps(Protocol):
    """The stream apps. Safe to call from any thread; `by` needs MANAGE on the app's system.

    What one may not see does not exist: `NotFound`.
    """

    def list(self, by: Actor, search: str = "", system: int | None = None) -> Sequence[AppInfo]:
        """Return those that `by` may see, by name."""
        ...

    def get(self, by: Actor, app: int) -> AppInfo:
        """Return one."""
        ...

    def add(self, by: Actor, spec: AppSpec) -> AppInfo:
        """Make one, stopped.

        Raises:
            InvalidQuery: Its query cannot be run.
            InvalidInput: Something else of it cannot be kept.
            Conflict: The name is taken.
        """
        ...

    def change(self, by: Actor, app: int, spec: AppSpec, version: int | None = None) -> AppInfo:
        """Replace what was said of one; a running one goes on with it from where it stands.

        Its name and its system stay what they are: others read it by them.

        Raises:
            InvalidInput: It has another name or system, or cannot be kept.
            InvalidQuery: Its query cannot be run.
            Conflict: It is not at that version any more.
        """
        ...

    def versions(self, by: Actor, app: int) -> Sequence[AppInfo]:
        """Return what was said of one over time, newest first."""
        ...

    def start(self, by: Actor, app: int) -> AppInfo:
        """Start one; does nothing if it is started."""
        ...

    def stop(self, by: Actor, app: int) -> AppInfo:
        """Stop one; does nothing if it is stopped."""
        ...

    def remove(self, by: Actor, app: int, *, with_data: bool) -> None:
        """Delete one; its derived Datastreams stay unless `with_data`."""
        ...

    def log(self, by: Actor, app: int, limit: int = 100) -> Sequence[AppEvent]:
        """Return what happened to one, newest first."""
        ...

    def datastreams(self, by: Actor, app: int) -> Sequence[int]:
        """Return the Datastreams that one derives, ascending."""
        ...

    def explain(self, by: Actor, spec: AppSpec) -> Meaning:
        """Check a query and tell what is known of it, without keeping it.

        Raises:
            InvalidQuery: It cannot be run.
        """
        ...

    def translate(self, by: Actor, text: str) -> str:
        """Return a filter of the digital twin stack as a `SELECT` that does the same.

        Raises:
            InvalidQuery: It is no such filter; the message says what is allowed.
        """
        ...

    def backtest(
        self,
        by: Actor,
        spec: AppSpec,
        start_us: int,
        end_us: int,
        progress: Progress | None = None,
    ) -> Iterator[pa.Table]:
        """Compute the rows of a query over a range of event time, keeping nothing.

        Columns are `__time` and `__end`, then those of the query.

        Raises:
            InvalidQuery: It cannot be run.
            InvalidInput: The range is empty.
        """
        ...

    def verify(
        self, by: Actor, app: int, start_us: int, end_us: int, progress: Progress | None = None
    ) -> Verified:
        """Compare what is stored of one for a range with a new computation.

        Of the range only what the app was to answer is compared, as it is now: from when it began,
        or was changed, to where it is complete; the result says which range that was.

        Raises:
            NotSupported: Its output is not kept.
            Conflict: It has not run yet.
        """
        ...

    def write_out(self, by: Actor) -> str:
        """Return all that `by` may see as text."""
        ...

    def read_in(self, by: Actor, text: str, *, start: bool = False) -> Imported:
        """Make and change apps as a text says: all of them, or none.

        With `start`, those are started that the text says are started.

        Raises:
            InvalidInput: The text or something in it cannot be kept; it says where.
        """
        ...
