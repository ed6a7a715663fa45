"""What the language makes of a query and the engine runs: SQL for DuckDB over bounded inputs."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.core.queries import Meaning

#: Columns that an input may have; `Input.columns` says which are wanted. Times are `TIMESTAMP`
#: (UTC, without a zone), `result` is the number (1 and 0 for true and false), `text` the text or
#: JSON result, `parameters` JSON text; the last ones come from the catalog, as it is now. `app`
#: and `column` say which app derived it and from which of its columns ("" for what was measured).
INPUT_COLUMNS = {
    "time": "TIMESTAMP",
    "end_time": "TIMESTAMP",
    "result_time": "TIMESTAMP",
    "result": "DOUBLE",
    "text": "VARCHAR",
    "datastream": "BIGINT",
    "feature": "BIGINT",
    "parameters": "VARCHAR",
    "name": "VARCHAR",
    "thing": "VARCHAR",
    "system": "VARCHAR",
    "property": "VARCHAR",
    "unit": "VARCHAR",
    "sensor": "VARCHAR",
    "longitude": "DOUBLE",
    "latitude": "DOUBLE",
    "app": "VARCHAR",
    "column": "VARCHAR",
}

#: Tables of the catalog, as it is now, and their columns.
TABLES = {
    "things": {
        "id": "BIGINT", "name": "VARCHAR", "system": "VARCHAR", "properties": "VARCHAR",
        "longitude": "DOUBLE", "latitude": "DOUBLE",
    },
    "datastreams": {
        "id": "BIGINT", "name": "VARCHAR", "thing": "VARCHAR", "system": "VARCHAR",
        "property": "VARCHAR", "unit": "VARCHAR", "sensor": "VARCHAR", "kind": "VARCHAR",
        "properties": "VARCHAR",
    },
    "units": {"symbol": "VARCHAR", "name": "VARCHAR", "definition": "VARCHAR"},
    "locations": {
        "thing": "VARCHAR", "longitude": "DOUBLE", "latitude": "DOUBLE", "height": "DOUBLE",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Which observations are meant, within what the query's system may read.

    Attributes:
        names: Full names of datastreams, `*` standing for any characters; empty means all.
        app: Name of the app whose output it is, or "".
    """

    names: tuple[str, ...] = ()
    app: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """A relation that `Plan.sql` reads.

    Attributes:
        relation: Its name in the SQL.
        source: Which observations it holds; each observation once, in any order.
        columns: Which of `INPUT_COLUMNS` are read, in order.
        start_us: Rows before this time change nothing of the answer; None when they may.
        end_us: Rows from this time on change nothing; None when they may.
    """

    relation: str
    source: Source
    columns: tuple[str, ...]
    start_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A query, ready to run.

    Attributes:
        sql: For DuckDB. Reads `inputs` and `tables` by name, and the parameters `$start` and
            `$end` (`TIMESTAMP`). When its inputs hold all observations with times in
            `[start - back_us, end + ahead_us)`, for `start` and `end` on the grid, the answer is
            the whole answer for event times in `[start, end)`. Columns: `__time`, `__end`,
            `__series`, `__row`, then those of `meaning.columns`; rows in no particular order.
        inputs: What it reads of observations.
        tables: Which of `TABLES` it reads.
        meaning: Columns, and how far it reaches.
        staged: How the answer follows from pieces of windows that are made one by one; None when
            it does not.
    """

    sql: str
    inputs: tuple[Input, ...]
    tables: tuple[str, ...]
    meaning: Meaning
    staged: Staged | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """A plan in two steps, which amounts to the same as in one.

    Attributes:
        pieces: Makes pieces of windows: for `start` and `end` on the grid of its meaning those
            that begin in `[start, end)`; `__piece` says where, its other columns are its own.
        relation: What `sql` calls the pieces.
        sql: Gives the answer of the plan for event times in `[$start, $end)`, from all pieces that
            begin in `[start - back, end + ahead)`, and others or not. `back` and `ahead` are by
            how much the plan reaches further than `pieces`.
    """

    pieces: Plan
    relation: str
    sql: str
