"""The functions in DuckDB, against what Python and numpy compute."""

from __future__ import annotations

import json
import math

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.sql.functions import FUNCTIONS, register
from penstock.sql.functions.geography import EARTH_RADIUS_M
from penstock.sql.signature import SOURCE_UNIT, Kind, Value, followed


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect(config={"enable_external_access": "false", "threads": 2})
    register(opened)
    opened.execute("SET lock_configuration = true")
    return opened


def column(name: str, kind: Kind = Kind.NUMBER, unit: str | None = None) -> Value:
    return Value(name, kind, unit=unit, uses=frozenset({(0, name)}))


def literal(value: float | str) -> Value:
    kind = Kind.TEXT if isinstance(value, str) else Kind.NUMBER
    return Value(repr(value), kind, literal=value)


def call(name: str, *values: Value) -> Value:
    made = FUNCTIONS[name].sql
    if callable(made):
        return made(values)
    return Value(made.format(*(value.sql for value in values)), Kind.NUMBER)


def ask(connection: duckdb.DuckDBPyConnection, value: Value, rows: str) -> list[object]:
    found = connection.cursor().execute(f"SELECT {value.sql} FROM {rows}").fetchall()
    return [row[0] for row in found]


def of_lists(
    connection: duckdb.DuckDBPyConnection, value: Value, lists: list[list[float | None] | None]
) -> list[object]:
    cursor = connection.cursor()
    sql = f"SELECT {value.sql} FROM (SELECT unnest($1::DOUBLE[][]) AS x)"
    return [row[0] for row in cursor.execute(sql, [lists]).fetchall()]


# GEO_DISTANCE

DISTANCE = call("GEO_DISTANCE", *map(column, ("a", "b", "c", "d")))
QUARTER = EARTH_RADIUS_M * math.pi / 2


def distance(connection: duckdb.DuckDBPyConnection, *places: float | None) -> object:
    values = ", ".join("NULL::DOUBLE" if p is None else f"'{p!r}'::DOUBLE" for p in places)
    return ask(connection, DISTANCE, f"(VALUES ({values})) t(a, b, c, d)")[0]


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ((0, 0, 0, 180), 2 * QUARTER),
        ((90, 10, -90, 77), 2 * QUARTER),
        ((90, 10, 90, -100), 0),
        ((0, 0, 90, 12), QUARTER),
        ((12.5, -170, -12.5, 10), 2 * QUARTER),
        ((0, 359, 0, -1), 0),
        ((47.8, 13.04, 47.8, 13.04), 0),
        ((1, 0, 0, 0), EARTH_RADIUS_M * math.pi / 180),
        # Salzburg to Vienna, by the spherical law of cosines.
        ((47.8, 13.04, 48.21, 16.37), 251_750),
    ],
)
def test_distances_are_those_on_the_sphere(
    connection: duckdb.DuckDBPyConnection, places: tuple[float, ...], expected: float
) -> None:
    assert distance(connection, *places) == pytest.approx(expected, rel=2e-3, abs=1e-3)
    if expected != 251_750:
        assert distance(connection, *places) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    "places",
    [
        (None, 0, 0, 0), (0, 0, 0, None), (91, 0, 0, 0), (0, 0, -90.1, 0), (0, 361, 0, 0),
        (math.nan, 0, 0, 0), (0, math.inf, 0, 0),
    ],
)  # fmt: skip
def test_there_is_no_distance_without_two_places(
    connection: duckdb.DuckDBPyConnection, places: tuple[float | None, ...]
) -> None:
    assert distance(connection, *places) is None


@given(
    st.tuples(*[st.floats(-90, 90), st.floats(-180, 180)] * 2).filter(
        lambda p: all(abs(x) > 1e-9 or x == 0 for x in p)
    )
)
def test_distances_agree_with_the_angle_between_vectors(
    connection: duckdb.DuckDBPyConnection, places: tuple[float, float, float, float]
) -> None:
    def vector(lat: float, lon: float) -> np.ndarray:
        lat, lon = math.radians(lat), math.radians(lon)
        return np.array(
            [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]
        )

    one, other = vector(*places[:2]), vector(*places[2:])
    angle = math.atan2(float(np.linalg.norm(np.cross(one, other))), float(one @ other))
    found = distance(connection, *places)
    # Haversine loses half its digits near antipodes: 1e-8 of the radius.
    assert found == pytest.approx(angle * EARTH_RADIUS_M, rel=1e-9, abs=0.2)


