"""Filters become trees, and what is wrong with others is said, and where."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sensorthings.expressions import OBSERVATION, conditions

from penstock.core.errors import InvalidInput
from penstock.core.expression import (
    Any,
    Apply,
    Duration,
    Expression,
    Literal,
    Moment,
    Property,
    Shape,
    Span,
)
from penstock.sensorthings.grammar import parse_expression, print_expression


def without_positions(tree: Expression) -> Expression:
    """Return a tree as it would be anywhere in a text."""
    match tree:
        case Literal():
            return Literal(tree.value)
        case Property():
            return Property(tree.path)
        case Any():
            return Any(tree.path, tree.variable, without_positions(tree.condition))
    return Apply(tree.function, tuple(map(without_positions, tree.arguments)))


def read(text: str, type_: str = "Observation") -> Expression:
    return without_positions(parse_expression(text, type_))


def prop(path: str) -> Property:
    return Property(tuple(path.split("/")))


def eq(left: Expression, right: object) -> Apply:
    return Apply("eq", (left, Literal(right)))  # type: ignore[arg-type]


RESULT = prop("result")


@settings(max_examples=500, deadline=None)
@given(conditions(OBSERVATION))
def test_what_is_printed_reads_as_the_same_tree(tree: Expression) -> None:
    assert without_positions(parse_expression(print_expression(tree), "Observation")) == tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("true", True),
        ("false", False),
        ("5", 5),
        ("-5", -5),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", 2.0**63),
        ("2.5", 2.5),
        ("1e3", 1000.0),
        ("-2.5E-1", -0.25),
        ("'it''s'", "it's"),
        ("''", ""),
        ("2024-05-01", Moment(1_714_521_600_000_000)),
        ("2024-05-01T00:00Z", Moment(1_714_521_600_000_000)),
        ("2024-05-01T02:00:00.000001+02:00", Moment(1_714_521_600_000_001)),
        # A plus that was not percent-encoded arrives as a blank.
        ("2024-05-01T02:00:00 02:00", Moment(1_714_521_600_000_000)),
        ("datetime'2024-05-01T00:00:00Z'", Moment(1_714_521_600_000_000)),
        ("12:30:00.5", Duration(45_000_500_000)),
        ("duration'PT1H30M'", Duration(5_400_000_000)),
        ("duration'-P1DT0.5S'", Duration(-86_400_500_000)),
        ("duration'PT10m'", Duration(600_000_000)),
        ("P1W", Duration(604_800_000_000)),
        (
            "2024-05-01T00:00:00Z/2024-05-01T00:00:01Z",
            Span(1_714_521_600_000_000, 1_714_521_601_000_000),
        ),
        ("2024-05-01T00:00:00Z/PT1S", Span(1_714_521_600_000_000, 1_714_521_601_000_000)),
        ("PT1S/2024-05-01T00:00:01Z", Span(1_714_521_600_000_000, 1_714_521_601_000_000)),
        ("2024-01-31/P1M", Span(1_706_659_200_000_000, 1_709_164_800_000_000)),
        ("geography'POINT (30 10)'", Shape("POINT (30 10)")),
        ("geometry'SRID=4326;POINT Z(30 10 5)'", Shape("POINT Z(30 10 5)")),
    ],
)
def test_values(text: str, value: object) -> None:
    function = "st_equals(result, {})" if isinstance(value, Shape) else "{} eq {}"
    if isinstance(value, (Moment, Span)):
        tree = read(f"phenomenonTime eq {text}")
    elif isinstance(value, Duration):
        tree = read(f"time(phenomenonTime) eq {text}")
    else:
        tree = (
            read(function.replace("{}", "result", 1).format(text))
            if function[0] == "{"
            else read(function.format(text))
        )
    assert isinstance(tree, Apply)
    found = tree.arguments[1]
    assert isinstance(found, Literal)
    assert (found.value, type(found.value)) == (value, type(value))


@pytest.mark.parametrize(
    ("type_", "text", "tree"),
    [
        ("Observation", "(result sub 5) gt 10", "result sub 5 gt 10"),
        ("Observation", "not result gt 5 and result lt 9", "not result gt 5 and result lt 9"),
        ("Observation", "not (result gt 5 and result lt 9)", "not (result gt 5 and result lt 9)"),
        ("Observation", "result add 1 mul 2 eq 3", "result add 1 mul 2 eq 3"),
        ("Observation", "(result add 1) mul 2 eq 3", "(result add 1) mul 2 eq 3"),
        ("Observation", "result sub (1 sub 2) eq 3", "result sub (1 sub 2) eq 3"),
        ("Observation", "Datastream/id eq '1'", "Datastream/@iot.id eq 1"),
        ("Observation", "id in ('1', '1-5')", "@iot.id in (1,'1-5')"),
        ("Thing", "properties/array[1][2] gt 3", "properties/array/1/2 gt 3"),
        ("Thing", "properties/array/1/deeper/2 gt 3", "properties/array/1/deeper/2 gt 3"),
        ("Thing", "properties/'odd name'/x gt 3", "properties/'odd name'/x gt 3"),
        ("Thing", "'tag' in properties/tags", "'tag' in properties/tags"),
        ("Location", "location/properties/4frost eq 3", "location/properties/4frost eq 3"),
        (
            "Thing",
            "Datastreams/any(d:d/Observations/any(o:o/result gt d/properties/threshold))",
            "Datastreams/any(d: d/Observations/any(o: o/result gt d/properties/threshold))",
        ),
        ("Observation", "-result gt -5", "-(result) gt -5"),
        ("Observation", "result eq 1 or result eq 2 or result eq 3", None),
    ],
)
def test_forms(type_: str, text: str, tree: str | None) -> None:
    assert print_expression(parse_expression(text, type_)) == (tree or text)


def test_chains_are_flat() -> None:
    sides = tuple(eq(RESULT, number) for number in range(3))
    assert read("result eq 0 or result eq 1 or result eq 2") == Apply("or", sides)


def test_and_binds_tighter_than_or() -> None:
    one, two, three = (eq(RESULT, number) for number in range(3))
    assert read("result eq 0 or result eq 1 and result eq 2") == Apply(
        "or", (one, Apply("and", (two, three)))
    )


def test_positions_are_kept() -> None:
    tree = parse_expression("result gt 5", "Observation")
    assert isinstance(tree, Apply)
    assert [tree.at, *(one.at for one in tree.arguments)] == [7, 0, 10]


@pytest.mark.parametrize(
    ("type_", "text", "position", "says"),
    [
        ("Observation", "", 0, "found the end, expected a value"),
        ("Observation", "resul gt 5", 0, "did you mean 'result'?"),
        ("Observation", "result gtt 5", 7, "did you mean 'gt'?"),
        ("Observation", "result EQ 5", 7, "did you mean 'eq'?"),
        ("Observation", "result gt", 9, "found the end, expected a value"),
        ("Observation", "result gt 5)", 11, "found ')', expected an operator"),
        ("Observation", "(result gt 5", 12, "found the end, expected ')'"),
        ("Observation", "result eq 'abc", 10, "no end"),
        ("Observation", "result eq 5x", 10, "found '5x', expected a number"),
        ("Observation", "result eq 1e999", 10, "too large"),
        ("Observation", "substrin(result,1) eq 'a'", 0, "did you mean 'substring'?"),
        ("Observation", "length(result,1) eq 1", 0, "takes 1 arguments, not 2"),
        ("Observation", "substring(result) eq 'a'", 0, "takes 2 or 3 arguments, not 1"),
        ("Observation", "phenomenonTime gt '2020-01-01'", 15, "written without quotes"),
        ("Observation", "year('2020-01-01') eq 1", 5, "written without quotes"),
        ("Observation", "phenomenonTime ge 2015-13-01", 18, "there is no time '2015-13-01'"),
        ("Observation", "phenomenonTime lt 2015-02-01/2015-01-01", 18, "ends before it starts"),
        ("Observation", "phenomenonTime gt duration'P1M'", 18, "no fixed length"),
        ("Observation", "during(phenomenonTime, resultTime)", 23, "during takes an interval"),
        ("Observation", "result gt 5 gt 6", 12, "cannot follow each other"),
        ("Observation", "Datastream eq 1", 0, "is an entity and no value"),
        (
            "Observation",
            "phenomenonTime add 5 eq 6",
            15,
            "cannot be applied to a time and a number",
        ),
        ("Observation", "phenomenonTime/start eq 5", 15, "has no members"),
        ("Observation", "Datastream/any(d: d/id eq 1)", 0, "any(...) stands behind a set"),
        ("Thing", "name", 0, "found a text; compare it"),
        ("Thing", "name add 1 eq 2", 0, "'add' takes a number, found a text"),
        ("Thing", "id eq 'x'", 3, "cannot compare a number with a text"),
        ("Thing", "Datastreams/any(name: name/id eq 1)", 16, "has the name of something else"),
        ("Thing", "Datastreams/any(d: d/nme eq 'x')", 21, "did you mean 'name'?"),
        ("Thing", "properties/a[x] eq 1", 12, "expected the position of an item"),
        ("Location", "location eq geography'POINT (1 2)'", 9, "st_equals"),
        ("Location", "st_within(location, geography'POLYGN ((1 1))')", 36, "'POLYGON'"),
        (
            "Location",
            "geo.distance(location, geography'POINT (30)') lt 1",
            42,
            "longitude latitude",
        ),
        (
            "Location",
            "st_within(location, geography'POLYGON ((0 0, 1 0, 1 1, 0 1))')",
            58,
            "last point must be its first",
        ),
        ("Location", "st_relate(location, location, 'abc')", 30, "st_relate takes 9 of"),
    ],
)
def test_mistakes_are_shown(type_: str, text: str, position: int, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)) as caught:
        parse_expression(text, type_)
    assert f"position {position}:" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000,
        "not " * 20_000 + "result",
        "-" * 50_000 + "result",
        "result eq " + " add ".join(["1"] * 5_000),
        " and ".join(["result eq 1"] * 5_000),
        "length(" * 10_000,
        "result" + "/a" * 30_000 + " eq 1",
        "result" + "[0]" * 30_000 + " eq 1",
        "result in (" + ",".join(["1"] * 30_000) + ")",
        "result eq '" + "''" * 40_000,
        "result eq " + "9" * 90_000,
        "result eq 0." + "1" * 90_000 + "x",
        "phenomenonTime eq 2024-01-01T00:00:00." + "1" * 90_000 + "x",
        "st_equals(result,geography'" + "GEOMETRYCOLLECTION(" * 5_000,
        "st_equals(result,geography'LINESTRING(" + "1 1," * 15_000,
        "a" * 99_999,
        "x" * 100_001,
        "Datastream/" * 9_000 + "id eq 1",
        "result eq 'a\0b'",
        "result eq '\ud800'",
    ],
    ids=range(20),
)
def test_hostile_texts_are_refused_in_bounded_time(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_expression(text, "Observation")
    assert len(str(caught.value)) < 1_000


WORDS = st.sampled_from(
    [
        *("result", "phenomenonTime", "Datastream", "id", "name", "eq", "ne", "gt", "and", "or"),
        *("not", "in", "any", "(", ")", "[", "]", ",", "/", ":", ";", "'", "''", "5", "-5", "2.5"),
        *("1e9", "'a'", "null", "true", "now()", "length(", "substring(", "geo.distance("),
        *("st_within(", "geography'POINT(1 1)'", "duration'PT1S'", "2024-01-01T00:00:00Z"),
        *("2024-01-01", "P1D", "12:00", "d:", "$it", "@iot.id", "é"),
    ]
)


@settings(max_examples=1000, deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(WORDS, max_size=12).map(" ".join),
        st.lists(WORDS, max_size=12).map("".join),
    )
)
def test_garbage_is_invalid_input_and_nothing_else(text: str) -> None:
    try:
        tree = parse_expression(text, "Observation")
    except InvalidInput:
        return
    again = parse_expression(print_expression(tree), "Observation")
    assert without_positions(again) == without_positions(tree)


@settings(max_examples=300, deadline=None)
@given(conditions(OBSERVATION), st.data())
def test_a_damaged_filter_is_invalid_input_and_nothing_else(
    tree: Expression, data: st.DataObject
) -> None:
    text = print_expression(tree)
    at = data.draw(st.integers(0, len(text)))
    damaged = (
        text[:at] + data.draw(st.sampled_from(["", "'", "(", ")", " ", "x", "9"])) + text[at + 1 :]
    )
    with suppress(InvalidInput):
        parse_expression(damaged, "Observation")
