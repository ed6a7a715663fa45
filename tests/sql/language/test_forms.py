"""Each form means what it says: beside plain Python, or SQL that somebody wrote by hand."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import duckdb
import pytest
from tests.sql.generating import SECOND, catalog, moment, rows
from tests.sql.running import connect, run, sliced, whole

from penstock.core.errors import InvalidQuery
from penstock.sql.language import compile_query

REACH = 20 * SECOND
SEEDS = range(25)
Row = dict[str, Any]


def answers(sql: str, seed: int) -> tuple[Counter[Any], list[Row]]:
    """Return the visible answer of a query, whole and in slices alike, and its input."""
    data = rows(random.Random(seed))
    plan = compile_query(sql, reach_us=REACH, apps={"mean"})
    connection = connect()
    made = whole(connection, plan, data, catalog())
    parts = sliced(connection, plan, data, catalog(), random.Random(seed + 1))
    assert rounded(made) == rounded(parts)
    given = data.to_pylist()
    for row in given:
        row["us"] = int((row["time"] - moment(0)).total_seconds() * SECOND + 0.5)
    exact = data["time"].cast("int64").to_pylist()
    for row, us in zip(given, exact, strict=True):
        row["us"] = us
    given.sort(key=lambda row: (row["us"], row["datastream"], row["feature"]))
    return rounded([row[4:] for row in made]), given


def rounded(made: Iterable[Iterable[Any]]) -> Counter[Any]:
    return Counter(
        tuple(round(v, 9) + 0.0 if isinstance(v, float) else v for v in row) for row in made
    )


def grouped(given: list[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups = defaultdict(list)
    for row in given:
        groups[key(row)].append(row)
    return groups


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


@pytest.mark.parametrize("seed", SEEDS)
def test_filters_and_expressions(seed: int) -> None:
    got, given = answers(
        "SELECT time, result * 2 AS r, UPPER(thing) AS t FROM observations WHERE result >= 2", seed
    )
    assert got == rounded(
        (r["time"], r["result"] * 2, r["thing"].upper())
        for r in given
        if r["result"] is not None and r["result"] >= 2
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_tumble(seed: int) -> None:
    got, given = answers(
        "SELECT window_start, thing, AVG(result) AS r, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE"
        " observations, DESCRIPTOR(time), INTERVAL '10' SECOND)) GROUP BY window_start,"
        " window_end, thing HAVING COUNT(*) > 1",
        seed,
    )
    groups = grouped(given, lambda r: (r["us"] // (10 * SECOND), r["thing"]))
    assert got == rounded(
        (moment(at * 10 * SECOND), thing, mean(r["result"] for r in some), len(some))
        for (at, thing), some in groups.items()
        if len(some) > 1
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("step", "size"), [(5, 10), (2, 7)])
def test_hop(seed: int, step: int, size: int) -> None:
    got, given = answers(
        f"SELECT window_start, window_end, MAX(result) AS r FROM HOP(TABLE observations,"
        f" DESCRIPTOR(time), INTERVAL '{step}' SECOND, INTERVAL '{size}' SECOND)"
        " GROUP BY window_start, window_end",
        seed,
    )
    step, size = step * SECOND, size * SECOND
    windows = defaultdict(list)
    for row in given:
        start = row["us"] // step * step
        while start + size > row["us"]:
            windows[start].append(row["result"])
            start -= step
    assert got == rounded(
        (moment(at), moment(at + size), max((v for v in some if v is not None), default=None))
        for at, some in windows.items()
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_cumulate(seed: int) -> None:
    got, given = answers(
        "SELECT window_start, window_end, COUNT(*) AS n FROM CUMULATE(TABLE observations,"
        " DESCRIPTOR(time), INTERVAL '5' SECOND, INTERVAL '20' SECOND)"
        " GROUP BY window_start, window_end",
        seed,
    )
    counts: Counter[tuple[int, int]] = Counter()
    for row in given:
        start = row["us"] // (20 * SECOND) * 20 * SECOND
        for end in range(start + 5 * SECOND, start + 21 * SECOND, 5 * SECOND):
            counts[start, end] += row["us"] < end
    assert got == rounded((moment(s), moment(e), n) for (s, e), n in counts.items() if n)


@pytest.mark.parametrize("seed", SEEDS)
def test_sessions(seed: int) -> None:
    sql = (
        "SELECT window_start, window_end, thing, COUNT(*) AS n FROM TABLE(SESSION(TABLE"
        " observations PARTITION BY thing, DESCRIPTOR(time), INTERVAL '2' SECOND))"
        " GROUP BY window_start, window_end, thing"
    )
    gap = 2 * SECOND
    data = rows(random.Random(seed))
    sessions = []
    times = zip(data["thing"].to_pylist(), data["time"].cast("int64").to_pylist(), strict=True)
    for thing, time in sorted(times):
        if sessions and sessions[-1][0] == thing and time - sessions[-1][2] <= gap:
            sessions[-1][2:] = [time, sessions[-1][3] + 1]
        else:
            sessions.append([thing, time, time, 1])
    if any(last + gap - first > REACH for _, first, last, _ in sessions):
        with pytest.raises(duckdb.Error, match="a session lasts longer than the reach"):
            answers(sql, seed)
        return
    got, _ = answers(sql, seed)
    assert got == rounded(
        (moment(first), moment(last + gap), thing, n) for thing, first, last, n in sessions
    )


def test_a_session_that_is_too_long_fails_in_the_slice_in_which_it_begins() -> None:
    data = rows(random.Random(3))
    table = data.slice(0, 1).to_pylist()[0]
    many = [table | {"time": moment(n * SECOND)} for n in range(60)]
    long = type(data).from_pylist(many, schema=data.schema)
    plan = compile_query(
        "SELECT window_start, COUNT(*) AS n FROM SESSION(TABLE observations, DESCRIPTOR(time),"
        " INTERVAL '2' SECOND) GROUP BY window_start, window_end",
        reach_us=REACH,
    )
    with pytest.raises(duckdb.Error, match="lasts longer than the reach"):
        run(connect(), plan, long, {}, -SECOND, SECOND)
    assert run(connect(), plan, long, {}, 30 * SECOND, 40 * SECOND) == []


def neighbour(given: list[Row], key: str, step: int) -> Iterable[tuple[Row, Row | None]]:
    """Return each row with the one so many before it of the same key, within the reach."""
    for some in grouped(given, lambda r: r[key]).values():
        for number, row in enumerate(some):
            at = number - step
            other = some[at] if 0 <= at < len(some) else None
            is_near = other is not None and abs(row["us"] - other["us"]) <= REACH
            yield row, other if is_near else None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("name", "step"), [("LAG", 1), ("LAG", 2), ("LEAD", 1)])
def test_lag_and_lead_look_as_far_as_the_reach(seed: int, name: str, step: int) -> None:
    got, given = answers(
        f"SELECT time, {name}(result, {step}) OVER (PARTITION BY thing ORDER BY time) AS r"
        " FROM observations",
        seed,
    )
    sign = 1 if name == "LAG" else -1
    assert got == rounded(
        (row["time"], other["result"] if other else None)
        for row, other in neighbour(given, "thing", sign * step)
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_frames_over_time(seed: int) -> None:
    got, given = answers(
        "SELECT time, COUNT(result) OVER (PARTITION BY thing ORDER BY time RANGE BETWEEN INTERVAL"
        " '5' SECOND PRECEDING AND INTERVAL '1' SECOND FOLLOWING) AS n FROM observations",
        seed,
    )
    assert got == rounded(
        (row["time"], sum(
            other["result"] is not None and other["thing"] == row["thing"]
            and -5 * SECOND <= other["us"] - row["us"] <= SECOND for other in given
        )) for row in given
    )  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_frames_of_rows_end_at_the_reach(seed: int) -> None:
    got, given = answers(
        "SELECT time, AVG(result) OVER (PARTITION BY thing ORDER BY time ROWS BETWEEN 3 PRECEDING"
        " AND CURRENT ROW) AS r FROM observations",
        seed,
    )
    expected = []
    for some in grouped(given, lambda r: r["thing"]).values():
        for number, row in enumerate(some):
            frame = some[max(number - 3, 0) : number + 1]
            near = [r["result"] for r in frame if row["us"] - r["us"] <= REACH]
            expected.append((row["time"], mean(near)))
    assert got == rounded(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_interval_joins(seed: int) -> None:
    got, given = answers(
        'SELECT a.time, a.result AS x, b.result AS y FROM "P.*.TMP" AS a LEFT JOIN "P.*.HUM" AS b'
        " ON a.thing = b.thing AND b.time BETWEEN a.time - INTERVAL '3' SECOND AND a.time",
        seed,
    )
    expected = []
    for a in (r for r in given if r["property"] == "TMP"):
        partners = [
            b for b in given
            if b["property"] == "HUM" and b["thing"] == a["thing"]
            and 0 <= a["us"] - b["us"] <= 3 * SECOND
        ]  # fmt: skip
        expected += [(a["time"], a["result"], b["result"]) for b in partners] or [
            (a["time"], a["result"], None)
        ]
    assert got == rounded(expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("form", ["asof", "flink"])
def test_as_of_joins(seed: int, form: str) -> None:
    condition = (
        'ASOF LEFT JOIN "P.*.HUM" AS b ON a.thing = b.thing AND a.time >= b.time'
        if form == "asof"
        else 'LEFT JOIN "P.*.HUM" FOR SYSTEM_TIME AS OF a.time AS b ON a.thing = b.thing'
    )
    got, given = answers(
        f'SELECT a.time, a.result AS x, b.time AS t, b.result AS y FROM "P.*.TMP" AS a {condition}',
        seed,
    )
    expected = []
    for a in (r for r in given if r["property"] == "TMP"):
        before = [
            b for b in given
            if b["property"] == "HUM" and b["thing"] == a["thing"]
            and 0 <= a["us"] - b["us"] <= REACH
        ]  # fmt: skip
        last = before[-1] if before else {"time": None, "result": None}
        expected.append((a["time"], a["result"], last["time"], last["result"]))
    assert got == rounded(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_joins_on_equal_windows_and_unions(seed: int) -> None:
    def side(prop: str, call: str) -> str:
        return (
            f"(SELECT window_start, window_end, thing, {call}(result) AS r FROM TUMBLE(TABLE"
            f" \"P.*.{prop}\", DESCRIPTOR(time), INTERVAL '5' SECOND)"
            " GROUP BY window_start, window_end, thing)"
        )

    got, given = answers(
        f"SELECT a.window_start, a.thing, a.r AS x, b.r AS y FROM {side('TMP', 'COUNT')} AS a"
        f" JOIN {side('HUM', 'MAX')} AS b ON a.window_start = b.window_start AND"
        " a.window_end = b.window_end AND a.thing = b.thing",
        seed,
    )
    groups = grouped(given, lambda r: (r["us"] // (5 * SECOND), r["thing"], r["property"]))
    expected = []
    for (at, thing, prop), some in groups.items():
        other = groups.get((at, thing, "HUM"))
        if prop == "TMP" and other:
            count = sum(r["result"] is not None for r in some)
            most = max((r["result"] for r in other if r["result"] is not None), default=None)
            expected.append((moment(at * 5 * SECOND), thing, count, most))
    assert got == rounded(expected)
    united, given = answers(
        'SELECT time, result FROM "P.t0.*" UNION ALL SELECT time, result * 2 FROM observations',
        seed,
    )
    assert united == rounded(
        [(r["time"], r["result"]) for r in given if r["thing"] == "P.t0"]
        + [(r["time"], None if r["result"] is None else r["result"] * 2) for r in given]
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_of_each_window(seed: int) -> None:
    got, given = answers(
        "SELECT window_start, thing, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY"
        " window_start, window_end ORDER BY n DESC, thing) AS place FROM (SELECT window_start,"
        " window_end, thing, COUNT(*) AS n FROM TUMBLE(TABLE observations, DESCRIPTOR(time),"
        " INTERVAL '1' MINUTE) GROUP BY window_start, window_end, thing)) WHERE place <= 2",
        seed,
    )
    minutes = grouped(given, lambda r: r["us"] // (60 * SECOND))
    expected = []
    for at, some in minutes.items():
        counts = Counter(r["thing"] for r in some)
        best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:2]
        expected += [(moment(at * 60 * SECOND), thing, n) for thing, n in best]
    assert got == rounded(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_tables_of_the_catalog(seed: int) -> None:
    got, given = answers(
        "SELECT o.time, l.latitude AS y, t.id AS n FROM observations AS o LEFT JOIN locations AS l"
        " ON l.thing = o.thing JOIN things AS t ON t.name = o.thing WHERE t.id < 2",
        seed,
    )
    assert got == rounded(
        (r["time"], 50.0 if r["thing"] == "P.t1" else None, int(r["thing"][-1]))
        for r in given
        if r["thing"] != "P.t2"
    )


def test_an_answer_names_its_keys_units_and_reach() -> None:
    plan = compile_query(
        "SELECT window_start, window_end, thing, AVG(result) AS mean, COUNT(*) AS n FROM"
        " HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)"
        " GROUP BY window_start, window_end, thing",
        reach_us=REACH,
    )
    meaning = plan.meaning
    assert [(c.name, c.is_key, c.unit) for c in meaning.columns] == [
        ("window_start", False, None), ("window_end", False, None), ("thing", True, None),
        ("mean", False, ""), ("n", False, None),
    ]  # fmt: skip
    assert (meaning.back_us, meaning.ahead_us) == (0, 240 * SECOND)
    assert (meaning.grid_us, meaning.offset_us) == (60 * SECOND, 0)
    assert plan.inputs[0].columns == ("time", "result", "thing")


@pytest.mark.parametrize(("time", "back", "offset"), [("window_end", 1, 1), ("window_time", 0, 0)])
def test_windows_by_their_end_wait_for_nothing_behind_it(time: str, back: int, offset: int) -> None:
    meaning = compile_query(
        f"SELECT {time} AS time, AVG(result) AS mean FROM TUMBLE(TABLE observations,"
        " DESCRIPTOR(time), INTERVAL '1' MINUTE) GROUP BY window_start, window_end, window_time",
        reach_us=REACH,
    ).meaning
    assert (meaning.back_us, meaning.ahead_us, meaning.offset_us) == (back, 0, offset)


def test_only_columns_that_the_answer_depends_on_are_read() -> None:
    plan = compile_query(
        "WITH a AS (SELECT * FROM observations) SELECT window_start, SUM(result) AS s FROM"
        " TUMBLE(TABLE a, DESCRIPTOR(time), INTERVAL '1' SECOND) GROUP BY window_start, window_end",
        reach_us=REACH,
    )
    assert plan.inputs[0].columns == ("time", "result")


def test_what_goes_row_by_row_is_known() -> None:
    def is_rowwise(sql: str) -> bool:
        return compile_query(sql, reach_us=REACH).meaning.is_rowwise

    assert is_rowwise("SELECT time, result FROM observations WHERE result > 1")
    assert is_rowwise(
        "SELECT o.time, t.id FROM observations o JOIN things t ON t.id = o.datastream"
    )
    assert not is_rowwise("SELECT time, LAG(result) OVER (ORDER BY time) AS r FROM observations")


def test_sources_are_named_for_people() -> None:
    plan = compile_query(
        'SELECT time, result FROM "A.*" UNION ALL SELECT time, result FROM apps.mean', reach_us=1
    )
    assert list(plan.meaning.sources) == ["A.*", "apps.mean"]
    with pytest.raises(InvalidQuery, match=r"there is no app `maen`\. Did you mean `mean`"):
        compile_query("SELECT time FROM apps.maen", reach_us=1, apps={"mean"})
