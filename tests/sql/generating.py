"""Generated data and queries, over all forms of the language, nested in each other."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from penstock.sql.plan import INPUT_COLUMNS, TABLES

SECOND = 1_000_000

_ARROW = {
    "TIMESTAMP": pa.timestamp("us"),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
}


@dataclass(frozen=True)
class Case:
    """A query and the data that it runs over."""

    sql: str
    reach_us: int
    rows: pa.Table
    tables: dict[str, pa.Table] = field(default_factory=dict)


def case(seed: int) -> Case:
    """Return the generated case of that number."""
    rng = random.Random(seed)
    return Case(query(rng), rng.choice([7, 20, 45]) * SECOND, rows(rng), catalog())


def rows(rng: random.Random) -> pa.Table:
    """Return observations of some datastreams: ties, clusters, gaps, nulls; each identity once."""
    base = rng.choice([0, 1_700_000_000, 951_782_390]) * SECOND - rng.choice([0, 37 * SECOND])
    made: dict[tuple[int, int, int], dict[str, object]] = {}
    time = base
    for _ in range(rng.randint(5, 90)):
        time += rng.choice([0, 0, 250_000, SECOND, SECOND, 3 * SECOND, 11 * SECOND]) + (
            rng.choice([0, 0, 0, 0, 60 * SECOND]) + rng.choice([0, 0, 0, 1])
        )
        number = rng.randrange(6)
        thing, prop = f"P.t{number % 3}", ("TMP", "HUM")[number // 3]
        feature = rng.choice([0, 0, 0, 1])
        made[number, time, feature] = {
            "time": time,
            "end_time": rng.choice([None, None, time + SECOND]),
            "result_time": rng.choice([None, time + 5]),
            "result": rng.choice([None, *(n * 0.25 for n in range(-8, 40))]),
            "text": rng.choice([None, "a", "b", '{"x": 1.5}']),
            "datastream": number + 1,
            "feature": feature,
            "parameters": rng.choice([None, '{"p": 2}']),
            "name": f"{thing}.{prop}",
            "thing": thing,
            "system": "main",
            "property": prop,
            "unit": "Cel" if prop == "TMP" else "%",
            "sensor": f"s{number}",
            "longitude": float(number),
            "latitude": float(number) / 2,
            "app": "mean" if number == 5 else "",
            "column": "v" if number == 5 else "",
        }
    columns = {
        name: pa.array([row[name] for row in made.values()], pa.int64()).cast(_ARROW[type_])
        if type_ == "TIMESTAMP"
        else pa.array([row[name] for row in made.values()], _ARROW[type_])
        for name, type_ in INPUT_COLUMNS.items()
    }
    return pa.table(columns)


def catalog() -> dict[str, pa.Table]:
    """Return tables of the catalog that fit to `rows`."""
    given: dict[str, list[dict[str, object]]] = {
        "things": [{"id": n, "name": f"P.t{n}", "system": "main", "longitude": 1.0 * n,
                    "latitude": 2.0 * n, "properties": "{}"} for n in range(3)],
        "datastreams": [{"id": n + 1, "name": f"P.t{n % 3}.{'TMP' if n < 3 else 'HUM'}",
                         "thing": f"P.t{n % 3}", "system": "main", "property": "x", "unit": "y",
                         "sensor": "z", "kind": "number", "properties": "{}"} for n in range(4)],
        "units": [{"symbol": "Cel", "name": "degree Celsius", "definition": "d"}],
        "locations": [{"thing": "P.t1", "longitude": 8.0, "latitude": 50.0, "height": None}],
    }  # fmt: skip
    return {
        name: pa.table(
            {
                column: pa.array([row.get(column) for row in given[name]], _ARROW[type_])
                for column, type_ in columns.items()
            }
        )
        for name, columns in TABLES.items()
    }


def query(rng: random.Random) -> str:
    """Return a query of the columns `time`, `k` (a key) and `v` (a number), up to three deep."""
    return _Queries(rng).any(rng.choice([0, 1, 1, 2, 2, 3]))


class _Queries:
    """Makes queries; each takes relations with the same three columns and gives such a one."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def any(self, depth: int) -> str:
        if depth == 0:
            return self.base()
        forms: list[Callable[[int], str]] = [
            self.rows, self.windows, self.windows, self.sessions, self.neighbours, self.ranges,
            self.counted, self.top, self.union, self.interval, self.as_of, self.on_windows,
            self.with_catalog, self.named, self.pairs,
        ]  # fmt: skip
        return self._rng.choice(forms)(depth - 1)

    def _pick(self, *choices: object) -> str:
        return str(self._rng.choice(choices))

    def _seconds(self, *choices: float) -> str:
        return f"INTERVAL '{self._rng.choice(choices)}' SECOND"

    def base(self) -> str:
        source = self._pick(
            "observations", "observations", '"P.*.TMP"', '"P.t0.*"', "apps.mean", '"P.t1.HUM"'
        )
        value = self._pick(
            "result", "result", "result * 2 + 1", "COALESCE(result, 0)", "ABS(result)",
            "CASE WHEN result > 3 THEN result ELSE -result END",
            "CAST(EXTRACT(SECOND FROM time) AS DOUBLE)", "ROUND(result, 1)",
            "JSON_VALUE(text, '$.x' RETURNING DOUBLE)", "CHAR_LENGTH(text)",
        )  # fmt: skip
        where = self._pick(
            "", "", " WHERE result > 1", " WHERE result IS NOT NULL AND thing <> 'P.t1'",
            " WHERE text LIKE 'a%' OR property = 'TMP'", " WHERE datastream IN (1, 2, 4)",
        )  # fmt: skip
        return f"SELECT time, thing AS k, {value} AS v FROM {source}{where}"

    def rows(self, depth: int) -> str:
        value = self._pick("v + 1", "v", "NULLIF(v, 2)", "v * v", "FLOOR(v)", "v / 2")
        where = self._pick("", " WHERE v > 0", " WHERE k <> 'P.t2'", " WHERE v IS NOT NULL")
        return f"SELECT time, k, {value} AS v FROM ({self.any(depth)}){where}"

    def _aggregate(self) -> str:
        return self._pick(
            "AVG(v)", "SUM(v)", "MIN(v)", "MAX(v)", "COUNT(*)", "COUNT(v)", "COUNT(DISTINCT v)",
            "FIRST_VALUE(v)", "LAST_VALUE(v)", "MEDIAN(v)", "PERCENTILE(v, 0.25)",
            "SUM(v) FILTER (WHERE v > 2)", "MAX(v) - MIN(v)", "AVG(v * 2)", "STDDEV_POP(v)",
            "CHAR_LENGTH(LISTAGG(k, ','))", "RMS(v)",
        )  # fmt: skip

    def _tvf(self, inner: str, *, with_offset: bool = True) -> str:
        data = f"({inner}), DESCRIPTOR(time)"
        form = self._rng.randrange(3)
        offset = f", {self._seconds(3, 1)}" if with_offset and self._rng.random() < 0.2 else ""
        if form == 0:
            call = f"TUMBLE({data}, {self._seconds(5, 10, 60, 0.5)}{offset})"
        elif form == 1:
            slide, size = self._rng.choice([(5, 10), (10, 60), (2, 7), (3, 9)])
            call = f"HOP({data}, INTERVAL '{slide}' SECOND, INTERVAL '{size}' SECOND{offset})"
        else:
            step, size = self._rng.choice([(5, 10), (10, 60), (2, 8)])
            call = f"CUMULATE({data}, INTERVAL '{step}' SECOND, INTERVAL '{size}' SECOND{offset})"
        return self._pick(f"TABLE({call})", call)

    def windows(self, depth: int) -> str:
        time = self._pick("window_end", "window_time", "window_start")
        having = self._pick("", "", " HAVING COUNT(*) > 1")
        aggregate = self._aggregate()
        return (
            f"SELECT {time} AS time, k, {aggregate} AS v FROM {self._tvf(self.any(depth))}"
            f" GROUP BY window_start, window_end, window_time, k{having}"
        )

    def sessions(self, depth: int) -> str:
        time = self._pick("window_end", "window_start", "window_time")
        call = f"SESSION(TABLE r PARTITION BY k, DESCRIPTOR(time), {self._seconds(1, 2)})"
        return (
            f"WITH r AS ({self.any(depth)}) SELECT {time} AS time, k, {self._aggregate()} AS v "
            f"FROM TABLE({call}) GROUP BY window_start, window_end, window_time, k"
        )

    def _partition(self) -> str:
        return self._pick("PARTITION BY k ", "PARTITION BY k ", "")

    def neighbours(self, depth: int) -> str:
        name = self._pick("LAG", "LEAD")
        args = self._pick("v", "v, 1", "v, 3", "v, 2, -1")
        window = f"{self._partition()}ORDER BY time"
        value = self._pick(f"{name}({args}) OVER ({window})", f"v - {name}(v) OVER ({window})")
        return f"SELECT time, k, {value} AS v FROM ({self.any(depth)})"

    def ranges(self, depth: int) -> str:
        frame = self._pick(
            f"{self._seconds(5, 30)} PRECEDING AND CURRENT ROW",
            f"{self._seconds(5, 1)} PRECEDING AND {self._seconds(2, 8)} FOLLOWING",
            f"CURRENT ROW AND {self._seconds(4)} FOLLOWING",
        )
        window = f"{self._partition()}ORDER BY time RANGE BETWEEN {frame}"
        aggregate = self._framed()
        if self._rng.random() < 0.5:
            return f"SELECT time, k, {aggregate} OVER ({window}) AS v FROM ({self.any(depth)})"
        inner = self.any(depth)
        return f"SELECT time, k, {aggregate} OVER w AS v FROM ({inner}) WINDOW w AS ({window})"

    def counted(self, depth: int) -> str:
        frame = self._pick(
            "2 PRECEDING AND CURRENT ROW", "5 PRECEDING AND 1 FOLLOWING",
            "CURRENT ROW AND 3 FOLLOWING", "1 PRECEDING AND 2 FOLLOWING",
        )  # fmt: skip
        window = f"{self._partition()}ORDER BY time ROWS BETWEEN {frame}"
        return f"SELECT time, k, {self._framed()} OVER ({window}) AS v FROM ({self.any(depth)})"

    def _framed(self) -> str:
        return self._pick(
            "AVG(v)", "SUM(v)", "MIN(v)", "MAX(v)", "COUNT(*)", "COUNT(v)", "FIRST_VALUE(v)",
            "LAST_VALUE(v)", "MEDIAN(v)",
        )  # fmt: skip

    def top(self, depth: int) -> str:
        rank = self._pick("ROW_NUMBER", "RANK", "DENSE_RANK")
        tvf = self._tvf(self.any(depth))
        by = self._pick("v DESC", "v", "k, v DESC")
        inner = (
            f"SELECT window_start, window_end, window_time, k, SUM(v) AS v FROM {tvf} "
            "GROUP BY window_start, window_end, window_time, k"
        )
        if self._rng.random() < 0.3:
            inner = f"SELECT window_start, window_end, window_time, k, v FROM {tvf}"
        return (
            f"SELECT window_time AS time, k, v FROM (SELECT *, {rank}() OVER (PARTITION BY "
            f"window_start, window_end ORDER BY {by}) AS place FROM ({inner})) WHERE place <= 2"
        )

    def union(self, depth: int) -> str:
        parts = [self.any(depth), self.any(max(depth - 1, 0))]
        if self._rng.random() < 0.2:
            parts.append(self.base())
        return " UNION ALL ".join(f"SELECT time, k, v FROM ({part})" for part in parts)

    def interval(self, depth: int) -> str:
        bound = self._pick(
            "a.time BETWEEN b.time - INTERVAL '5' SECOND AND b.time + INTERVAL '2' SECOND",
            "b.time >= a.time AND b.time < a.time + INTERVAL '6' SECOND",
            "a.time = b.time",
            "b.time BETWEEN a.time - INTERVAL '9' SECOND AND a.time - INTERVAL '1' SECOND",
            "b.time + INTERVAL '3' SECOND > a.time AND a.time >= b.time",
        )
        word = self._pick("JOIN", "JOIN", "LEFT JOIN")
        time = "b.time" if word == "JOIN" and self._rng.random() < 0.3 else "a.time"
        key = self._pick("a.k = b.k AND ", "a.k = b.k AND ", "")
        return (
            f"SELECT {time} AS time, a.k AS k, a.v - b.v AS v FROM ({self.any(depth)}) AS a "
            f"{word} ({self.any(max(depth - 1, 0))}) AS b ON {key}{bound}"
        )

    def as_of(self, depth: int) -> str:
        a, b = self.any(depth), self.any(max(depth - 1, 0))
        word = self._pick("", "LEFT ")
        time = self._pick("a.time", "b.time") if not word else "a.time"
        if self._rng.random() < 0.3:
            return (
                f"WITH b AS ({b}) SELECT a.time AS time, a.k AS k, b.v AS v FROM ({a}) AS a "
                f"{word}JOIN b FOR SYSTEM_TIME AS OF a.time ON a.k = b.k"
            )
        compare = self._pick(">=", ">", "<=", "<")
        return (
            f"SELECT {time} AS time, a.k AS k, a.v + b.v AS v FROM ({a}) AS a ASOF {word}JOIN "
            f"({b}) AS b ON a.k = b.k AND a.time {compare} b.time"
        )

    def on_windows(self, depth: int) -> str:
        a, b = self.any(depth), self.any(max(depth - 1, 0))
        size = self._seconds(5, 20)
        group = "GROUP BY window_start, window_end, window_time, k"
        word = self._pick("JOIN", "LEFT JOIN")

        def side(inner: str) -> str:
            call = f"TUMBLE(({inner}), DESCRIPTOR(time), {size})"
            return (
                f"(SELECT window_start, window_end, window_time, k, {self._aggregate()} AS v "
                f"FROM {call} {group})"
            )

        return (
            f"SELECT a.{self._pick('window_time', 'window_start', 'window_end')} AS time, a.k AS k,"
            f" a.v + b.v AS v FROM {side(a)} AS a {word} {side(b)} AS b ON"
            " a.window_start = b.window_start AND a.window_end = b.window_end AND a.k = b.k"
        )

    def with_catalog(self, depth: int) -> str:
        word = self._pick("JOIN", "LEFT JOIN")
        table = self._pick("things AS c ON c.name = a.k", "locations AS c ON c.thing = a.k")
        return (
            f"SELECT a.time AS time, a.k AS k, COALESCE(a.v, 0) + COALESCE(c.longitude, 100) AS v "
            f"FROM ({self.any(depth)}) AS a {word} {table}"
        )

    def named(self, depth: int) -> str:
        return (
            f"WITH one AS ({self.any(depth)}), two AS (SELECT time, k, v + 1 AS v FROM one) "
            "SELECT time, k, v FROM two UNION ALL SELECT time, k, v FROM one WHERE v > 2"
        )

    def pairs(self, depth: int) -> str:
        a, b = self.any(depth), self.any(max(depth - 1, 0))
        keys = self._pick(" PARTITION BY k", " PARTITION BY k", "")
        return (
            f"WITH a AS ({a}), b AS ({b}) SELECT time, left_k AS k, left_v - right_v AS v FROM "
            f"TABLE(SERIES_JOIN(TABLE a{keys}, TABLE b{keys}, {self._seconds(5, 2)}))"
        )


def times_of(table: pa.Table) -> list[int]:
    """Return the times of rows, microseconds."""
    return [int(us) for us in table["time"].cast(pa.int64()).to_pylist()]


_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 (DuckDB's TIMESTAMP has no zone)


def moment(us: int) -> dt.datetime:
    """Return a time as DuckDB takes it."""
    return _EPOCH + dt.timedelta(microseconds=us)


def us_of(moment: dt.datetime) -> int:
    """Return a time as DuckDB gives it in microseconds."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)
