"""The contract of `core.store.Store`, as tests: subclass `StoreContract` and say how to open it.

Example:
    class TestMyStore(StoreContract):
        def open_store(self, directory):
            return MyStore(directory)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from penstock.core.errors import InvalidInput
from penstock.core.observation import observations
from penstock.core.selection import Cursor, Selection
from penstock.core.store import (
    CanDeleteRows,
    CanDownsample,
    CanExpire,
    CanSkip,
    CanSummarise,
    CanTellExtents,
    Store,
)
from penstock.testing.store_model import Row, StoreModel, batch_of, buckets_of, rows_of

_SOME = settings(
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    max_examples=40,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.differing_executors,
    ],
)

_NUMBERS = st.one_of(
    st.none(),
    st.decimals(-1000, 1000, places=2, allow_nan=False).map(float),
    st.floats(),
    st.sampled_from(
        [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 2.0**53, 2.0**60, 1e300]
    ),
)
#: Few datastreams, times and features, so that identities meet often; some far away ones.
_DATASTREAMS = st.one_of(st.integers(1, 5), st.sampled_from([77_777, 2**62]))
_TIMES = st.one_of(
    st.integers(0, 50).map(lambda n: 1_700_000_000_000_000 + n * 400_000),
    st.integers(0, 50).map(lambda n: 1_700_000_000_000_000 + n * 400_000),
    st.integers(-(10**13), 10**13),
    st.sampled_from([-62_135_596_800_000_000, 253_402_300_799_999_999, 1_701_388_800_000_001]),
)
_FEATURES = st.sampled_from([0, 0, 0, 1, 2**40])
_MAYBE_TIMES = st.one_of(st.none(), st.none(), st.integers(0, 10**15))
_ROWS = st.builds(
    Row,
    datastream=_DATASTREAMS,
    time_us=_TIMES,
    feature=_FEATURES,
    number=_NUMBERS,
    text=st.one_of(st.none(), st.none(), st.text(max_size=5)),
    end_time_us=_MAYBE_TIMES,
    result_time_us=_MAYBE_TIMES,
    parameters=st.one_of(st.none(), st.none(), st.just('{"a": 1}')),
)
#: Batches as devices send them: most in order, some not.
_BATCHES = st.one_of(
    st.lists(_ROWS, max_size=12),
    st.lists(_ROWS, max_size=30).map(lambda rows: sorted(rows, key=lambda row: row.time_us)),
)
#: Batches in which buckets fill.
_DENSE = st.lists(
    st.builds(
        Row,
        datastream=st.integers(1, 2),
        time_us=st.integers(0, 200).map(lambda n: 1_700_000_000_000_000 + n * 150_000),
        number=st.one_of(_NUMBERS, st.integers(0, 99).map(float)),
    ),
    min_size=5,
    max_size=20,
)
_SELECTIONS = st.builds(
    Selection,
    datastreams=st.one_of(st.none(), st.lists(_DATASTREAMS, max_size=3).map(tuple)),
    features=st.one_of(st.none(), st.none(), st.lists(_FEATURES, max_size=2).map(tuple)),
    start_us=st.one_of(st.none(), _TIMES),
    end_us=st.one_of(st.none(), _TIMES),
    descending=st.booleans(),
    after=st.one_of(
        st.none(),
        st.builds(Cursor, time_us=_TIMES, datastream=_DATASTREAMS, feature=_FEATURES),
    ),
    limit=st.one_of(st.none(), st.integers(0, 8)),
)
_RANGES = _SELECTIONS.map(lambda s: msgspec.structs.replace(s, after=None, limit=None))
_OF_ONE = st.builds(
    lambda one, within: msgspec.structs.replace(within, datastreams=(one,), features=None),
    _DATASTREAMS,
    _RANGES,
)
_AGES = st.integers(0, 30_000_000)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), _BATCHES),
        st.tuples(st.just("append"), _BATCHES),
        st.tuples(st.just("flush"), st.none()),
        st.tuples(st.just("reopen"), st.none()),
        st.tuples(st.just("scan"), _SELECTIONS),
        st.tuples(st.just("skip"), st.tuples(_OF_ONE, st.integers(0, 12))),
        st.tuples(st.just("delete"), _RANGES),
        st.tuples(st.just("delete rows"), _BATCHES),
        st.tuples(
            st.just("expire"),
            st.tuples(st.dictionaries(_DATASTREAMS, _AGES, max_size=2), st.none() | _AGES),
        ),
    ),
    max_size=12,
)
_NOW = 1_700_000_020_000_000


class StoreContract:
    """Tests that any store must pass; a subclass says how to open it."""

    #: Whether what was flushed is there again after `close` and opening anew.
    is_durable = True
    #: Whether it is so already when `append` returns; marks then move without a flush.
    is_durable_at_once = False

    def open_store(self, directory: Path) -> Store:
        """Open the store kept in a directory."""
        raise NotImplementedError

    def settle(self, store: Store) -> None:
        """Do what the store otherwise does in the background, such as merging files."""

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Open a new store."""
        with tempfile.TemporaryDirectory() as directory:
            store = self.open_store(Path(directory))
            try:
                yield store
            finally:
                store.close()

    @_SOME
    @given(steps=_STEPS, final=_SELECTIONS)
    def test_it_holds_what_a_dictionary_would(
        self, steps: list[tuple[str, object]], final: Selection
    ) -> None:
        with tempfile.TemporaryDirectory() as directory:
            store, model = self.open_store(Path(directory)), StoreModel()
            for name, given_value in steps:
                if name == "reopen":
                    if self.is_durable:
                        store.close()
                        store = self.open_store(Path(directory))
                elif name == "flush":
                    store.flush()
                    self.settle(store)
                else:
                    self.step(store, model, name, given_value)
                check_summaries(store, model)
            assert rows_of(store.scan(final)) == model.scan(final)
            assert rows_of(store.scan(Selection())) == model.scan(Selection())
            store.close()

    def step(self, store: Store, model: StoreModel, name: str, value: object) -> None:
        """Do one thing to the store and to the model and compare what they say."""
        if name == "append":
            assert isinstance(value, list)
            assert store.append(batch_of(value)) == len(value)
            model.append(value)
        elif name == "scan":
            assert isinstance(value, Selection)
            assert rows_of(store.scan(value)) == model.scan(value)
        elif name == "delete":
            assert isinstance(value, Selection)
            assert store.delete(value) == model.delete(value)
        elif name == "delete rows":
            assert isinstance(value, list)
            if isinstance(store, CanDeleteRows):
                rows = pa.Table.from_batches([batch_of(value)])
                assert store.delete_rows(rows) == model.delete_rows(value)
        elif name == "skip":
            assert isinstance(value, tuple)
            if isinstance(store, CanSkip):
                check_skip(store, model, *value)
        elif isinstance(store, CanExpire):
            assert isinstance(value, tuple)
            ages, default_us = value
            removed = store.expire(ages, default_us, _NOW)
            assert removed == model.expire(ages, default_us, _NOW)

    @_SOME
    @given(
        batches=st.lists(st.tuples(_BATCHES | _DENSE, st.booleans()), max_size=5),
        selection=_RANGES,
        width=st.sampled_from([1, 1_000_000, 7_000_000, 60_000_000, 3_600_000_000, 86_400_000_000]),
    )
    def test_buckets_equal_aggregating_what_scan_gives(
        self, batches: list[tuple[list[Row], bool]], selection: Selection, width: int
    ) -> None:
        with self.opened() as store:
            if not isinstance(store, CanDownsample):
                pytest.skip("this store has no buckets")
            for batch, is_flushed in batches:
                store.append(batch_of(batch))
                if is_flushed:
                    store.flush()
                    self.settle(store)
            expected = buckets_of(rows_of(store.scan(selection)), width)
            table = store.buckets(selection, width)
            found = table.set_column(1, "time", table["time"].cast("int64")).to_pylist()
            check_buckets(found, expected)

    def test_pages_join_to_the_whole_in_both_directions(self) -> None:
        rows = [
            Row(datastream=d, time_us=1_000_000 * t, feature=f, number=float(t))
            for t in range(6)
            for d in (1, 2)
            for f in (0, 7)
        ]
        with self.opened() as store:
            store.append(batch_of(rows[:13]))
            store.flush()
            store.append(batch_of(rows[13:]))
            for descending in (False, True):
                found: list[Row] = []
                after = None
                while page := rows_of(
                    store.scan(Selection(descending=descending, after=after, limit=5))
                ):
                    found += page
                    last = page[-1]
                    after = Cursor(last.time_us, last.datastream, last.feature)
                assert found == rows_of(store.scan(Selection(descending=descending)))
                assert len(found) == len(rows)

    def test_marks_move_at_flush_and_come_back_after_reopening(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            store = self.open_store(Path(directory))
            assert dict(store.marks) == {}
            store.append(observations([1], [1], [1.0]), {"door": 10, "hub": 1})
            store.append(observations([1], [2], [1.0]), {"door": 20})
            assert dict(store.marks) == ({"door": 20, "hub": 1} if self.is_durable_at_once else {})
            assert dict(store.flush()) == {"door": 20, "hub": 1}
            assert dict(store.marks) == {"door": 20, "hub": 1}
            store.append(observations([], []), {"door": 30})
            store.close()
            if self.is_durable:
                store = self.open_store(Path(directory))
                assert dict(store.marks) == {"door": 30, "hub": 1}
                store.close()

    @pytest.mark.parametrize("way", ["selection", "rows", "age"])
    def test_what_was_removed_may_come_again(self, way: str) -> None:
        rows = [Row(datastream=d, time_us=t, number=float(t)) for d in (1, 2) for t in (10, 20)]
        with self.opened() as store:
            model = StoreModel()
            for again in (rows, rows, rows[1:3], [Row(datastream=1, time_us=5)], rows):
                self.step(store, model, "append", again)
                check_summaries(store, model)
                if way == "selection":
                    self.step(store, model, "delete", Selection())
                elif way == "rows":
                    self.step(store, model, "delete rows", rows[:2])
                else:
                    self.step(store, model, "expire", ({1: 0}, None))
                check_summaries(store, model)
            assert rows_of(store.scan(Selection())) == model.scan(Selection())

    def test_a_batch_that_is_not_in_the_schema_is_refused_whole(self) -> None:
        with self.opened() as store:
            batch = observations([1, 2], [1, 2], [1.0, 2.0])
            with pytest.raises(InvalidInput, match="column"):
                store.append(batch.select(["datastream", "time"]))
            with pytest.raises(InvalidInput, match="year"):
                store.append(observations([1, 1], [5, 2**62], [1.0, 2.0]))
            assert store.scan(Selection()).num_rows == 0

    def test_buckets_without_width_are_refused(self) -> None:
        with self.opened() as store:
            if isinstance(store, CanDownsample):
                with pytest.raises(InvalidInput, match="width"):
                    store.buckets(Selection(), 0)

    def test_closing_twice_is_harmless(self) -> None:
        with self.opened() as store:
            store.close()


def check_summaries(store: Store, model: StoreModel) -> None:
    """Compare count, summaries and latest rows with the model."""
    if not isinstance(store, CanSummarise):
        return
    assert store.count() == len(model.rows)
    for datastream in (1, 2, 77_777):
        assert store.summary(datastream) == model.summary(datastream)
    summaries = {row.pop("datastream"): row for row in to_lists(store.summaries())}
    expected = {d: summary for d in model.datastreams() if (summary := model.summary(d))}
    assert summaries == {
        d: {"count": s.count, "first_time": s.first_us, "last_time": s.last_us}
        for d, s in expected.items()
    }
    assert to_lists(store.summaries([2, 1, 2, 99])) == [
        {"datastream": d, **summaries[d]} for d in (1, 2) if d in summaries
    ]
    if isinstance(store, CanTellExtents):
        extents = model.extents()
        assert to_lists(store.extents([2, 1, 2, 99])) == [
            row for row in extents if row["datastream"] in (1, 2)
        ]
        assert to_lists(store.extents()) == extents
    assert rows_of(store.latest()) == model.latest()
    assert rows_of(store.latest([2, 1, 2, 99])) == [
        row for row in model.latest() if row.datastream in (1, 2)
    ]


def check_skip(store: CanSkip, model: StoreModel, selection: Selection, rows: int) -> None:
    """Compare how far a store skips with the rows that lie beyond."""
    found = store.skip(selection, rows)
    assert found.rows <= rows
    if found.bound_us is None:
        assert found.rows == 0
        return
    times = [row.time_us for row in model.scan(selection)]
    beyond = [t for t in times if (t >= found.bound_us) is selection.descending]
    assert len(beyond) == found.rows > 0


def to_lists(table: pa.Table) -> list[dict[str, Any]]:
    """Return rows of a table, times in microseconds."""
    for at, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(at, field.name, table[field.name].cast("int64"))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def check_buckets(found: list[dict[str, object]], expected: list[dict[str, object]]) -> None:
    """Compare buckets; the mean may differ by rounding."""
    assert [{k: v for k, v in f.items() if k != "mean"} for f in found] == [
        {k: v for k, v in e.items() if k != "mean"} for e in expected
    ]
    for one, other in zip(found, expected, strict=True):
        scale = max(abs(float(str(one["min"]))), abs(float(str(one["max"]))))
        if scale < 1e150:
            assert one["mean"] == pytest.approx(other["mean"], rel=1e-9, abs=1e-9 * scale)
