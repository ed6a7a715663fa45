"""Elements read column by column are what they are when read one by one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from penstock.codecs.timestamps import text_us
from penstock.core.errors import CannotDecode
from penstock.core.series import ObservationType
from penstock.sensorthings.writing.data_arrays import _element
from penstock.sensorthings.writing.plain_rows import plain_rows, plain_times
from penstock.sensorthings.writing.results import Kind

NO_TIME = -(2**63)
_TIMES = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.from_regex(
        r"[0-3][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z", fullmatch=True
    ),
    st.sampled_from(
        [
            "2024-05-01T12:00:00Z",
            "2024-05-01T12:00:00.5Z",
            "2024-05-01T12:00:00+02:00",
            "2024-05-01T24:00:00Z",
            "2024-05-01T12:00:60Z",
            "2024-02-30T12:00:00Z",
            "2024-05-01T12:00:00Z/2024-05-01T13:00:00Z",
            "٢٠٢٤-05-01T12:00:00Z",
            "",
        ]
    ),
    st.none(),
    st.integers(),
)
_RESULTS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.integers(0, 9),
    st.booleans(),
    st.none(),
    st.text(max_size=3),
)
_FEATURES = st.one_of(st.integers(-1, 5), st.none(), st.booleans())
_KINDS = st.sampled_from([*(Kind(str(one)) for one in ObservationType), Kind("Complex", 2)])


@given(
    elements=st.lists(st.tuples(_TIMES, _RESULTS, _FEATURES).map(list), min_size=1, max_size=4),
    names=st.permutations(["phenomenonTime", "result", "FeatureOfInterest/id"]),
    kind=_KINDS,
    count=st.integers(1, 3),
)
def test_columns_give_what_elements_give(
    elements: list[Any], names: list[str], kind: Kind, count: int
) -> None:
    components = sorted(names[:count], key=names.index)
    if "result" not in components:
        components.append("result")
    places = ("phenomenonTime", "result", "FeatureOfInterest/id")
    values = [[element[places.index(name)] for name in components] for element in elements]
    rows = plain_rows(values, components, kind, NO_TIME)
    if rows is not None:
        assert rows == [_element(one, components, kind, "").row for one in values]


def test_what_is_plain_is_read_by_columns() -> None:
    values = [["2024-05-01T12:00:00Z", 1.5, 7], ["2024-05-01T12:00:01.25Z", 2, 8]]
    components = ["phenomenonTime", "result", "FeatureOfInterest/id"]
    rows = plain_rows(values, components, Kind("Measurement"), NO_TIME)
    assert rows == [_element(one, components, Kind("Measurement"), "").row for one in values]
    assert plain_rows([[3]], ["result"], Kind("Count"), NO_TIME) is not None
    for odd in ([["x"]], [[1, 2]], [7], [[True]], [[2**80]], [[None]], []):
        assert plain_rows(odd, ["result"], Kind("Measurement"), NO_TIME) is None


@given(st.lists(_TIMES, max_size=5))
def test_plain_times_are_what_each_time_is(texts: list[object]) -> None:
    found = plain_times(texts)
    if found is None:
        return
    try:
        assert found == [text_us(str(one)) for one in texts]
    except CannotDecode as problem:
        raise AssertionError(f"{texts} were read as {found}") from problem
