"""Stream apps: queries with a name, an owner and a place for their answer, as they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from penstock.core.people import Actor
from penstock.core.queries import Meaning, RunStatus


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

        Raises:
            Conflict: It is not at that version any more, or the name is taken.
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
