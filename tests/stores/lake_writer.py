"""Append numbered rows to a lake until killed; run by the crash test.

Row n: datastream n % 5, time n ms, number n / 100. Every fourth batch comes after its successor, so
late rows are met too; marks say how many rows came without a gap.
"""

import sys
from pathlib import Path

import numpy as np

from penstock.core.clock import SystemClock
from penstock.core.observation import observations
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings

BATCH = 50


def append(store: LakeStore, first: int, done: int) -> None:
    n = np.arange(first, first + BATCH)
    store.append(observations(n % 5, n * 1000, n / 100), {"p": done})


def main(directory: Path) -> None:
    settings = LakeSettings(
        flush_rows=400, flush_interval_s=0.05, retry_s=0.01, grace_s=0, file_rows=4000
    )
    store = LakeStore.open(directory, settings, SystemClock())
    first = store.marks.get("p", 0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        append(store, first, first + BATCH)
        append(store, first + 2 * BATCH, first + BATCH)
        append(store, first + BATCH, first + 3 * BATCH)
        first += 3 * BATCH


if __name__ == "__main__":
    main(Path(sys.argv[1]))
