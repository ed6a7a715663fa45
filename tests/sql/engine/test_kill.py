"""A hub that is killed at any moment derives what it would have derived untouched."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pytest
from tests.sql.engine.hub_victim import BEGIN, messages

from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.selection import Selection
from penstock.stores.lake.store import LakeStore

#: Runs; more are asked for with PENSTOCK_KILL_RUNS.
RUNS = int(os.environ.get("PENSTOCK_KILL_RUNS", "1"))
VICTIM = Path(__file__).parent / "hub_victim.py"


def run(data_dir: Path, seed: int, kill_at: int | None, delay_s: float) -> bool:
    """Run the hub, to the end or until it is killed; return whether it came to the end."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(VICTIM), str(data_dir), str(seed)],
        stdout=subprocess.PIPE, text=True, env=environ,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        timer: threading.Timer | None = None
        for line in process.stdout:
            if line.strip() == "done":
                break
            if kill_at is not None and int(line.split()[1]) >= kill_at and timer is None:
                timer = threading.Timer(delay_s, process.kill)
                timer.start()
        code = process.wait()
        if timer is not None:
            timer.cancel()
    assert code in (0, -9)
    return code == 0


def derived(data_dir: Path) -> dict[tuple[str, float], float]:
    """Return what was derived: by datastream and seconds since the beginning."""
    catalog = SqlCatalog.open(data_dir / "catalog.sqlite")
    infos = {d.id: d.name for d in catalog.datastreams(limit=1000) if "app_id" in d.properties}
    catalog.close()
    store = LakeStore.open(data_dir / "store")
    rows = store.scan(Selection(datastreams=tuple(infos)))
    store.close()
    times = rows["time"].cast(pa.int64()).to_pylist()
    values = rows["number"].to_pylist()
    ids = rows["datastream"].to_pylist()
    return {
        (infos[i], t / 1e6 - BEGIN): round(v, 9) for i, t, v in zip(ids, times, values, strict=True)
    }


def expected(seed: int) -> dict[tuple[str, float], float]:
    """Return the same, computed plainly."""
    held = {(thing, time): value for thing, time, value in messages(seed)}
    windows: dict[tuple[str, float], list[float]] = defaultdict(list)
    answer = {}
    for (thing, time), value in held.items():
        windows[thing, time // 5 * 5].append(value)
        if value > 5:
            answer[f"{thing}.app2.twice.v", time] = value * 2
    for (thing, start), values in windows.items():
        answer[f"{thing}.app1.mean", start] = round(sum(values) / len(values), 9)
    return answer


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(RUNS))
def test_killing_the_hub_changes_no_result(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    data_dir = tmp_path / "data"
    for _ in range(3):
        if run(data_dir, seed, rng.randrange(3800), rng.random()):
            break
    assert run(data_dir, seed, None, 0.0)
    assert derived(data_dir) == expected(seed)
