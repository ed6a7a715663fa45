"""Whatever the order of arrival, the batches and the crashes: the same as one run over all data.

Generated queries through the engine, the lake and the catalog; `make oracle` runs the long form.
`PENSTOCK_ORACLE_CASES` says how many queries, `PENSTOCK_ORACLE_FROM` at which life to begin.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import duckdb
import pytest
from tests.sql.engine.living import Life
from tests.sql.running import connect

from penstock.sql.engine import pieces
from penstock.sql.engine.standing import Standing

BEGIN = int(os.environ.get("PENSTOCK_ORACLE_FROM", "0"))
CASES = int(os.environ.get("PENSTOCK_ORACLE_CASES", "40"))
#: Lives that one test lives, and queries in each.
LIVES, QUERIES = 5, 5
#: Where files cost little, if there is such a place.
SHELF = "/dev/shm" if Path("/dev/shm").is_dir() else None


def differences(seed: int, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Live a life, and return what is not as it should be."""
    with tempfile.TemporaryDirectory(dir=SHELF) as folder:
        life = Life(Path(folder), seed, QUERIES - 1)
        try:
            life.live()
            return list(life.differences(connection))
        finally:
            life.close()


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pieces of long windows for a few rows already."""
    monkeypatch.setattr(pieces, "AHEAD_ROWS", 3)


@pytest.mark.parametrize("begin", range(BEGIN, BEGIN + CASES // QUERIES, LIVES))
@pytest.mark.timeout(1200)
def test_any_order_any_batches_any_crashes_end_as_one_run(begin: int) -> None:
    connection = connect()
    wrong: list[str] = []
    for seed in range(begin, min(begin + LIVES, BEGIN + CASES // QUERIES)):
        wrong += differences(seed, connection)
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(1200)
def test_the_oracle_sees_an_engine_that_does_not_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Standing, "touch", lambda _self, _ranges: None)
    connection = connect()
    assert any(differences(seed, connection) for seed in range(3))
