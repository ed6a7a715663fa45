"""Paths lead to resources, or it is said where they go wrong."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.entity_types import SETS
from penstock.core.errors import InvalidInput, NotFound
from penstock.sensorthings.grammar import Ending, ResourcePath, Segment, parse_path

THINGS = Segment("Things", "Thing", many=True)
THING = Segment("Things", "Thing", many=True, id=1)


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("", ResourcePath()),
        ("/", ResourcePath()),
        ("/CreateObservations", ResourcePath(action="CreateObservations")),
        ("/$batch", ResourcePath(action="$batch")),
        ("/Things", ResourcePath((THINGS,))),
        ("Things/", ResourcePath((THINGS,))),
        ("/Things(1)", ResourcePath((THING,))),
        (
            "/Things(9223372036854775808)",
            ResourcePath((Segment("Things", "Thing", many=True, id=2**63),)),
        ),
        ("/Things/$ref", ResourcePath((THINGS,), (), Ending.REF)),
        ("/Things/$count", ResourcePath((THINGS,), (), Ending.COUNT)),
        ("/Things(1)/name", ResourcePath((THING,), ("name",))),
        ("/Things(1)/id", ResourcePath((THING,), ("@iot.id",))),
        ("/Things(1)/name/$value", ResourcePath((THING,), ("name",), Ending.VALUE)),
        ("/Things(1)/properties/a/b", ResourcePath((THING,), ("properties", "a", "b"))),
        ("/Things(1)/properties/a[2][3]/c", ResourcePath((THING,), ("properties", *"a23c"))),
        ("/Things(1)/properties/odd name", ResourcePath((THING,), ("properties", "odd name"))),
        ("/Things(1)/properties/'a/b'", ResourcePath((THING,), ("properties", "a/b"))),
        (
            "/Things(1)/Datastreams(-2)/Observations('x/''y)')/Datastream/$ref",
            ResourcePath(
                (
                    THING,
                    Segment("Datastreams", "Datastream", many=True, id=-2),
                    Segment("Observations", "Observation", many=True, id="x/'y)"),
                    Segment("Datastream", "Datastream", many=False),
                ),
                (),
                Ending.REF,
            ),
        ),
    ],
)
def test_paths(path: str, resource: ResourcePath) -> None:
    assert parse_path(path) == resource


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/Thing", "there is no set 'Thing'"),
        ("/Thigs", "did you mean 'Things'?"),
        ("/Things(1)/Datastream", "did you mean 'Datastreams'?"),
        ("/Things(1)/nme", "did you mean 'name'?"),
        ("/Things/name", "as in Things(1)/name"),
        ("/Things(1)/Datastreams/Thing", "as in Datastreams(1)/Thing"),
        ("/Things(1)/name/x", "has no members"),
        ("/Things(1)/$value", "$value stands behind a property"),
        ("/Things(1)/name/$ref", "$ref stands behind a set or an entity"),
        ("/Things(1)/$count", "$count stands behind a set"),
        ("/Datastreams(1)/Thing(1)", "it takes no id"),
    ],
)
def test_what_does_not_exist_is_not_found(path: str, says: str) -> None:
    with pytest.raises(NotFound, match=re.escape(says)):
        parse_path(path)


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("/Things(", 8),
        ("/Things()", 8),
        ("/Things(x)", 8),
        ("/Things(1", 9),
        ("/Things(1.5)", 8),
        ("/Things(01)", 8),
        ("/Things(" + "9" * 41 + ")", 8),
        ("/Things('a)", 8),
        ("/Things(1)x", 10),
        ("/Things//name", 8),
        ("/Things(1)/properties[x]", 21),
        ("/Things(1)/name/$value/x", 22),
        ("//Things", 1),
        ("/Things\0", 7),
    ],
)
def test_what_cannot_be_read_is_shown(path: str, position: int) -> None:
    with pytest.raises(InvalidInput, match=f"path, position {position}:"):
        parse_path(path)


@pytest.mark.parametrize(
    "path",
    [
        "/Things(1)" + "/Datastreams(1)/Thing" * 4_000,
        "/Things(1)/properties" + "/a" * 40_000,
        "/Things(1)/properties" + "[0]" * 30_000,
        "/Things('" + "''" * 40_000,
        "/" * 90_000,
        "x" * 100_001,
    ],
    ids=range(6),
)
def test_hostile_paths_are_refused_in_bounded_time(path: str) -> None:
    with pytest.raises((InvalidInput, NotFound)) as caught:
        parse_path(path)
    assert len(str(caught.value)) < 1_000


PIECES = st.sampled_from(
    [*SETS, "Thing", "/", "/", "(1)", "('a')", "(", ")", "[0]", "$value", "$ref", "name", "'", "\0"]
)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=10).map("".join)))
def test_garbage_is_refused_as_such(path: str) -> None:
    with suppress(InvalidInput, NotFound):
        parse_path(path)
