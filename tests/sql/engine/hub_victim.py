"""A hub with two stream queries that publishes to itself, to be killed at any moment.

`python hub_victim.py DATA_DIR SEED`: prints `at N` when the first N messages are acknowledged,
and `done` when everything has been computed.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import msgspec

from penstock.core.apps import Output
from penstock.core.queries import Query
from penstock.runtime.config import Config
from penstock.runtime.hub import Hub
from penstock.sql.engine.derived import Origin
from penstock.sql.settings import SqlSettings
from penstock.stores.settings import StoreSettings

#: When the data begins, seconds.
BEGIN = 1_700_000_000
#: Messages in all, and in a group.
MESSAGES, GROUP = 4000, 40
QUERIES = {
    1: "SELECT window_start, thing, AVG(result) AS mean FROM TABLE(TUMBLE(TABLE observations, "
    "DESCRIPTOR(time), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, thing",
    2: "SELECT result * 2 AS twice FROM observations WHERE result > 5",
}


def messages(seed: int) -> list[tuple[str, float, float]]:
    """Return (thing, time, value), in the order in which they come: some late, some corrected."""
    rng = random.Random(seed)
    rows = [(f"s{rng.randrange(5)}", i / 16, float(rng.randrange(10))) for i in range(MESSAGES)]
    return sorted(rows, key=lambda row: row[1] + rng.choice([0, 0, 0, 0, 0.5, 20]) * rng.random())


def config(data_dir: Path) -> Config:
    """Return settings under which all happens often."""
    return Config(
        data_dir=str(data_dir),
        store=StoreSettings(flush_interval_s=0.3),
        sql=SqlSettings(tick_s=0.02, catalog_age_s=0.5),
    )


async def run(data_dir: Path, seed: int) -> None:
    """Publish what is not acknowledged yet, and wait until it is computed."""
    hub = await asyncio.to_thread(Hub, config(data_dir))
    hub.start()
    for id_, sql in QUERIES.items():
        query = Query(sql=sql, lateness_s=1.0, idle_s=1.0)
        origin = Origin(id=id_, name=f"app{id_}", version=1, system=1)
        sink = hub.streams.sink(origin, Output(), hub.streams.explain(query))
        hub.streams.start(id_, query, sink, (BEGIN - 60) * 1_000_000)
    progress = data_dir / "acknowledged"
    at = int(progress.read_text()) if progress.exists() else 0
    rows = messages(seed)
    end = 0
    for start in range(at, len(rows), GROUP):
        group = [
            (
                "senml/test",
                msgspec.json.encode([{"n": f"{thing}/v", "t": BEGIN + time, "v": value}]),
            )
            for thing, time, value in rows[start : start + GROUP]
        ]
        end = await hub.publish(group, "test")
        progress.with_suffix(".new").write_text(str(start + GROUP))
        progress.with_suffix(".new").replace(progress)
        print(f"at {start + GROUP}", flush=True)  # noqa: T201
        await asyncio.sleep(0.01)
    await hub.ingested(end, 60)
    settled = 0
    while settled < 3:
        await asyncio.sleep(1.0)
        statuses = [hub.streams.status(id_) for id_ in QUERIES]
        is_done = all(s is not None and s.state == "running" for s in statuses)
        done = statuses[0].done_us if statuses[0] is not None else None
        is_past = done is not None and done > (BEGIN + MESSAGES / 16 + 30) * 1_000_000
        settled = settled + 1 if is_done and is_past else 0
    await hub.close()
    print("done", flush=True)  # noqa: T201


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
