"""The commands of `penstock simulate`."""

from __future__ import annotations

import io
import json
import sys

import pytest
from typer.testing import CliRunner

from penstock.cli.simulate import app
from penstock.cli.simulation import shown
from penstock.simulators.mqtt import Broker
from penstock.simulators.pace import Progress
from penstock.simulators.publisher import Publisher


def invoke(*arguments: str):
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    "command",
    [
        ["accelerometer", "--rate", "50", "--count", "3"],
        ["stations", "--rate", "2", "--count", "9"],
        ["factory", "--sites", "101,103", "--historic-from", "2026-11-20"],
        ["factory", "--count", "2", "--as-original", "--historic"],
        ["travellers", "--rate", "1", "--count", "5"],
        ["fleet", "--rate", "3", "--count", "6"],
    ],
)
def test_every_simulator_runs_with_its_options(mosquitto, command: list[str]):
    result = invoke(
        *command,
        *("--broker", f"127.0.0.1:{mosquitto.port}", "--messages", "40", "--json"),
        *("--as-fast-as-possible", "--seed", "3", "--start", "2026-11-22T00:00:00Z"),
    )
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["simulator"], summary["messages"], summary["acked"]) == (command[0], 40, 40)
    assert summary["start_us"] == 1_795_305_600_000_000


def test_a_recording_is_replayed(mosquitto, witness, tmp_path):
    path = tmp_path / "lab.csv"
    path.write_text("when,level\n2024-01-01,1\n2024-01-02,2.5\n")
    result = invoke(
        *("replay", str(path), "--time", "when", "--topic", "plant/{thing}"),
        *("--broker", f"127.0.0.1:{mosquitto.port}", "--as-fast-as-possible"),
    )
    assert result.exit_code == 0, result.output
    assert "2 messages sent, 2 acknowledged" in result.stdout
    witness.wait(2)
    assert witness.got == [
        ("plant/lab", b'{"level":1.0,"timestamp":"2024-01-01T00:00:00.000000Z"}'),
        ("plant/lab", b'{"level":2.5,"timestamp":"2024-01-02T00:00:00.000000Z"}'),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["factory", "--sites", "101;102"], "is not a list of numbers"),
        (["stations", "--start", "yesterday"], "is not a time"),
        (["factory", "--historic-from", "1/2/3"], "is not a time"),
        (["stations", "--qos", "3"], "--qos"),
        (["replay", "x.csv", "--shift", "later"], "it is now or none"),
    ],
)
def test_wrong_options_are_refused_with_what_is_allowed(arguments: list[str], message: str):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal_only(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with shown("stations", quiet=False) as watch:
        assert watch is not None
        watch(Progress(messages=5), Publisher(Broker()))
    assert "acknowledged" in screen.getvalue()
    assert "broker is away" in screen.getvalue()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with shown("stations", quiet=False) as watch:
        assert watch is None