# TO_UNIT


def test_units_of_rows_are_converted_row_by_row(connection: duckdb.DuckDBPyConnection) -> None:
    value = call("TO_UNIT", column("x"), column("u", Kind.TEXT), literal("km/h"))
    assert value.unit == "km/h"
    assert value.uses == {(0, "x"), (0, "u")}
    rows = (
        "(VALUES (1.0, 'm/s'), (2, 'km/h'), (3, 'nonsense'), (4, 'Cel'), (5, NULL), (NULL, 'm/s'))"
    )
    assert ask(connection, value, f"{rows} t(x, u)") == [3.6, 2.0, None, None, None, None]


def test_units_of_many_rows_are_those_of_one_conversion_each(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    units = "['Cel', '°C', 'K', '[degF]', 'm', NULL]"
    rows = f"(SELECT i::DOUBLE AS x, {units}[1 + i % 6] AS u FROM range(20_000) t(i))"
    value = call("TO_UNIT", column("x"), column("u", Kind.TEXT), literal("K"))
    known = "CASE u WHEN 'K' THEN x WHEN '[degF]' THEN (x + 459.67) * 5 / 9 WHEN 'm' THEN NULL"
    wanted = f"{known} WHEN 'Cel' THEN x + 273.15 WHEN '°C' THEN x + 273.15 END"
    sql = f"SELECT max(abs(({value.sql}) - ({wanted}))), count({value.sql}) FROM {rows}"
    off, count = connection.cursor().execute(sql).fetchone() or (1, 0)
    assert off < 1e-9
    assert count == sum(1 for i in range(20_000) if i % 6 < 4)


def test_a_unit_that_is_written_out_or_known_is_converted_by_arithmetic(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    written = call("TO_UNIT", column("x"), literal("Cel"), literal("[degF]"))
    known = call("TO_UNIT", column("x", unit="degC"), literal("[degF]"))
    for value in (written, known):
        assert "penstock" not in value.sql
        assert ask(connection, value, "(VALUES (100), (NULL)) t(x)") == [212.0, None]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((column("x"), literal("m"), literal("s")), "cannot be converted"),
        ((column("x"), literal("m"), literal("foo")), "'foo' is not known"),
        ((column("x"), column("u", Kind.TEXT), literal("foo")), "'foo' is not known"),
        ((column("x"), literal("m"), column("u", Kind.TEXT)), "must be written out"),
        ((column("x", unit=SOURCE_UNIT), literal("m")), "TO_UNIT"),
        ((column("x"), literal("m")), "say it in the middle"),
    ],
)
def test_a_conversion_that_can_never_work_is_refused(
    values: tuple[Value, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        call("TO_UNIT", *values)


# JSON

DOCUMENT = '{"a":{"b":[1,2.5,{"c":"x y"}]},"s":"text","n":null,"t":true,"k l":7,"u":"12"}'
TEXTS = f"(VALUES ('{DOCUMENT}'), ('no json'), (NULL), ('5')) t(x)"
NUMBER, WHOLE, TRUTH = (Value("", kind) for kind in (Kind.NUMBER, Kind.INTEGER, Kind.TRUTH))


@pytest.mark.parametrize(
    ("name", "path", "rest", "expected"),
    [
        ("JSON_VALUE", "$.a.b[1]", (NUMBER,), 2.5),
        ("JSON_VALUE", "$.a.b[1]", (), "2.5"),
        ("JSON_VALUE", "$.a.b[2].c", (), "x y"),
        ("JSON_VALUE", "lax $.s", (), "text"),
        ("JSON_VALUE", "$.s", (NUMBER,), None),
        ("JSON_VALUE", "$.u", (WHOLE,), 12),
        ("JSON_VALUE", "$.t", (TRUTH,), True),
        ("JSON_VALUE", "$['k l']", (WHOLE,), 7),
        ("JSON_VALUE", '$."k l"', (WHOLE,), 7),
        ("JSON_VALUE", "$.n", (), None),
        ("JSON_VALUE", "$.a", (), None),
        ("JSON_VALUE", "$.nothing.at.all", (), None),
        ("JSON_QUERY", "$.a", (), '{"b":[1,2.5,{"c":"x y"}]}'),
        ("JSON_QUERY", "$.a.b", (), '[1,2.5,{"c":"x y"}]'),
        ("JSON_QUERY", "$.s", (), None),
        ("JSON_QUERY", "$.nothing", (), None),
        ("JSON_EXISTS", "$.a.b[0]", (), True),
        ("JSON_EXISTS", "$.n", (), True),
        ("JSON_EXISTS", "$.nothing", (), False),
    ],
)
def test_json_is_read_and_what_is_none_gives_null(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    path: str,
    rest: tuple[Value, ...],
    expected: object,
) -> None:
    value = call(name, column("x", Kind.TEXT), literal(path), *rest)
    is_there = False if name == "JSON_EXISTS" else None
    assert ask(connection, value, TEXTS) == [expected, is_there, None, is_there]


@pytest.mark.parametrize("path", ["a", "", "$.", "$[x]", "$..a", "$.a'", '$."a', "$.a b", "$[*]"])
def test_paths_that_mean_nothing_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        call("JSON_VALUE", column("x", Kind.TEXT), literal(path))


def test_a_path_that_is_computed_and_another_type_are_refused() -> None:
    with pytest.raises(ValueError, match="written out"):
        call("JSON_VALUE", column("x", Kind.TEXT), column("y", Kind.TEXT))
    with pytest.raises(ValueError, match="RETURNING"):
        call("JSON_VALUE", column("x", Kind.TEXT), literal("$.a"), Value("", Kind.TIME))


@given(st.text(max_size=30))
def test_no_text_stops_a_query(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    parts = [call(n, column("x", Kind.TEXT), literal("$.a")).sql for n in FUNCTIONS if "JSON" in n]
    sql = f"SELECT {', '.join(parts)} FROM (SELECT $1::VARCHAR AS x)"
    try:
        json.loads(text)
        is_json = True
    except ValueError:
        is_json = False
    found = connection.cursor().execute(sql, [text]).fetchone()
    assert is_json or found == (None, None, False)


# Signals

signals = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=64)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_effective_value_and_peak(
    connection: duckdb.DuckDBPyConnection, values: list[float]
) -> None:
    cursor = connection.cursor()
    parts = [call(name, column("x")).sql for name in ("RMS", "PEAK")]
    sql = f"SELECT {', '.join(parts)} FROM (SELECT unnest($1::DOUBLE[]) AS x)"
    rms, peak = cursor.execute(sql, [values]).fetchone() or (None, None)
    assert rms == pytest.approx(math.sqrt(np.mean(np.square(values))), rel=1e-9)
    assert peak == max(map(abs, values))
    whole = f"SELECT {', '.join(parts)} FROM (SELECT unnest([-9000000000000000000, 3]) AS x)"
    assert cursor.execute(whole).fetchone() == (pytest.approx(9e18 / math.sqrt(2)), 9e18)
    assert cursor.execute(f"{sql} WHERE false", [values]).fetchone() == (None, None)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [([350, 10], 0), ([90, 90, 90], 90), ([300, 320], 310), ([-90], 270), ([359, 2, 5], 2)],
)
def test_the_mean_of_directions_goes_around(
    connection: duckdb.DuckDBPyConnection, degrees: list[float], expected: float
) -> None:
    value = call("CIRCULAR_MEAN", column("x"))
    found = ask(connection, value, f"(SELECT unnest({degrees}::DOUBLE[]) AS x)")[0]
    assert isinstance(found, float)
    assert 0 <= found < 360
    assert min(abs(found - expected), 360 - abs(found - expected)) < 1e-9


def waves(rate: float, count: int, *waves: tuple[float, float]) -> list[float]:
    times = np.arange(count) / rate
    return list(sum(a * np.sin(2 * np.pi * f * times + 0.3) for a, f in waves))


@pytest.mark.parametrize("window", ["none", "hann"])
@pytest.mark.parametrize("count", [1000, 1001])
def test_a_spectrum_shows_the_amplitudes_of_the_waves(
    connection: duckdb.DuckDBPyConnection, window: str, count: int
) -> None:
    # A whole number of periods fits in.
    step = 1000 / count
    signal = [
        x + 4 for x in waves(1000, count, (1.0, 5 * step), (0.6, 60 * step), (0.2, 190 * step))
    ]
    value = call("SPECTRUM", column("x", Kind.NUMBERS, "m/s2"), literal(1000.0), literal(window))
    assert (value.kind, value.unit) == (Kind.JSON, "m/s2")
    found = json.loads(str(of_lists(connection, value, [signal])[0]))
    assert found["step"] == pytest.approx(step)
    amplitudes = found["amplitudes"]
    assert len(amplitudes) == count // 2 + 1
    for at, expected in ((0, 4), (5, 1), (60, 0.6), (190, 0.2), (100, 0)):
        assert amplitudes[at] == pytest.approx(expected, abs=1e-6)
    peak = call("SPECTRAL_PEAK", column("x", Kind.NUMBERS), literal(1000.0), literal(window))
    assert of_lists(connection, peak, [signal]) == [pytest.approx(5 * step)]


@given(signals)
def test_the_power_of_all_bands_is_the_power_of_the_signal(
    connection: duckdb.DuckDBPyConnection, signal: list[float]
) -> None:
    def band(low: float, high: float) -> float:
        args = [column("x", Kind.NUMBERS), *map(literal, (100.0, low, high))]
        found = of_lists(connection, call("BAND_RMS", *args), [signal])[0]
        assert isinstance(found, float)
        return found

    power = float(np.mean(np.square(signal)))
    assert band(0.0, 50.0) ** 2 == pytest.approx(power, rel=1e-6, abs=1e-6)
    halves = band(0.0, 20.0) ** 2 + band(math.nextafter(20.0, 50), 50.0) ** 2
    assert halves == pytest.approx(power, rel=1e-6, abs=1e-6)


def test_lists_that_are_no_signal_give_null(connection: duckdb.DuckDBPyConnection) -> None:
    lists: list[list[float | None] | None] = [None, [], [1.0], [1.0, None], [1.0, math.inf], [3, 3]]
    for name, rest, last in (
        ("SPECTRUM", (), '{"step":5,"amplitudes":[3,0]}'),
        ("SPECTRAL_PEAK", (), None),
        ("BAND_RMS", (literal(0.0), literal(4.0)), 3.0),
    ):
        value = call(name, column("x", Kind.NUMBERS), literal(10.0), *rest)
        assert of_lists(connection, value, lists) == [None] * 5 + [last]
        for rate in ("0.0", "NULL::DOUBLE", "'nan'::DOUBLE", "'inf'::DOUBLE"):
            value = call(name, column("x", Kind.NUMBERS), column(rate), *rest)
            assert of_lists(connection, value, [[1.0, 2.0]]) == [None]


def test_an_unknown_window_is_refused() -> None:
    with pytest.raises(ValueError, match="'none', 'hann'"):
        call("SPECTRUM", column("x", Kind.NUMBERS), literal(10.0), literal("kaiser"))


def test_every_function_has_an_example_that_calls_it() -> None:
    assert all(f.example.startswith(f"{name}(") for name, f in FUNCTIONS.items())


def test_directions_that_cancel_out_have_no_mean(connection: duckdb.DuckDBPyConnection) -> None:
    value = call("CIRCULAR_MEAN", column("x"))
    assert ask(connection, value, "(SELECT unnest([0, 180, 90, 270]::DOUBLE[]) AS x)") == [None]


@pytest.mark.parametrize(
    "clauses",
    [
        ("FILTER (WHERE x > 1)",),
        ("OVER (ORDER BY i ROWS 2 PRECEDING)",),
        ("FILTER (WHERE x > 1)", "OVER (ORDER BY i ROWS 2 PRECEDING)"),
    ],
)
def test_aggregates_take_filters_and_frames(
    connection: duckdb.DuckDBPyConnection, clauses: tuple[str, ...]
) -> None:
    rows = "(SELECT i, i % 4 + 0.5::DOUBLE AS x FROM range(8) t(i))"
    for name, wanted in (("RMS", "max(sqrt(x * x)) "), ("PEAK", "max(abs(x)) "),
                        ("CIRCULAR_MEAN", "avg(x) ")):  # fmt: skip
        sql = call(name, column("x")).sql
        for clause in clauses:
            sql = followed(sql, clause)
        behind = " ".join(clauses)
        sql = f"SELECT {sql}, {wanted} {behind} FROM {rows}"
        found = connection.cursor().execute(sql).fetchall()
        for ours, other in found:
            if name == "RMS":
                assert ours is None or ours <= other + 1e-9
            else:
                assert ours == (other if other is None else pytest.approx(other, rel=1e-3))
