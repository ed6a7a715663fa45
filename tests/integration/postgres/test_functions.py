"""The functions in PostgreSQL give what those give that SQLite is given."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.catalog.template import empty_database
from tests.postgres_server import shared

from penstock.catalog.dialects.postgresql_values import adapters
from penstock.catalog.entities.sql_functions import FUNCTIONS

pytestmark = pytest.mark.postgres

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
SMALL = st.one_of(st.integers(-20, 20), st.sampled_from([0.1, 0.3, 0.5, -0.5, 2.5, 1e16, 1e-5]))
NUMBERS = st.one_of(SMALL, DOUBLES, INTEGERS, st.floats(-1e6, 1e6))


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection[Any]]:
    url = shared().new_database(empty_database())
    with psycopg.connect(url, autocommit=True, context=adapters()) as opened:
        yield opened
    shared().drop_database(url)


def ask(connection: psycopg.Connection[Any], name: str, kind: str, rows: list[tuple]) -> list[Any]:
    """Call a function with each row of arguments."""
    arguments = ", ".join(f"(%s::{kind}[])[n]" for _ in rows[0])
    query = f"SELECT penstock_{name}({arguments}) FROM generate_series(1, %s) AS n ORDER BY n"
    columns = [list(column) for column in zip(*rows, strict=True)]
    return [row[0] for row in connection.execute(query, [*columns, len(rows)])]


def exact(value: float) -> str:
    """Return a number as the text by which it goes to PostgreSQL."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "mod"])
@settings(max_examples=40)
@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=50))
@example(
    pairs=[
        (5e-324, 0.5),
        (1.7e308, 1.7e308),
        (0, 1.7976931348623157e308),
        (0.3, 0.1),
        (1e308, 0.3),
        (2**53 + 1, 2),
    ]
)
def test_arithmetic(connection: Any, name: str, pairs: list[tuple[float, float]]) -> None:
    wanted = [FUNCTIONS[name][1](*pair) for pair in pairs]
    found = ask(connection, name, "numeric", [(exact(a), exact(b)) for a, b in pairs])
    for pair, one, other in zip(pairs, wanted, found, strict=True):
        assert (one is None) == (other is None), (pair, one, other)
        assert one is None or float(other) == one, (pair, one, other)


@pytest.mark.parametrize("name", ["round", "floor", "ceiling", "number_text"])
@settings(max_examples=40)
@given(values=st.lists(NUMBERS, min_size=1, max_size=50))
@example(values=[0.5, 1.5, -0.5, 2.5, 0.49999999999999994, 1e15, 1e16, 123456789012345.6, 1e22])
def test_of_one_number(connection: Any, name: str, values: list[float]) -> None:
    if name == "number_text":
        values = [float(value) for value in values]
    wanted = [FUNCTIONS[name][1](value) for value in values]
    found = ask(connection, name, "numeric", [(exact(value),) for value in values])
    for value, one, other in zip(values, wanted, found, strict=True):
        if name == "number_text" and abs(value) >= 2**53:
            assert float(other) == value
        else:
            assert other == one, (value, one, other)


@pytest.mark.parametrize("name", ["duration_mul", "duration_div", "duration_add", "duration_sub"])
@settings(max_examples=40)
@given(data=st.data())
def test_lengths_of_time(connection: Any, name: str, data: st.DataObject) -> None:
    lengths = st.integers(-(2**62), 2**62)
    second = lengths if name in ("duration_add", "duration_sub") else NUMBERS
    pairs = data.draw(st.lists(st.tuples(lengths, second), min_size=1, max_size=50))
    wanted = [FUNCTIONS[name][1](*pair) for pair in pairs]
    found = ask(connection, name, "numeric", [(exact(a), exact(b)) for a, b in pairs])
    assert found == wanted


def digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


PARTS = ["02", "02-30", "13", "W54", "W53-7", "366"]
DAYS = st.one_of(
    st.dates().map(str),
    st.dates().map(lambda day: day.strftime("%Y%m%d")),
    st.dates().map(lambda day: "{:04}-W{:02}-{}".format(*day.isocalendar())),
    st.dates().map(lambda day: day.strftime("%Y-%j")),
    st.builds("{}-{}".format, digits(4), st.sampled_from(PARTS)),
    st.sampled_from(["2020", "2020-02", "2020W01", "2020W011", "2020366", "0000-01-01", "x", ""]),
)
HOURS = st.one_of(
    st.just(""),
    st.times().map(lambda at: f"T{at}"),
    st.sampled_from(["T10", " 10:11", "t1011", "T24:00", "T24:00:01", "T10:60", "T10:11:12,5"]),
)
ZONES = st.sampled_from(["", "Z", "z", "+01:00", "-0130", "+24:00", "+23:59", "+1", "-00:60"])
LATIN = st.text(st.characters(max_codepoint=0x24F, exclude_characters="\0"))
TEXTS = st.text(st.characters(exclude_characters="\0"))


@settings(max_examples=60)
@given(texts=st.lists(st.builds("{}{}{}".format, DAYS, HOURS, ZONES), min_size=1, max_size=80))
def test_times(connection: Any, texts: list[str]) -> None:
    wanted = [FUNCTIONS["time"][1](text) for text in texts]
    found = ask(connection, "time", "text", [(text,) for text in texts])
    assert dict(zip(texts, found, strict=True)) == dict(zip(texts, wanted, strict=True))


@pytest.mark.parametrize("name", ["lower", "upper"])
@settings(max_examples=40)
@given(texts=st.lists(LATIN, min_size=1))
@example(texts=["STRASSE", "straße", "ÄÖÜ", "ΑΣ", "İI", "ﬁ"])
def test_case(connection: Any, name: str, texts: list[str]) -> None:
    wanted = [FUNCTIONS[name][1](text) for text in texts]
    assert ask(connection, name, "text", [(text,) for text in texts]) == wanted


@settings(max_examples=40)
@given(values=st.lists(st.one_of(NUMBERS, TEXTS), min_size=1))
def test_order(connection: Any, values: list[float | str]) -> None:
    """Numbers by value, then texts by code points."""
    said = [msgspec.json.encode(value).decode() for value in values]
    keys = ask(connection, "order", "json", [(one,) for one in said])
    for (one, key), (other, key2) in itertools.pairwise(zip(values, keys, strict=True)):
        assert (key < key2) == (rank(one) < rank(other))


def rank(value: float | str) -> tuple[int, float, bytes]:
    return (2, 0.0, value.encode()) if isinstance(value, str) else (1, float(value), b"")
