"""Query strings become options; unknown, repeated and broken ones are refused."""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput
from penstock.core.expression import Literal, Order, Property
from penstock.sensorthings.grammar import (
    Metadata,
    Options,
    ResultFormat,
    parse_options,
    print_expression,
    print_options,
)


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("$top=10", "top", 10),
        ("$top=0", "top", 0),
        ("%24top=10", "top", 10),
        ("$skip=5", "skip", 5),
        ("$count=true", "count", True),
        ("$count=false", "count", False),
        ("$skiptoken=a%20b%26c", "skip_token", "a b&c"),
        ("$resultFormat=dataArray", "format", ResultFormat.DATA_ARRAY),
        ("$resultFormat=csv", "format", ResultFormat.CSV),
        ("$resultFormat=GeoJSON", "format", ResultFormat.GEOJSON),
        ("$resultMetadata=none", "metadata", Metadata.NONE),
        ("$id=http://h/v1.1/Things(1)", "id", "http://h/v1.1/Things(1)"),
        ("system=a&x=1", "custom", (("system", "a"), ("x", "1"))),
        ("$select=id,name", "select", (("@iot.id",), ("name",))),
        ("$select=name,Datastreams", "select", (("name",), ("Datastreams",))),
        ("$select=properties/my[5]/type", "select", (("properties", "my", "5", "type"),)),
        ("$select=distinct:name", "distinct", True),
        ("$select=*", "select", None),
        ("", "where", None),
    ],
)
def test_options(query: str, field: str, value: object) -> None:
    assert getattr(parse_options(query, "Thing"), field) == value


def test_order() -> None:
    found = parse_options("$orderby=name%20DESC,properties/a,id+asc", "Thing").order
    keys = [(one.by.path, one.descending) for one in found if isinstance(one.by, Property)]
    assert keys == [(("name",), True), (("properties", "a"), False), (("@iot.id",), False)]


def test_order_by_an_expression() -> None:
    (found,) = parse_options("$orderby=result mul -1 desc", "Observation").order
    assert isinstance(found, Order)
    assert print_expression(found.by) == "result mul -1"
    assert found.descending


def test_a_blank_can_be_a_plus() -> None:
    where = parse_options("$filter=name+eq+'a%2Bb'", "Thing").where
    assert where is not None
    assert print_expression(where) == "name eq 'a+b'"


def test_an_ampersand_in_quotes_is_part_of_the_text() -> None:
    found = parse_options("$filter=name eq 'a&$top=1' and name ne 'b%26'&$top=2", "Thing")
    assert found.top == 2
    assert found.where is not None
    assert print_expression(found.where) == "name eq 'a&$top=1' and name ne 'b&'"


@pytest.mark.parametrize(
    ("type_", "query", "printed"),
    [
        ("Thing", "$expand=Datastreams/Observations", "$expand=Datastreams($expand=Observations)"),
        (
            "Thing",
            "$expand=Datastreams/Observations,Datastreams/ObservedProperty",
            "$expand=Datastreams($expand=Observations,ObservedProperty)",
        ),
        (
            "Thing",
            "$expand=Datastreams($top=1),Datastreams/Sensor",
            "$expand=Datastreams($top=1;$expand=Sensor)",
        ),
        (
            "Datastream",
            "$expand=Observations($filter=result eq 'a;b)' ;$orderby=id desc;$top=1),"  # noqa: ISC004
            "Thing($select=name;$expand=Locations($select=name;$count=true))&$top=10",
            "$top=10&$expand=Observations($top=1;$filter=result eq 'a;b)';$orderby=@iot.id desc),"  # noqa: ISC004
            "Thing($select=name;$expand=Locations($count=true;$select=name))",
        ),
        ("Datastream", "$expand=Observations()", "$expand=Observations"),
    ],
)
def test_expand(type_: str, query: str, printed: str) -> None:
    assert print_options(parse_options(query, type_)) == printed


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("$filtr=1", "did you mean '$filter'?"),
        ("$top=1&$top=2", "$top is given twice"),
        ("$top=1&$TOP=2", "is given twice"),
        ("$top", "has no value"),
        ("$top=-1", "$top, position 0: found '-1', expected a whole number"),
        ("$top=1.5", "expected a whole number"),
        ("$top=99999999999999999999", "expected a whole number"),
        ("$top=1 2", "found '2'"),
        ("$count=maybe", "expected true or false"),
        ("$resultFormat=dataAray", "did you mean 'dataArray'?"),
        ("$select=", "expected the name of a property"),
        ("$select=nam", "did you mean 'name'?"),
        ("$select=Datastreams/name", "$expand=Datastreams($select=...)"),
        ("$orderby=name des", "$orderby, position 5: found 'des', expected 'asc', 'desc' or ','"),
        ("$orderby=Datastreams/name", "Datastreams are many"),
        ("$expand=Datastream", "did you mean 'Datastreams'?"),
        ("$expand=name", "Thing has no link 'name'"),
        ("$expand=Datastreams($fltr=1)", "$expand, position 12: found '$fltr'"),
        ("$expand=Datastreams($top=1;$top=2)", "$top is given twice"),
        ("$expand=Datastreams($resultFormat=CSV)", "found '$resultFormat'"),
        ("$expand=Datastreams($top=1", "found the end, expected ';'"),
        ("$expand=Datastreams($top=1),Datastreams($top=2)", "expanded twice"),
        ("$expand=Datastreams($filter=foo eq 1)", "$expand, position 20: Datastream has no 'foo'"),
        ("$filter=%ff", "not UTF-8"),
        ("$filter=name eq 'a", "no end"),
    ],
)
def test_mistakes_are_shown(query: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)):
        parse_options(query, "Thing")


