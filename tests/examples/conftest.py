"""One running platform for all examples, and what it stored."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

ROOT = Path(__file__).parents[2]


class Platform:
    """`penstock up` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(folder)]
        command += ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ())
        line = self.process.stdout.readline()
        found = re.search(r"(http://\S+)  \(MQTT on ([^,]+)", line)
        assert found, line
        self.url, self.mqtt = found.groups()

    def rows(self, thing: str, name: str) -> list[tuple[int, float | str]]:
        """Return (time, result) of a Datastream by time; exactly as stored."""
        found = httpx.get(f"{self.url}/api/v1/datastreams", params={"thing": thing}, timeout=120)
        [number] = [d["id"] for d in found.json()["items"] if d["name"] == f"{thing}.{name}"]
        answer = httpx.get(
            f"{self.url}/api/v1/datastreams/{number}/observations",
            params={"format": "arrow"},
            timeout=120,
        )
        table = pa.ipc.open_stream(io.BytesIO(answer.raise_for_status().content)).read_all()
        times = table["time"].cast(pa.int64()).to_pylist()
        numbers = table["number"].to_pylist()
        texts = table["text"].to_pylist() if "text" in table.column_names else [None] * len(times)
        return [
            (time, text if number is None else number)
            for time, number, text in zip(times, numbers, texts, strict=True)
        ]


def environ() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[Platform]:
    one = Platform(tmp_path_factory.mktemp("platform"))
    yield one
    one.process.terminate()
    one.process.communicate(timeout=120)


@pytest.fixture(autouse=True)
def recordings() -> None:
    missing = [
        package
        for package in ("bokeh_sampledata", "obspy", "sktime", "vega_datasets")
        if find_spec(package) is None
    ]
    if missing:
        message = f"{', '.join(missing)}: pip install --no-deps -r requirements/recordings.lock"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture
def run_example(platform):
    """Run an example against the platform and return what it prints."""

    def run(name: str) -> str:
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / name, platform.url],
            capture_output=True,
            text=True,
            env=environ(),
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
