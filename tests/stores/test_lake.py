from pathlib import Path

from penstock.core.clock import ManualClock
from penstock.core.store import Store
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings
from penstock.testing.store_contract import StoreContract

SETTINGS = LakeSettings(background=False, grace_s=0)


class TestLakeStore(StoreContract):
    def open_store(self, directory: Path) -> Store:
        return LakeStore.open(directory, SETTINGS, ManualClock())