def test_where_there_are_no_entities_nothing_can_be_said_about_them() -> None:
    assert parse_options("$top=1", None).top == 1
    with pytest.raises(InvalidInput, match="no entities here"):
        parse_options("$filter=name eq 'a'", None)


@pytest.mark.parametrize(
    "query",
    [
        "$expand=" + "Datastreams($expand=Thing($expand=" * 2_000,
        "$expand=" + "Datastreams/Thing/" * 2_000 + "Datastreams",
        "$expand=" + ",".join(["Datastreams"] * 9_000),
        "$select=" + "name," * 15_000,
        "$orderby=" + "name," * 15_000,
        "&" * 50_000 + "$top=x",
        "'&" * 49_999 + "$top=x",
        "$top=1" * 20_000,
        "%" * 90_000 + "&$top=x",
    ],
    ids=range(9),
)
def test_hostile_queries_are_refused_in_bounded_time(query: str) -> None:
    with suppress(InvalidInput):
        parse_options(query, "Thing")


PIECES = st.sampled_from(
    [
        *("$filter=", "$expand=", "$select=", "$orderby=", "$top=", "$count=", "$skip=", "&", ";"),
        *("(", ")", ",", "/", "name", "id", "5", "Datastreams", "Observations", "Thing", "eq"),
        *("'a'", "'", "true", "desc", "%27", "%ff", "+", "%20", "distinct:", "$resultFormat="),
    ]
)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=10).map("".join)))
def test_garbage_is_invalid_input_and_nothing_else(query: str) -> None:
    try:
        found = parse_options(query, "Thing")
    except InvalidInput:
        return
    assert isinstance(found, Options)


def _values() -> st.SearchStrategy[str]:
    return st.text("ab'&;,)(+ %=é", max_size=6)


@settings(max_examples=300, deadline=None)
@given(_values(), st.none() | st.integers(0, 1000), st.booleans(), _values())
def test_printed_options_read_the_same(text: str, top: int | None, count: bool, inner: str) -> None:
    link = TYPES["Thing"].links[2].name
    filters = [f"name eq '{one.replace(chr(39), chr(39) * 2)}'" for one in (text, inner)]
    query = f"$filter={quote(filters[0])}&$expand={link}({quote('$filter=' + filters[1])})"
    query += "" if top is None else f"&$top={top}"
    query += f"&$count={str(count).lower()}"
    options = parse_options(query, "Thing")
    again = (
        parse_options(quote(print_options(options), safe="&=$"), "Thing")
        if "&" not in (text + inner)
        else parse_options(query, "Thing")
    )
    assert print_options(again) == print_options(options)
    where = options.where
    assert where is not None
    values = [one.value for one in getattr(where, "arguments", ()) if isinstance(one, Literal)]
    assert values == [text]


def test_an_option_without_its_dollar_is_not_passed_over() -> None:
    with pytest.raises(InvalidInput, match=r"\$filter="):
        parse_options("filter=name eq 'a'", "Thing")
