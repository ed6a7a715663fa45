from pathlib import Path

from penstock.core.store import Store
from penstock.stores.memory import MemoryStore
from penstock.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    is_durable = False

    def open_store(self, directory: Path) -> Store:
        return MemoryStore()
