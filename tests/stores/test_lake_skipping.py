"""How far a lake skips without reading."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.core.clock import ManualClock
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.lake import LakeStore, reading
from penstock.stores.settings import LakeSettings

ROWS = 200


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[LakeStore]:
    """Give 200 rows of each of three datastreams in files of 60 rows, in groups of 4."""
    settings = LakeSettings(background=False, grace_s=0, row_group_rows=4, file_rows=60)
    lake = LakeStore.open(tmp_path, settings, ManualClock())
    for start in range(0, ROWS, 20):
        times = [t for t in range(start, start + 20) for _ in range(3)]
        lake.append(observations([1, 2, 3] * 20, times, [float(t) for t in times]))
        if start < ROWS - 20:
            lake.flush()
    yield lake
    lake.close()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("rows", [5, 77, 150, 199, 200, 300])
def test_nearly_all_is_skipped_and_little_of_it_read(
    lake: LakeStore, monkeypatch: pytest.MonkeyPatch, rows: int, descending: bool
) -> None:
    read: list[int] = []
    plain = reading._read

    def watched(parquet: object, group: int, names: object) -> object:
        read.append(group)
        return plain(parquet, group, names)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "_read", watched)
    found = lake.skip(Selection(datastreams=(2,), descending=descending), rows)
    assert min(rows, ROWS) - found.rows < 25, "what is in memory is one stretch of 20 rows"
    assert len(read) <= ROWS // 4 / 2
    if found.rows:
        assert found.bound_us == (ROWS - found.rows if descending else found.rows)


def test_nothing_is_skipped_where_late_rows_may_replace_others(lake: LakeStore) -> None:
    one = Selection(datastreams=(2,))
    lake.append(observations([2], [100], [0.0]))
    assert lake.skip(one, 180).rows <= 100
    assert lake.skip(msgspec.structs.replace(one, descending=True), 180).rows <= 100
    lake.flush()
    assert lake.skip(one, 180).rows > 150


def test_a_file_on_either_side_of_others_keeps_nothing_from_being_skipped(tmp_path: Path) -> None:
    settings = LakeSettings(background=False, grace_s=0, row_group_rows=7, file_rows=1000)
    lake = LakeStore.open(tmp_path, settings, ManualClock())
    for number, start in enumerate((0, 50, 100)):
        times = [*range(20), *range(200, 220)] if number == 0 else range(start, start + 40)
        lake.append(observations([1] * len(times), list(times), [0.0] * len(times)))
        lake.flush()
    whole = Selection(datastreams=(1,))
    for rows in range(0, 130, 3):
        for selection in (whole, msgspec.structs.replace(whole, descending=True)):
            assert min(rows, 120) - lake.skip(selection, rows).rows <= 7
    lake.close()
