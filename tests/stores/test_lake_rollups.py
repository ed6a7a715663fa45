"""Roll-ups: used where they fit, kept true when rows change, brought together when many."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from penstock.core.clock import ManualClock
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings
from penstock.testing.store_contract import check_buckets
from penstock.testing.store_model import buckets_of, rows_of

START_US = 1_700_000_000_000_000
SECOND_US = 1_000_000
FILES, ROWS = 9, 600


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LakeStore]:
    """Two datastreams at 10 Hz in nine files, with one roll-up for all of them."""
    monkeypatch.setattr("penstock.stores.lake.rollup.ROWS_PER_BUCKET", 10)
    monkeypatch.setattr("penstock.stores.lake.rollup.LEAST_ROWS_PER_BUCKET", 5)
    settings = LakeSettings(background=False, grace_s=0, file_rows=ROWS)
    store = LakeStore.open(tmp_path, settings, ManualClock())
    for number in range(FILES):
        store.append(observations(*columns(number)))
        store.flush()
    store.compact()
    yield store
    store.close()


def columns(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = np.arange(number * ROWS, (number + 1) * ROWS)
    return n % 2 + 1, START_US + n // 2 * 100_000, np.sin(n).round(2)


def check(store: LakeStore, start_s: float | None, end_s: float | None, width_s: int) -> None:
    start = None if start_s is None else START_US + round(start_s * SECOND_US)
    end = None if end_s is None else START_US + round(end_s * SECOND_US)
    for datastreams in (None, (2,)):
        chosen = Selection(datastreams=datastreams, start_us=start, end_us=end)
        table = store.buckets(chosen, width_s * SECOND_US)
        found = table.set_column(1, "time", table["time"].cast("int64")).to_pylist()
        expected = buckets_of(rows_of(store.scan(chosen)), width_s * SECOND_US)
        check_buckets(found, expected)


RANGES = [
    (None, None),
    (0, 270),
    (3.35, 201.17),
    (100, 101),
    (29.9, 30.1),
    (500, 600),
    (None, 77.7),
]


@pytest.mark.parametrize("width_s", [1, 5, 60])
def test_buckets_of_any_range_equal_those_of_the_rows(lake: LakeStore, width_s: int) -> None:
    assert len(lake._version.manifest.rollups) == 1
    for start_s, end_s in RANGES:
        check(lake, start_s, end_s, width_s)


def test_buckets_of_a_long_range_read_no_rows(
    lake: LakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = lake.buckets(Selection(), 60 * SECOND_US)
    read: list[str] = []
    rollup = lake._reader.rollup
    monkeypatch.setattr(lake._reader, "scan", None)
    monkeypatch.setattr(
        lake._reader, "rollup", lambda path, chosen: (read.append(path), rollup(path, chosen))[1]
    )
    assert lake.buckets(Selection(), 60 * SECOND_US) == expected
    assert len(read) == 1


def test_rows_that_change_late_show_in_buckets_before_and_after_they_are_flushed(
    lake: LakeStore,
) -> None:
    lake.append(
        observations([1, 2, 1], [START_US, START_US + 50, START_US - 5], [99.0, 98.0, 97.0])
    )
    check(lake, None, None, 10)
    lake.flush()
    assert lake._version.manifest.rollups == ()
    check(lake, None, None, 10)
    check(lake, 3.35, 201.17, 60)


def test_rows_that_are_removed_leave_the_buckets(lake: LakeStore) -> None:
    removed = Selection(datastreams=(1,), start_us=START_US + 1, end_us=START_US + 10**7)
    assert lake.delete(removed) == 99
    check(lake, None, None, 10)
    lake.compact()
    check(lake, None, None, 60)


def test_roll_ups_come_back_after_opening_anew(lake: LakeStore, tmp_path: Path) -> None:
    expected = lake.buckets(Selection(), 60 * SECOND_US)
    lake.close()
    store = LakeStore.open(tmp_path, LakeSettings(background=False), ManualClock())
    assert len(store._version.manifest.rollups) == 1
    assert store.buckets(Selection(), 60 * SECOND_US) == expected
    store.close()
