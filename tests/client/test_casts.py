"""Results take the type of their Datastream, or are refused."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.client.casts import MAX_COUNT, cast
from penstock.core.errors import InvalidInput
from penstock.core.series import ObservationType

TRUTH, COUNT = ObservationType.TRUTH, ObservationType.COUNT
MEASUREMENT, CATEGORY = ObservationType.MEASUREMENT, ObservationType.CATEGORY
COMPLEX = ObservationType.COMPLEX

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("kind", "given_", "wanted"),
    [
        (TRUTH, True, True),
        (TRUTH, 0, False),
        (TRUTH, 1.0, True),
        (TRUTH, " On ", True),
        (TRUTH, "false", False),
        (TRUTH, np.bool_(True), True),
        (COUNT, "12", 12),
        (COUNT, 3.0, 3),
        (COUNT, True, 1),
        (COUNT, np.int64(7), 7),
        (COUNT, -MAX_COUNT, -MAX_COUNT),
        (MEASUREMENT, 3, 3.0),
        (MEASUREMENT, " 21.5 ", 21.5),
        (MEASUREMENT, np.float32(0.5), 0.5),
        (CATEGORY, "wet", "wet"),
        (CATEGORY, 7, "7"),
        (COMPLEX, {"a": [1]}, {"a": [1]}),
        (COMPLEX, (1, 2), [1, 2]),
    ],
)
def test_what_fits_is_cast(kind: ObservationType, given_: object, wanted: object) -> None:
    found = cast(kind, given_)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("kind", "given_"),
    [
        (TRUTH, "maybe"),
        (TRUTH, 2),
        (TRUTH, None),
        (TRUTH, []),
        (COUNT, 3.5),
        (COUNT, "3.5"),
        (COUNT, math.nan),
        (COUNT, MAX_COUNT + 1),
        (COUNT, None),
        (MEASUREMENT, "warm"),
        (MEASUREMENT, "nan"),
        (MEASUREMENT, math.inf),
        (MEASUREMENT, 10**400),
        (MEASUREMENT, None),
        (MEASUREMENT, b"1"),
        (CATEGORY, None),
        (CATEGORY, {"a": 1}),
        (CATEGORY, "half \ud800"),
        (COMPLEX, "text"),
        (COMPLEX, 1),
        (COMPLEX, {"a": object()}),
    ],
)
def test_what_does_not_fit_is_refused_and_what_is_allowed_is_said(
    kind: ObservationType, given_: object
) -> None:
    with pytest.raises(InvalidInput, match=f"is no {kind}.*; allowed are"):
        cast(kind, given_)


KINDS: Mapping[ObservationType, tuple[type, ...]] = {
    TRUTH: (bool,),
    COUNT: (int,),
    MEASUREMENT: (float,),
    CATEGORY: (str,),
    COMPLEX: (dict, list),
}


@given(st.sampled_from(list(ObservationType)), ANYTHING)
def test_a_cast_gives_the_type_and_stays_itself_or_is_refused(
    kind: ObservationType, value: Any
) -> None:
    try:
        found = cast(kind, value)
    except InvalidInput:
        return
    assert type(found) in KINDS[kind]
    if kind is not COMPLEX:
        assert cast(kind, found) == found
        assert cast(kind, json.loads(json.dumps(found))) == found
