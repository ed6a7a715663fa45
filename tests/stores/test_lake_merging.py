"""Files are merged with few of their size, and a merge never brings back what changed meanwhile."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.clock import ManualClock
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.lake import LakeStore
from penstock.stores.lake.compaction import choose_merge
from penstock.stores.lake.manifest import DataFile
from penstock.stores.settings import LakeSettings


def file_of(rows: int, number: int, month: str = "2026-11") -> DataFile:
    return DataFile(
        path=f"observations/{month}/{number}.parquet",
        rows=rows,
        bytes=rows,
        first_us=number,
        last_us=number + 1,
        first_datastream=1,
        last_datastream=1,
    )


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=300))
def test_merging_leaves_few_files_and_writes_each_row_few_times(flushes: list[int]) -> None:
    files: list[DataFile] = []
    written = 0
    for number, rows in enumerate(flushes):
        files.append(file_of(rows, number))
        while sources := choose_merge(files, merge_files=4, file_rows=100_000):
            assert len(sources) > 1
            total = sum(file.rows for file in sources)
            assert total <= 100_000
            written += total
            files = [file for file in files if file not in sources]
            files.append(file_of(total, sources[0].first_us))
    assert sum(file.rows for file in files) == sum(flushes)
    small = [file for file in files if file.rows <= 50_000]
    assert len(small) <= 3 * 9  # merge_files - 1 of each size
    assert written <= 9 * sum(flushes)


def test_files_of_different_months_are_not_merged() -> None:
    files = [file_of(10, n, f"2026-0{n}") for n in range(1, 9)]
    assert choose_merge(files, merge_files=4, file_rows=1000) == []


@pytest.mark.parametrize("change", ["delete", "replace"])
def test_a_merge_whose_sources_change_meanwhile_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    store = LakeStore.open(tmp_path, LakeSettings(background=False, grace_s=0), ManualClock())
    for n in range(3):
        store.append(observations([1, 2], [n, n], [1.0, 2.0]))
        store.flush()
    merge = store._commit.merge
    changes = 0

    def merge_while_it_changes(sources: Sequence[DataFile]) -> DataFile:
        nonlocal changes
        merged = merge(sources)
        if not changes:
            changes += 1
            if change == "delete":
                store.delete(Selection(datastreams=(1,), start_us=1, end_us=2))
            else:
                store.append(observations([1], [1], [99.0]))
                store.flush()
        return merged

    monkeypatch.setattr(store._commit, "merge", merge_while_it_changes)
    store.compact()
    found = store.scan(Selection(datastreams=(1,)))["number"].to_pylist()
    assert found == ([1.0, 1.0] if change == "delete" else [1.0, 99.0, 1.0])
    assert store.count() == len(found) + 3
    assert len(store._version.manifest.files) == 1
    named = store._version.manifest.paths()
    store.close()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet")}
    assert left == named
