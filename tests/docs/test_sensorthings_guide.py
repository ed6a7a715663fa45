"""What docs/guides/sensorthings.md says to type works as it is written."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.platform import Running

PAGE = (Path(__file__).parents[2] / "docs/guides/sensorthings.md").read_text()
pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("mosquitto_sub")),
    reason="needs curl and the clients of Mosquitto; `make servers` installs them",
)


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("guide") / "data") as platform:
        yield platform


def run(running: Running, command: list[str], script: str) -> str:
    """Run what the page says, with the platform where it is here."""
    script = script.replace("http://localhost:8080", running.http)
    script = script.replace("-h localhost", f"-h {running.mqtt[0]} -p {running.mqtt[1]}")
    done = subprocess.run([*command, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert '"error"' not in done.stdout, done.stdout
    return done.stdout


def test_the_commands_and_the_program_work_in_their_order(running: Running) -> None:
    made, single, arrays, asked, listened = snippets("sh")
    # The shell of the reader goes on, and with it the variable of the second snippet.
    find = single[: single.index("curl -s -X POST")]
    first = run(running, ["bash", "-ec"], made + single)
    arrays, asked, listened = (
        run(running, ["bash", "-ec"], find + script) for script in (arrays, asked, listened)
    )
    assert "error" not in first
    assert arrays.count("/v1.1/Observations(") == 2
    assert '"result":182.5' in asked
    assert "2026-01-01T12:02:00" in asked
    assert '"name":"kitchen"' in asked
    assert '"result":183' in listened
    assert '"@iot.id"' in listened
    pytest.importorskip("frost_sta_client")
    (program,) = snippets("python")
    printed = run(running, [sys.executable, "-W", "ignore", "-c"], program)
    assert [line.split()[-1] for line in printed.splitlines()][:4] == [
        "181.5",
        "182",
        "182.5",
        "184.5",
    ]
