"""A server whose disk is full in earnest: a small file system of its own (needs root)."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.postgres_server import PostgresServer, need_postgres

from penstock.core.errors import DiskFull, NotConnected
from penstock.core.observation import observations
from penstock.stores.postgres import PostgresStore

pytestmark = pytest.mark.postgres
#: Of the file system, and of what lies in its way at first, bytes.
SIZE, BALLAST = 170_000_000, 60_000_000
#: For a server that starts again, seconds.
PATIENCE_S = 90
SETTINGS = {"max_wal_size": "32MB", "min_wal_size": "32MB", "wal_recycle": "off"}


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    need_postgres()
    # Not in pytest's own folder, which the server's user must not enter.
    folder = Path(tempfile.mkdtemp(prefix="penstock-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=777", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        folder.rmdir()
        pytest.skip("file systems cannot be mounted here")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def batch_of(number: int) -> pa.RecordBatch:
    rows = 10_000
    times = (number * rows + np.arange(rows)) * 1000
    return observations(np.arange(rows) % 100, times, np.sqrt(np.arange(rows)))


def fill(store: PostgresStore, kept: list[int]) -> None:
    for number in range(10_000):
        store.append(batch_of(number), {"door": number})
        kept.append(number)


def once_there(call: Callable[[], int]) -> int:
    """Call when the server is there again."""
    for _ in range(PATIENCE_S * 10):
        try:
            return call()
        except NotConnected:
            time.sleep(0.1)
    return call()


def test_a_disk_that_is_full_loses_nothing_and_all_goes_on_when_there_is_room(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * BALLAST)
    with PostgresServer(SETTINGS) as server:
        store = PostgresStore.open(server.new_database())
        kept: list[int] = []
        # A server that cannot write its log any more stops, and starts again when it can.
        with pytest.raises((DiskFull, NotConnected)):
            fill(store, kept)
        number = len(kept)
        assert number > 0
        ballast.unlink()
        held, rest = divmod(once_there(store.count), 10_000)
        # What was on its way when the server stopped is whole, or not there.
        assert held in (number, number + 1)
        assert (rest, dict(store.marks)) == (0, {"door": held - 1})
        once_there(lambda: store.append(batch_of(number), {"door": number}))
        assert (store.count(), dict(store.marks)) == ((number + 1) * 10_000, {"door": number})
        store.close()
