"""The time-series join in process: in order, shuffled, by key; beside LocalStreamBuffer.

The streams are Arrow tables in memory and so is the answer. The peer is `LocalStreamBuffer` of
iot-salzburg/panta_rhei; name a clone of it in `PANTA_RHEI`. Its cases are those of its tester.py,
and its pairs are compared with ours.
"""

from __future__ import annotations

import os
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from benchmarks import peers

from penstock.sql.series_join import Side, series_join

ROWS = 1_000_000
FOREVER = 2**60
_PEER = "server/TimeSeriesJoiner/LocalStreamBuffer"

_PROGRAM = """
import json, sys, time
import numpy as np
from local_stream_buffer import Record, StreamBuffer
folder, within = sys.argv[1], float(sys.argv[2])
r, s = (np.load(f"{folder}/{name}.npy").tolist() for name in "rs")
order = np.load(f"{folder}/order.npy").tolist()
sides = [[Record(timestamp=at / 1e6, quantity=name, result=n) for n, at in enumerate(times)]
         for name, times in (("r", r), ("s", s))]
buffer = StreamBuffer(instant_emit=True, delta_time=within, left="r", buffer_results=True,
                      verbose=False)
began = time.perf_counter()
at = [0, 0]
for side in order:
    (buffer.ingest_right if side else buffer.ingest_left)(sides[side][at[side]])
    at[side] += 1
found = buffer.fetch_results()
took = time.perf_counter() - began
np.save(f"{folder}/pairs.npy", [(x["r.result"], x["s.result"]) for x in found])
print(json.dumps({"seconds": took, "joins": len(found)}))
"""


def streams(*times: np.ndarray, keys: int = 1, shuffled: bool = False) -> list[pa.Table]:
    """Return a stream for each column of times in microseconds."""
    rng = np.random.default_rng(1)
    made = []
    for part in times:
        numbers = np.arange(len(part))
        table = pa.table(
            {
                "time": pa.array(part, pa.int64()).cast(pa.timestamp("us")),
                "key": numbers % keys,
                "number": numbers,
                "result": rng.normal(size=len(part)),
            }
        )
        made.append(table.take(rng.permutation(len(part))) if shuffled else table)
    return made


def ours(
    tables: list[pa.Table], within_us: int, *, keyed: bool = False, rounds: int = 5
) -> dict[str, Any]:
    """Join and return the best time, the joins, and the pairs of the last round."""
    connection = duckdb.connect(config={"threads": min(os.cpu_count() or 1, 2)})
    sides = []
    for name, table in zip("ab", tables, strict=True):
        connection.register(name, table)
        columns = {f"{name}_number": "number", f"{name}_result": "result"}
        sides.append(Side(name, "time", ("number",), columns, ("key",) if keyed else ()))
    sql = series_join(*sides, within_us)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        pairs = connection.sql(sql).to_arrow_table()
        took.append(time.perf_counter() - began)
    return {
        "joins": len(pairs),
        "seconds": round(min(took), 3),
        "joins_per_s": round(len(pairs) / min(took)),
        "pairs": np.stack([pairs["a_number"].to_numpy(), pairs["b_number"].to_numpy()], 1),
    }


def expected(times: list[np.ndarray]) -> int:
    """Return how many pairs there are, by searches in the sorted times; none are equal."""
    codes = []
    for one, other in ((0, 1), (1, 0)):
        for found in (
            np.searchsorted(times[other], times[one], "right") - 1,
            np.searchsorted(times[other], times[one], "left"),
        ):
            good = np.flatnonzero((found >= 0) & (found < len(times[other])))
            pair = (good, found[good]) if one == 0 else (found[good], good)
            codes.append(pair[0] * len(times[1]) + pair[1])
    return len(np.unique(np.concatenate(codes)))


