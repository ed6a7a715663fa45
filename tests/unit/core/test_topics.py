"""Filters compared with topics and with each other."""

from __future__ import annotations

import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from penstock.core.topics import covers, matches, overlaps

levels = st.sampled_from(["a", "b", "", "$x"])
topics = st.lists(levels, min_size=1, max_size=4).map("/".join).filter(bool)
filters = (
    st.tuples(st.lists(st.one_of(levels, st.just("+")), max_size=3), st.booleans())
    .map(lambda parts: "/".join([*parts[0], *(["#"] if parts[1] else [])]))
    .filter(bool)
)

EVERY_TOPIC = [
    "/".join(parts)
    for length in (1, 2, 3, 4, 5)
    for parts in itertools.product(("a", "b", "", "$x"), repeat=length)
]


def test_examples_of_the_standard() -> None:
    assert matches("sport/#", "sport")
    assert matches("sport/+", "sport/")
    assert not matches("sport/+", "sport")
    assert not matches("#", "$SYS/a")
    assert not matches("+/a", "$SYS/a")
    assert matches("$SYS/#", "$SYS/a")


@given(filters, filters)
@example("+", "/#")
def test_two_filters_overlap_when_a_topic_matches_both(one: str, other: str) -> None:
    common = any(matches(one, t) and matches(other, t) for t in EVERY_TOPIC if t)
    assert overlaps(one, other) == common


@given(filters, filters, topics)
def test_what_a_narrow_filter_matches_the_wide_one_matches(
    wide: str, narrow: str, topic: str
) -> None:
    if covers(wide, narrow) and matches(narrow, topic):
        assert matches(wide, topic)


@given(filters, filters)
def test_a_filter_that_does_not_cover_misses_a_topic(wide: str, narrow: str) -> None:
    if not covers(wide, narrow) and "$" not in wide + narrow and "#" not in wide:
        assert any(matches(narrow, t) and not matches(wide, t) for t in EVERY_TOPIC if t)
