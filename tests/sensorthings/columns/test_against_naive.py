"""Conditions over columns say what the naive evaluation of every row says."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sensorthings.expressions import (
    OBSERVATION,
    START_US,
    conditions,
    sort_keys,
)
from tests.sensorthings.naive import Naive
from tests.sensorthings.rows import KINDS, NOW_US, OWN, Row, rows, table_of

from penstock.core.expression import Apply, Expression, Literal, Moment, Order, Property, Span
from penstock.sensorthings.columns import Facts, mask, narrow, sort
from penstock.sensorthings.grammar import parse_expression, print_expression

FACTS = Facts(KINDS, OWN, NOW_US)
SLOW = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
RESULT = Property(("result",))


@SLOW
@given(conditions(OBSERVATION), st.lists(rows(), max_size=6))
def test_mask_is_what_the_naive_evaluation_says(
    where: Expression, found: list[tuple[Row, dict[str, object]]]
) -> None:
    naive = Naive("Observation", NOW_US)
    wanted = [naive.holds(where, entity) for _, entity in found]
    answered = mask(where, table_of([row for row, _ in found]), FACTS).tolist()
    assert answered == wanted, (print_expression(where), found)


@SLOW
@given(conditions(OBSERVATION, depth=1), rows())
def test_many_equal_rows_answer_as_one_does(
    where: Expression, found: tuple[Row, dict[str, object]]
) -> None:
    one = mask(where, table_of([found[0]]), FACTS).tolist()
    assert mask(where, table_of([found[0]] * 70), FACTS).tolist() == one * 70


ORDERS = st.lists(
    st.builds(
        Order,
        sort_keys(OBSERVATION),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
)


@SLOW
@given(ORDERS, st.lists(rows(), max_size=8))
def test_sort_is_what_the_naive_evaluation_says(
    order: list[Order], found: list[tuple[Row, dict[str, object]]]
) -> None:
    entities = [entity for _, entity in found]
    numbers = sort(order, table_of([row for row, _ in found]), FACTS)
    wanted = Naive("Observation", NOW_US).sorted(order, entities)
    assert [id(entities[at]) for at in numbers.tolist()] == [id(one) for one in wanted]


TIME = Property(("phenomenonTime",))
_TIMES = st.sampled_from(
    [
        Literal(Moment(START_US)),
        Literal(Moment(START_US + 1_000_000)),
        Literal(Span(START_US, START_US + 1_000_000)),
        Literal(Span(START_US + 500_000, START_US + 500_000)),
        Apply("now", ()),
    ]
)
_IDS = st.sampled_from(
    [
        Property(("Datastream", "@iot.id")),
        Property(("MultiDatastream", "@iot.id")),
        Property(("FeatureOfInterest", "@iot.id")),
    ]
)
_NAMES = ["eq", "ne", "gt", "ge", "lt", "le"]
_NAMES += ["before", "after", "meets", "overlaps", "starts", "finishes"]
NARROW = st.one_of(
    st.builds(lambda n, t: Apply(n, (TIME, t)), st.sampled_from([*_NAMES, "during"]), _TIMES),
    st.builds(lambda n, t: Apply(n, (t, TIME)), st.sampled_from(_NAMES), _TIMES),
    st.builds(lambda ts: Apply("in", (TIME, *ts)), st.lists(_TIMES, min_size=1, max_size=3)),
    st.builds(lambda p, n: Apply("eq", (p, Literal(n))), _IDS, st.sampled_from([1, 5, 11, 2.5])),
    st.builds(
        lambda p, ns: Apply("in", (p, *map(Literal, ns))),
        _IDS,
        st.lists(st.sampled_from([1, 2, 5, 11, 99]), min_size=1, max_size=3),
    ),
    st.just(Apply("gt", (RESULT, Literal(1)))),
)


@SLOW
@given(st.lists(NARROW, min_size=1, max_size=4), st.lists(rows(), max_size=8))
def test_bounds_lose_no_row_and_their_rest_finds_no_other(
    parts: list[Expression], found: list[tuple[Row, dict[str, object]]]
) -> None:
    where = parts[0] if len(parts) == 1 else Apply("and", tuple(parts))
    narrowed = narrow(where, NOW_US)
    table = table_of([row for row, _ in found])
    rest = [True] * len(found)
    if narrowed.rest is not None:
        rest = mask(narrowed.rest, table, FACTS).tolist()
    kept = [
        (narrowed.start_us is None or row["time"] >= narrowed.start_us)
        and (narrowed.end_us is None or row["time"] < narrowed.end_us)
        and (narrowed.datastreams is None or row["datastream"] in narrowed.datastreams)
        and (narrowed.features is None or row["feature"] in narrowed.features)
        and holds
        for (row, _), holds in zip(found, rest, strict=True)
    ]
    assert kept == mask(where, table, FACTS).tolist()


def test_bounds_say_all_where_they_can() -> None:
    text = "phenomenonTime gt 2024-01-01T00:00:00Z and phenomenonTime ge now() sub duration'PT1H'"
    narrowed = narrow(parse_expression(text, "Observation"), NOW_US)
    assert narrowed.start_us == 1_704_067_200_000_001
    assert narrowed.rest is None


def test_a_condition_within_or_bounds_nothing() -> None:
    text = "phenomenonTime gt 2024-01-01T00:00:00Z or result gt 5"
    tree = parse_expression(text, "Observation")
    narrowed = narrow(tree, NOW_US)
    assert (narrowed.start_us, narrowed.end_us, narrowed.rest) == (None, None, tree)


def test_nothing_asked_bounds_nothing() -> None:
    assert narrow(None, 0).rest is None
