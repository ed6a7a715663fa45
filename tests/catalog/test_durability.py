"""What `enrol` returned is there after `kill -9`, with the same ids."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.catalog.template import fresh_catalog, place_of, reopened

from penstock.core.catalog import Policy
from penstock.core.series import Series

CHILD = """
import sys
from penstock.catalog import SqlCatalog
from penstock.core.catalog import Policy
from penstock.core.series import Series

catalog = SqlCatalog.open(sys.argv[1])
turn = int(sys.argv[2])
while True:
    batch = [Series(thing=f"t{turn}", name=f"n{n}", location=(turn % 90, 1.0)) for n in range(5)]
    ids = [answer.datastream for answer in catalog.enrol(batch, Policy.AUTOMATIC, turn)]
    print(turn, *ids, flush=True)
    turn += 1
"""


@pytest.mark.parametrize("seed", range(3))
def test_what_was_enrolled_survives_a_kill(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    fresh_catalog(tmp_path).close()
    file = place_of(tmp_path)
    turn = 0
    held: dict[int, list[int]] = {}
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(file), str(turn)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(chance.randint(1, 20))]
        time.sleep(chance.random() / 100)
        child.kill()
        lines += child.stdout.readlines()
        child.wait()
        child.stdout.close()
        for line in lines:
            if line.endswith("\n"):
                turn, *ids = map(int, line.split())
                held[turn] = ids
        turn += 2

    catalog = reopened(tmp_path)
    for at, ids in held.items():
        batch = [Series(thing=f"t{at}", name=f"n{n}") for n in range(5)]
        answers = catalog.enrol(batch, Policy.CLOSED, 0)
        assert [answer.datastream for answer in answers] == ids
    every = [info.id for info in catalog.datastreams(limit=100_000)]
    assert len(every) == len(set(every)) >= 5 * len(held)
    catalog.close()
