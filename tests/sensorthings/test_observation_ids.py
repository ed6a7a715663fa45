"""Every identity has one id, and only ids lead to identities."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.core.entities import Identity
from penstock.core.errors import NotFound
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US, observations
from penstock.sensorthings.observation_ids import (
    SECOND,
    further_id,
    id_of,
    identity_of,
    ids_of,
    quoted,
)

_IDS = st.one_of(st.integers(1, 5000), st.integers(1, 2**63 - 1))
_FEATURES = st.one_of(st.just(0), st.integers(0, 3000), st.integers(0, 2**63 - 1))
_TIMES = st.one_of(
    st.integers(MIN_TIME_US, MAX_TIME_US - 1),
    st.integers(-10, 2**32 + 10).map(lambda s: s * 1_000_000),
    st.integers(-10, 2**41 + 10).map(lambda ms: ms * 1000),
    st.sampled_from([0, 2**32 * 10**6, (2**32 - 1) * 10**6, 2**41 * 1000, (2**41 - 1) * 1000]),
)
_IDENTITIES = st.builds(Identity, datastream=_IDS, time_us=_TIMES, feature=_FEATURES)


@given(_IDENTITIES)
@example(Identity(2**19 - 1, 0, 0))
@example(Identity(2**19, 0, 0))
@example(Identity(1023, 1000, 0))
@example(Identity(1024, 1000, 0))
@example(Identity(3, 1_000_000, 2**20))
def test_an_id_leads_back_to_its_identity(identity: Identity) -> None:
    id_ = id_of(identity)
    assert identity_of(id_) == identity
    assert isinstance(id_, str) or 0 <= id_ < 2**53


@given(_IDENTITIES, _IDENTITIES)
def test_different_identities_have_different_ids(one: Identity, other: Identity) -> None:
    assert (id_of(one) == id_of(other)) is (one == other)


@given(st.lists(_IDENTITIES, max_size=20))
def test_columns_get_the_ids_of_their_rows(rows: list[Identity]) -> None:
    batch = observations(
        [row.datastream for row in rows],
        [row.time_us for row in rows],
        feature=[row.feature for row in rows],
    )
    assert ids_of(pa.Table.from_batches([batch])) == [id_of(row) for row in rows]


@given(
    st.one_of(
        st.integers(),
        st.integers(0, 2**53 - 1),
        st.from_regex(r"-?[0-9]{1,4}-[-0-9]{1,8}(-[0-9]{1,3})?", fullmatch=True),
        st.text(max_size=12),
    )
)
@example(0)
@example(2**53)
@example("1-1000000")
@example("01-1")
@example("1-1-0")
@example("1-01")
def test_an_id_that_is_accepted_is_the_one_of_its_identity(id_: int | str) -> None:
    try:
        identity = identity_of(id_)
    except NotFound:
        return
    number = str(id_).rpartition("-")[2]
    assert id_ in (id_of(identity), further_id(identity, int(number)))


@given(_IDENTITIES, st.integers(SECOND, 999_999_999))
def test_a_further_id_leads_to_its_identity_and_is_no_other(identity: Identity, at: int) -> None:
    id_ = further_id(identity, at)
    assert identity_of(id_) == identity
    assert id_ != id_of(identity)
    zeros = f"{identity.datastream}-{identity.time_us}-{identity.feature}-0{at}"
    for wrong in (zeros, further_id(identity, 1), further_id(identity, 0), f"{id_}-2"):
        with pytest.raises(NotFound):
            identity_of(wrong)


@pytest.mark.parametrize(
    ("identity", "id_"),
    [
        (Identity(1, 0, 0), 2 << 33),
        (Identity(1, 1_577_836_800_000_000, 0), (2 << 32 | 1_577_836_800) << 1),
        (Identity(1, 1_577_836_800_123_000, 0), (2 << 41 | 1_577_836_800_123) << 1 | 1),
        (Identity(1, 1, 0), "1-1"),
        (Identity(1, -1, 7), "1--1-7"),
        (Identity(1, 0, 2), ((2 * (3 * 4 // 2 + 2) + 1) << 32) << 1),
    ],
)
def test_ids_are_as_the_decision_says(identity: Identity, id_: int | str) -> None:
    assert id_of(identity) == id_


@pytest.mark.parametrize("id_", ["1-1000000", "1-0", "1-1-0", "01-1", "1-+1", "a", "", -1, 2**53])
def test_what_is_no_id_is_not_found(id_: int | str) -> None:
    with pytest.raises(NotFound):
        identity_of(id_)


def test_texts_are_quoted_in_addresses() -> None:
    assert quoted(5) == "5"
    assert quoted("5-1") == "'5-1'"
    assert quoted("it's") == "'it''s'"