def blocks(count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return five records of one stream, five of the other, a second apart; and that order."""
    order = np.arange(count) // 5 % 2
    seconds = (1_600_000_000 + np.arange(count)) * 1_000_000
    return [seconds[order == 0], seconds[order == 1]], order


def randomized(count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return streams with random gaps up to a second, and a random order, as the tester does."""
    chance = random.Random(0)
    times = []
    for _ in range(2):
        at, column = 1_600_000_000.0, []
        for _ in range(count):
            at += chance.random()
            column.append(round(at * 1_000_000))
            chance.random()
        times.append(np.array(column))
    order = [0] * count + [1] * count
    chance.shuffle(order)
    return times, np.array(order)


def delayed(count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return blocks of which one stream comes 100 records late; it ends when the other does."""
    times, order = blocks(count)
    order = np.concatenate([np.zeros(100, dtype=int), order])
    end = int(np.flatnonzero(np.cumsum(order == 0) == len(times[0]))[0]) + 1
    order = order[:end]
    return [times[0], times[1][: int(order.sum())]], order


def peer_program() -> Path | None:
    """Return the folder of the peer's program, or None when it is not there."""
    place = Path(os.environ.get("PANTA_RHEI", ""))
    if (place / _PEER / "local_stream_buffer.py").is_file():
        return place / _PEER
    try:
        folder = Path(tempfile.mkdtemp(prefix="penstock-peer-"))
        for name in ("local_stream_buffer.py", "doublylinkedlist.py"):
            shown = ["git", f"--git-dir={place}", "show", f"HEAD:{_PEER}/{name}"]
            (folder / name).write_bytes(
                subprocess.run(shown, check=True, capture_output=True).stdout
            )
    except subprocess.CalledProcessError:
        return None
    return folder


def beside(times: list[np.ndarray], order: np.ndarray, program: Path) -> dict[str, object]:
    """Run a case of the peer's in both."""
    mine = ours(streams(*times), FOREVER)
    with tempfile.TemporaryDirectory() as folder:
        for name, column in (("r", times[0]), ("s", times[1]), ("order", order)):
            np.save(f"{folder}/{name}.npy", column)
        python = peers.environment("localstreambuffer", "pytz", "numpy")
        theirs = peers.answer(python, _PROGRAM, folder, "1e18", cwd=program)
        pairs = {tuple(pair) for pair in np.load(f"{folder}/pairs.npy").tolist()}
    all_ = {tuple(pair) for pair in mine.pop("pairs").tolist()}
    return {
        "ours": mine,
        "theirs": {
            "joins": theirs["joins"],
            "seconds": round(theirs["seconds"], 3),
            "joins_per_s": round(theirs["joins"] / theirs["seconds"]),
            "pairs_not_joined": len(all_ - pairs),
            "pairs_that_are_none": len(pairs - all_),
            "pairs_joined_twice": theirs["joins"] - len(pairs),
        },
    }


def run() -> dict[str, object]:
    """Measure."""
    rng = np.random.default_rng(7)
    stamps = rng.choice(10**10, 2 * ROWS, replace=False)
    times = [np.sort(stamps[:ROWS]), np.sort(stamps[ROWS:])]
    result: dict[str, object] = {"rows": 2 * ROWS, "pairs_expected": expected(times)}
    for name, tables, keyed in (
        ("in_order", streams(*times), False),
        ("shuffled", streams(*times, shuffled=True), False),
        ("by_100_keys_shuffled", streams(*times, keys=100, shuffled=True), True),
    ):
        measured = ours(tables, FOREVER, keyed=keyed)
        measured.pop("pairs")
        result[name] = measured
    program = peer_program()
    if program is None:
        result["peer"] = "not there: name a clone of iot-salzburg/panta_rhei in PANTA_RHEI"
        return result
    result["published_cases"] = {
        "five_five_many": beside(*blocks(100_000), program),
        "randomized_many": beside(*randomized(10_000), program),
        "delayed_many": beside(*delayed(10_000), program),
    }
    return result
