"""Small data and checks that the attacks share."""

from __future__ import annotations

import os
import random
from typing import Any

import pyarrow as pa
from tests.sql.generating import _ARROW, SECOND, case, catalog
from tests.sql.running import Rows, comparable, connect, repeated, sliced, whole

from penstock.core.errors import InvalidQuery
from penstock.sql.language import compile_query
from penstock.sql.plan import INPUT_COLUMNS, Plan

#: Ways to cut the same rows into slices; `make oracle` tries more.
SEEDS = 4 if "PENSTOCK_ORACLE" in os.environ else 2

TUMBLE = "TABLE(TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '10' SECOND))"
BASE = "(SELECT time, thing AS k, result AS v FROM observations)"
GROUPED = (
    f"SELECT window_start, window_end, thing AS k, SUM(result) AS v FROM {TUMBLE} "
    "GROUP BY window_start, window_end, thing"
)


def tumbled(source: str, seconds: int, offset: int = 0, time: str = "window_start") -> str:
    """Return a sum in windows over a query of `time`, `k`, `v`."""
    return (
        f"SELECT {time} AS time, k, SUM(v) AS v FROM TABLE(TUMBLE({source}, DESCRIPTOR(time), "
        f"INTERVAL '{seconds}' SECOND, INTERVAL '{offset}' SECOND)) "
        "GROUP BY window_start, window_end, window_time, k"
    )


def observations(*given: dict[str, Any]) -> pa.Table:
    """Return observations; times are in seconds, what is not given has one value for all."""
    fixed = {"datastream": 1, "feature": 0, "name": "P.t0.TMP", "thing": "t0", "system": "main",
             "property": "TMP", "unit": "Cel", "sensor": "s", "app": "", "column": ""}  # fmt: skip
    rows = [dict.fromkeys(INPUT_COLUMNS) | fixed | row | {"time": int(row["time"] * SECOND)}
            for row in given]  # fmt: skip
    return pa.table({
        name: pa.array([row[name] for row in rows], pa.int64()).cast(_ARROW[type_])
        if type_ == "TIMESTAMP" else pa.array([row[name] for row in rows], _ARROW[type_])
        for name, type_ in INPUT_COLUMNS.items()
    })  # fmt: skip


def plan_of(sql: str, reach: float = 20) -> Plan:
    """Return the plan of a query."""
    return compile_query(sql, reach_us=int(reach * SECOND))


def answer(sql: str, rows: pa.Table, reach: float = 20) -> Rows:
    """Return the columns of a query, of one run over all."""
    return [row[4:] for row in whole(connect(), plan_of(sql, reach), rows, catalog())]


def holds(sql: str, *tables: pa.Table, seeds: int = SEEDS, cases: int = 25) -> None:
    """Fail if slices give another answer than one run, or rows share an identity."""
    plan, connection = plan_of(sql), connect()
    for rows in tables or [case(number).rows for number in range(cases)]:
        made = whole(connection, plan, rows, catalog())
        assert not repeated(made, plan), "rows share an identity"
        for seed in range(seeds):
            parts = sliced(connection, plan, rows, catalog(), random.Random(seed))
            assert comparable(parts) == comparable(made), "slices differ from one run"


def refused_or_right(sql: str, rows: pa.Table, right: list[tuple[Any, ...]]) -> None:
    """Fail if a query is taken and its answer is another one."""
    try:
        made = answer(sql, rows)
    except InvalidQuery:
        return
    assert sorted(made, key=repr) == sorted(right, key=repr)


def refused_or_runs(sql: str, rows: pa.Table | None = None) -> None:
    """Fail if a query is taken and stops when it runs."""
    try:
        plan = plan_of(sql)
    except InvalidQuery:
        return
    whole(connect(), plan, case(1).rows if rows is None else rows, catalog())
