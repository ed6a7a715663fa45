"""The examples and the snippets of the guide run against a platform, and say what they should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.client.conftest import Platform

#: Starting a platform may take a minute on a machine with much else to do.
pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/guides/python-client.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def run(platform: Platform, folder: Path, *arguments: str) -> str:
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PENSTOCK_URL": platform.url},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_device(platform: Platform, tmp_path: Path) -> None:
    script = str(ROOT / "examples/client/device.py")
    said = run(platform, tmp_path, script, platform.url)
    assert said == "40 results on the platform's disk, 0 wait\nall arrived\n"


def test_a_twin(platform: Platform, tmp_path: Path) -> None:
    said = run(platform, tmp_path, str(ROOT / "examples/client/twin.py"), platform.url)
    assert said.splitlines() == [
        "Car1.temperature = 4.5 °C",
        "Car1.temperature = -1.5 °C",
        "the road at (13.04, 47.8) could be slippery",
        "Car1.braking = True",
    ]


def test_an_analyst(platform: Platform, tmp_path: Path) -> None:
    said = run(platform, tmp_path, str(ROOT / "examples/client/analyst.py"), platform.url)
    assert said.splitlines() == [
        "2026-01-01 00:00:00+00:00: 2.02 m",
        "2026-01-01 01:00:00+00:00: 2.06 m",
        "2026-01-01 02:00:00+00:00: 2.10 m",
        "1440 rows, 2.50 m",
        "newest: 2.999 at 23:59",
    ]


def test_every_example_is_listed_and_tested() -> None:
    listed = (ROOT / "examples/README.md").read_text()
    tests = Path(__file__).read_text()
    for path in sorted((ROOT / "examples/client").glob("*.py")):
        assert f"(client/{path.name})" in listed
        assert f"examples/client/{path.name}" in tests


def test_the_guide_has_snippets() -> None:
    assert len(SNIPPETS) >= 8


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_of_the_guide_runs(platform: Platform, tmp_path: Path, number: int) -> None:
    (tmp_path / "instances.json").write_text((ROOT / "examples/client/instances.json").read_text())
    snippet = SNIPPETS[number]
    if "client." in snippet and "Client(" not in snippet:
        pytest.fail("each snippet stands for itself")
    run(platform, tmp_path, "-c", snippet)
