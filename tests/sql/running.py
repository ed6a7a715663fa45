"""Running plans over tables in memory, as the engine does: whole, or in slices."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from tests.sql.generating import moment, times_of

from penstock.sql.functions import register
from penstock.sql.plan import INPUT_COLUMNS, Plan, Source

Rows = list[tuple[Any, ...]]

#: Before and behind all data that tests have.
FIRST, LAST = -(10**15), 4 * 10**15


def connect() -> duckdb.DuckDBPyConnection:
    """Return a connection with our functions."""
    connection = duckdb.connect(config={"threads": 1})
    register(connection)
    return connection


def matching(rows: pa.Table, source: Source) -> pa.Table:
    """Return the rows that a source means, if none of them is derived."""
    if source.app:
        return rows.filter(pc.equal(rows["app"], source.app))
    if not source.names:
        return rows
    patterns = [
        name.replace("%", r"\%").replace("_", r"\_").replace("*", "%") for name in source.names
    ]
    mask = pc.match_like(rows["name"], patterns[0])
    return rows.filter(mask)


def measured(rows: pa.Table, source: Source) -> pa.Table:
    """Return the rows that a source means: what apps derive only where it is named."""
    found = matching(rows, source)
    is_named = source.app or (source.names and "*" not in source.names[0])
    return found if is_named else found.filter(pc.equal(found["app"], ""))


def run(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    rows: pa.Table,
    tables: dict[str, pa.Table],
    start: int,
    end: int,
    matches: Callable[[pa.Table, Source], pa.Table] = matching,
) -> Rows:
    """Run a plan for one slice, over the inputs that it says it needs and no others."""
    low, high = start - plan.meaning.back_us, end + plan.meaning.ahead_us
    times = rows["time"].cast(pa.int64())
    near = rows.filter(pc.and_(pc.greater_equal(times, low), pc.less(times, high)))
    names = []
    for input_ in plan.inputs:
        assert set(input_.columns) <= set(INPUT_COLUMNS)
        # Whatever order rows come in, the answer is the same.
        order = list(range(len(near)))
        random.Random(start).shuffle(order)
        table = matches(near.take(pa.array(order, pa.int64())), input_.source).select(
            list(input_.columns)
        )
        connection.register(input_.relation, table)
        names.append(input_.relation)
    for name in plan.tables:
        connection.register(name, tables[name])
        names.append(name)
    try:
        parameters = {"start": moment(start), "end": moment(end)}
        return connection.execute(plan.sql, parameters).fetchall()
    finally:
        for name in names:
            connection.unregister(name)


def whole(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    rows: pa.Table,
    tables: dict[str, pa.Table],
    matches: Callable[[pa.Table, Source], pa.Table] = matching,
) -> Rows:
    """Run a plan once over everything."""
    return run(connection, plan, rows, tables, FIRST, LAST, matches)


def sliced(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan,
    rows: pa.Table,
    tables: dict[str, pa.Table],
    rng: random.Random,
) -> Rows:
    """Run a plan slice by slice, with boundaries anywhere on its grid."""
    meaning = plan.meaning
    times = times_of(rows)
    span = [min(times) - 2 * meaning.ahead_us, max(times) + 2 * meaning.back_us + 1]
    cuts = {rng.choice(times) + rng.choice([0, 1, -1, rng.randint(-(10**7), 10**7)])
            for _ in range(rng.randint(1, 5))}  # fmt: skip
    cuts |= {rng.randint(*span) for _ in range(rng.randint(0, 2))}
    grid, offset = meaning.grid_us, meaning.offset_us
    points = sorted({(cut - offset) // grid * grid + offset for cut in cuts})
    ends = [FIRST // grid * grid + offset, *points, LAST // grid * grid + offset]
    made: Rows = []
    for start, end in itertools.pairwise(ends):
        made += run(connection, plan, rows, tables, start, end)
    return made


def comparable(rows: Rows) -> Counter[tuple[Any, ...]]:
    """Return rows as what can be compared: numbers to ten digits."""
    return Counter(tuple(_plain(value) for value in row) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.9e}") + 0.0
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value


def repeated(rows: Rows, plan: Plan) -> list[tuple[Any, ...]]:
    """Return identities that more than one row has: time, series, row and keys."""
    keys = [4 + n for n, column in enumerate(plan.meaning.columns) if column.is_key]
    seen = Counter((row[0], row[2], row[3], *(row[k] for k in keys)) for row in rows)
    return [identity for identity, count in seen.items() if count > 1]
