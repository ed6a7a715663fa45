"""Limits and cursors over files with many row groups: the same pages as sorting everything."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.clock import ManualClock
from penstock.core.selection import Cursor, Selection
from penstock.stores.lake import LakeStore, reading
from penstock.stores.lake.chunks import ChunkView
from penstock.stores.settings import LakeSettings
from penstock.testing.store_model import Row, batch_of

Identity = tuple[int, int, int]
#: Time, datastream, feature: many rows at one time, and series that span several row groups.
identities = st.tuples(st.integers(0, 25), st.integers(1, 9), st.sampled_from((0, 0, 0, 1)))
small = LakeSettings(background=False, row_group_rows=4, grace_s=0)


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    time = st.none() | st.integers(-1, 27)
    series = st.lists(st.integers(0, 10), max_size=11, unique=True).map(tuple)
    return Selection(
        datastreams=draw(st.none() | series),
        start_us=draw(time),
        end_us=draw(time),
        descending=draw(st.booleans()),
        after=draw(
            st.none() | st.builds(Cursor, st.integers(0, 25), st.integers(0, 10), st.integers(0, 1))
        ),
        limit=draw(st.integers(1, 12)),
    )


def chosen(rows: set[Identity], selection: Selection) -> list[Identity]:
    """Return what a selection asks for."""
    after = selection.after
    at = None if after is None else (after.time_us, after.datastream, after.feature)
    found = [
        row
        for row in sorted(rows, reverse=selection.descending)
        if (selection.datastreams is None or row[1] in selection.datastreams)
        and (selection.start_us is None or row[0] >= selection.start_us)
        and (selection.end_us is None or row[0] < selection.end_us)
        and (at is None or (row < at if selection.descending else row > at))
    ]
    return found[: selection.limit]


def found_in(store: LakeStore, selection: Selection) -> list[Identity]:
    table = store.scan(selection)
    columns = (table["time"].cast("int64"), table["datastream"], table["feature"])
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(identities, max_size=60), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
    st.lists(selections(), min_size=5, max_size=5),
)
def test_a_limit_gives_the_first_rows_whatever_lies_in_files_and_memory(
    batches: list[list[Identity]], is_merged: bool, is_hot: bool, asked: list[Selection]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        store = LakeStore.open(Path(name), small, ManualClock())
        for at, batch in enumerate(batches):
            rows = [Row(datastream=d, time_us=t, feature=f, number=1.0) for t, d, f in batch]
            store.append(batch_of(rows))
            if not is_hot or at < len(batches) - 1:
                store.flush()
        if is_merged and not is_hot:
            store.compact()
        held = {row for batch in batches for row in batch}
        for selection in asked:
            assert found_in(store, selection) == chosen(held, selection)
        store.close()


@pytest.mark.parametrize("descending", [False, True])
def test_pages_read_few_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descending: bool
) -> None:
    store = LakeStore.open(tmp_path, small, ManualClock())
    held = {(time, datastream, 0) for time in range(40) for datastream in range(1, 101)}
    rows = [Row(datastream=d, time_us=t, number=1.0) for t, d, _ in sorted(held)]
    store.append(batch_of(rows))
    store.flush()
    read: list[int] = []
    plainly = reading._read

    def counted(*args: object) -> object:
        read.append(1)
        return plainly(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "_read", counted)
    page = Selection(limit=5, descending=descending)
    for _ in range(30):
        rows_found = found_in(store, page)
        assert rows_found == chosen(held, page)
        page = msgspec.structs.replace(page, after=Cursor(*rows_found[-1]))
    # A thousand row groups, of which a page needs about five, looked at and then read.
    assert len(read) <= 30 * 5 * 4
    store.close()


@pytest.mark.parametrize("descending", [False, True])
def test_a_page_of_hot_rows_looks_at_the_chunks_of_its_times_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descending: bool
) -> None:
    monkeypatch.setattr("penstock.stores.lake.chunks.CHUNK_ROWS", 10)
    store = LakeStore.open(tmp_path, small, ManualClock())
    held = {(time, datastream, 0) for time in range(100) for datastream in range(1, 6)}
    store.append(batch_of([Row(datastream=d, time_us=t, number=1.0) for t, d, _ in sorted(held)]))
    looked: list[int] = []
    plainly = ChunkView.columns
    monkeypatch.setattr(ChunkView, "columns", lambda view: looked.append(1) or plainly(view))

    page = Selection(limit=5, descending=descending)
    assert found_in(store, page) == chosen(held, page)
    stretch = Selection(start_us=40, end_us=44)
    assert found_in(store, stretch) == chosen(held, stretch)
    # Of fifty chunks, two times in each.
    assert len(looked) <= 1 + 2
    store.close()
