"""Writes that `kill -9` cuts short between catalog, log and store are done at the next start."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.template import fresh_catalog
from tests.sensorthings.writing.bodies import datastream, thing
from tests.sensorthings.writing.site import Site

#: Runs a request, and dies before or behind the call that is named.
CHILD = """
import os, signal, sys
from pathlib import Path
from tests.sensorthings.writing.bodies import datastream, thing
from tests.sensorthings.writing.site import Site

folder, call, when, job = sys.argv[1:]
site = Site(Path(folder))
if job == "move":
    site.post("Things", thing(datastream(), datastream(name="other")))
    first = site.post("Datastreams(1)/Observations",
                      {"phenomenonTime": "2024-05-01T12:00:00Z", "result": 7})
owner = {"publish": site, "finish": site.entities, "move": site.entities,
         "delete": site.store}[call]
plain = getattr(owner, call)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(*args):
    if when == "before":
        die()
    plain(*args)
    die()

async def dying_later(*args):
    if when == "before":
        die()
    await plain(*args)
    die()

setattr(owner, call, dying_later if call == "publish" else dying)
if job == "move":
    site.ask("patch", f"Observations({first})", {"phenomenonTime": "2024-05-01T13:00:00Z"})
else:
    site.post("Things", thing(datastream(Observations=[
        {"phenomenonTime": "2024-05-01T12:00:00Z", "result": 1}, {"result": 2}])))
"""


def _killed(folder: Path, call: str, when: str, job: str) -> Site:
    fresh_catalog(folder).close()
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), call, when, job],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    return Site(folder)


def _resume(site: Site) -> int:
    done: int = site.runner.run(site.writing.resume())
    site.runner.run(site.ingested(site.publisher.end_offset, 30))
    assert site.entities.unfinished() == {}
    return done


@pytest.mark.parametrize(
    ("call", "when"),
    [("publish", "before"), ("publish", "behind"), ("finish", "before"), ("finish", "behind")],
)
def test_a_deep_insert_has_its_observations_after_a_kill(
    tmp_path: Path, call: str, when: str
) -> None:
    site = _killed(tmp_path, call, when, "insert")
    try:
        assert site.count("Datastream") == 1
        assert _resume(site) == (0 if (call, when) == ("finish", "behind") else 1)
        found: list[Any] = [row["result"] for row in site.observations(1)]
        assert sorted(found) == [1, 2]
        assert _resume(site) == 0
        assert len(site.observations(1)) == 2
    finally:
        site.close()


@pytest.mark.parametrize("when", ["before", "behind"])
@pytest.mark.parametrize("call", ["publish", "move", "delete"])
def test_an_observation_is_at_one_place_after_a_kill(tmp_path: Path, call: str, when: str) -> None:
    site = _killed(tmp_path, call, when, "move")
    try:
        site.runner.run(site.ingested(site.publisher.end_offset, 30))
        assert _resume(site) == 1
        (row,) = site.observations(1)
        assert (row["phenomenonTime"], row["result"]) == ("2024-05-01T13:00:00Z", 7)
        (identity,) = site.entities.moved([str(row["@iot.id"])]).values()
        assert identity.datastream == 1
        # Back home, where nothing is left over.
        back = {"phenomenonTime": "2024-05-01T12:00:00Z"}
        assert site.ask("patch", f"Observations({row['@iot.id']})", back).status == 200
        assert [one["phenomenonTime"] for one in site.observations(1)] == list(back.values())
        assert site.entities.unfinished() == {}
    finally:
        site.close()


def test_nothing_is_left_to_be_done_when_all_went_well(tmp_path: Path) -> None:
    site = Site(tmp_path)
    try:
        site.post("Things", thing(datastream(Observations=[{"result": 1}])))
        (row,) = site.observations(1)
        later = {"phenomenonTime": "2031-05-01T12:00:00Z"}
        site.ask("patch", f"Observations({row['@iot.id']})", later)
        assert site.entities.unfinished() == {}
        assert _resume(site) == 0
    finally:
        site.close()
