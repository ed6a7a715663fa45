from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.core.clock import ManualClock
from penstock.core.store import Store
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings
from penstock.testing.store_contract import StoreContract

SETTINGS = LakeSettings(background=False, grace_s=0)


class TestLakeStore(StoreContract):
    def open_store(self, directory: Path) -> Store:
        return LakeStore.open(directory, SETTINGS, ManualClock())

    def settle(self, store: Store) -> None:
        assert isinstance(store, LakeStore)
        store.compact()


class TestLakeStoreInSmallPieces(TestLakeStore):
    """The same with chunks, slices and row groups so small that every seam is met."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def small_pieces(cls) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("penstock.stores.lake.chunks.CHUNK_ROWS", 3)
            patch.setattr("penstock.stores.lake.hot.CHUNK_ROWS", 3)
            patch.setattr("penstock.stores.lake.merging.SLICE_ROWS", 4)
            patch.setattr("penstock.stores.lake.rollup.ROWS_PER_BUCKET", 1)
            patch.setattr("penstock.stores.lake.rollup.LEAST_ROWS_PER_BUCKET", 0)
            patch.setattr("penstock.stores.lake.compaction.WIDEN_FILES", 2)
            yield

    def open_store(self, directory: Path) -> Store:
        settings = msgspec.structs.replace(SETTINGS, row_group_rows=2, file_rows=6)
        return LakeStore.open(directory, settings, ManualClock())
