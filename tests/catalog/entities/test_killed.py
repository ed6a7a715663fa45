"""A deep insert that is killed leaves nothing half-made, and what was answered is there."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.catalog.template import fresh_catalog, place_of, reopened

CHILD = """
import sys
from penstock.catalog import SqlCatalog
from penstock.catalog.entities import SqlEntities
from penstock.core.entities import New
from penstock.testing.entities_contract import place, stream, thing

entities = SqlEntities(SqlCatalog.open(sys.argv[1]).database)
print("ready", flush=True)
while True:
    new = thing("t", Locations=[place(1, 2)], Datastreams=[stream(f"s{n}") for n in range(20)])
    print(entities.create(new, 1, 1).id, flush=True)
"""

WHOLE = """
SELECT thing.id,
    (SELECT count(*) FROM datastream WHERE thing_id = thing.id),
    (SELECT count(*) FROM thing_location WHERE thing_id = thing.id),
    (SELECT count(*) FROM historical_location WHERE thing_id = thing.id),
    CAST(position AS TEXT)
FROM thing
"""


@pytest.mark.parametrize("seed", range(2))
def test_a_killed_deep_insert_is_whole_or_not_there(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    fresh_catalog(tmp_path).close()
    file = place_of(tmp_path)
    answered: set[int] = set()
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(file)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(chance.randint(2, 6))]
        time.sleep(chance.random() / 50)
        child.kill()
        lines += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        answered |= {int(line) for line in lines if line.strip().isdigit() and line.endswith("\n")}

    catalog = reopened(tmp_path)
    with catalog.database.read() as connection:
        things = connection.exec_driver_sql(WHOLE).fetchall()
        assert answered <= {row[0] for row in things}
        assert {tuple(row[1:]) for row in things} == {(20, 1, 1, "[1.0,2.0]")}
        for table in ("sensor", "observed_property"):
            lonely = (
                f"SELECT count(*) FROM {table} WHERE id NOT IN (SELECT {table}_id FROM datastream)"
            )
            assert connection.exec_driver_sql(lonely).scalar() == 0, table
    catalog.close()
