"""Stream queries: what one may ask to be computed, live and on history, and who takes the answer.

A query is a `SELECT` over observations. Its meaning is the answer of one run over all data: what
comes live, in slices of event time, in whatever order and however often it is interrupted, ends
as exactly that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.organisation import DEFAULT_SYSTEM

#: Names of the columns that come before those of the query in every answer.
#:
#: - `__time`: event time, microseconds UTC; what slices are cut by.
#: - `__end`: end of the interval that the row is about, or null.
#: - `__series`: the datastream that a row of a row-by-row query comes from; 0 for others.
#: - `__row`: tells rows of one time, series and key apart; 0 where there can be one only.
TIME, END, SERIES, ROW = "__time", "__end", "__series", "__row"

#: Ids under which queries are started: apps have their own id, alarm rules theirs plus this.
ALARM_IDS_FROM = 1_000_000_000


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be computed, and how patiently.

    Attributes:
        sql: One `SELECT` of the language in `docs/reference/sql.md`.
        system: The system that it is computed for: it sees what that system may read.
        lateness_s: How long after the newest event time of a source results wait for stragglers.
            What comes later repairs the results that it touches.
        idle_s: A source that sends nothing for so long follows the clock.
        reach_s: How far from a row `LAG`, `LEAD`, row frames and as-of joins look for others, and
            how long a session may last.
    """

    sql: str
    system: int = DEFAULT_SYSTEM
    lateness_s: float = 2.0
    idle_s: float = 30.0
    reach_s: float = 3600.0


class ColumnKind(StrEnum):
    """What values an output column has."""

    NUMBER = "number"
    TRUTH = "truth"
    TEXT = "text"
    JSON = "json"
    TIME = "time"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a query's answer.

    Attributes:
        name: Its name, unique in the answer whatever the case.
        kind: What values it has.
        is_key: Whether it tells series apart (a `GROUP BY` column); the others are values.
        unit: Symbol of the unit of measurement that its values keep from a column of the source
            ("unit of each source row" is decided when it runs), or None when it has none.
    """

    name: str
    kind: ColumnKind
    is_key: bool = False
    unit: str | None = None


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a query before it runs.

    Attributes:
        columns: Of the answer, without those before them.
        sources: What it reads, for people: names, patterns, apps, `observations`.
        is_rowwise: Every row is answered on its own, at once, without waiting for a slice.
        back_us: How far before a row's time its inputs reach.
        ahead_us: How far behind the end of a slice of `grid_us` its inputs reach.
        grid_us: Slices begin and end at multiples of this, from `offset_us` after the epoch; 1
            when it does not matter.
    """

    columns: Sequence[Column]
    sources: Sequence[str]
    is_rowwise: bool
    back_us: int
    ahead_us: int
    grid_us: int = 1
    offset_us: int = 0


class Sink(Protocol):
    """Takes the answer of a query that runs. Called by the engine's thread, one call at a time."""

    def put(self, rows: pa.Table, start_us: int | None, end_us: int | None) -> None:
        """Take rows, ordered by time.

        With a range, they are the whole answer for event times in it, `start_us` inclusive and
        `end_us` exclusive, and replace what was put for it before; the same range may come
        again, after a crash or for late data. Without one (row-by-row queries), they are added.

        Raises:
            PenstockError: It could not be kept; the engine tries again, and says so.
        """
        ...


class RunState(StrEnum):
    """How a query that was started fares."""

    #: It works through history, and goes on live from there.
    CATCHING_UP = "catching up"
    RUNNING = "running"
    #: It failed and is tried again.
    FAILING = "failing"
    #: It cannot go on until somebody changes it.
    FAILED = "failed"


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a query that was started fares, in numbers since it was started.

    Attributes:
        state: See there.
        done_us: Event time before which the answer is complete, as far as rows have come; None
            before the first slice.
        watermark_us: Event time up to which its sources are believed to have sent everything.
        rows_in: Rows read.
        rows_out: Rows answered.
        late_rows: Rows that came behind the watermark.
        repairs: Ranges that were computed again for them.
        too_late: Ranges that late rows touched when inputs beside them had expired: not computed
            again.
        busy_s: Seconds of computing.
        message: What is wrong and what to do, or "".
    """

    state: RunState
    done_us: int | None = None
    watermark_us: int | None = None
    rows_in: int = 0
    rows_out: int = 0
    late_rows: int = 0
    repairs: int = 0
    too_late: int = 0
    busy_s: float = 0.0
    message: str = ""


#: Told between parts of long work: the share done, 0 to 1. Raises to give up.
Progress = Callable[[float], None]


class Streams(Protocol):
    """Runs queries, live and on history. Safe to call from any thread."""

    def explain(self, query: Query) -> Meaning:
        """Check a query and tell what is known of it.

        Raises:
            InvalidQuery: It cannot be run; line, column and what to do instead are in it.
        """
        ...

    def start(self, id_: int, query: Query, sink: Sink, start_us: int | None) -> None:
        """Run a query from now on, until `stop`; returns at once.

        Where a query with this id stood before, it goes on there, and what came for earlier
        times meanwhile repairs; otherwise it begins at `start_us`, or at the present when None.

        Raises:
            InvalidQuery: It cannot be run.
            Conflict: A query with this id runs.
        """
        ...

    def stop(self, id_: int) -> None:
        """Stop a query after the slice at hand. Does nothing if it does not run."""
        ...

    def forget(self, id_: int) -> None:
        """Stop a query and forget where it stood."""
        ...

    def status(self, id_: int) -> RunStatus | None:
        """Return how a query fares, or None when it does not run."""
        ...

    def answered(self, id_: int) -> tuple[int, int] | None:
        """Return the event times that a query, as it is now, has answered; None if none.

        From where it began, or was when it was last changed, to where its answer is complete, as
        far as rows have come; `end_us` is exclusive.
        """
        ...

    def over(
        self, query: Query, start_us: int, end_us: int, progress: Progress | None = None
    ) -> Iterator[pa.Table]:
        """Compute the answer for a range of event time from what is stored, in order, in parts.

        It equals what a live run has put for that range once all its inputs are there.

        Raises:
            InvalidQuery: It cannot be run.
            TooMuch: A part would take more memory than allowed.
        """
        ...


class Adhoc(Protocol):
    """Answers questions in SQL about what is stored."""

    def ask(self, sql: str, scope: Scope, *, max_rows: int, timeout_s: float) -> pa.Table:
        """Answer one `SELECT`, from what is in `scope`.

        Raises:
            InvalidQuery: It is not allowed or cannot be understood.
            TooMuch: It takes longer, more memory or gives more rows than allowed.
        """
        ...
