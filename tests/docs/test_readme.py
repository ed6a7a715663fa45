"""What the README tells people to type exists, and does what the README says."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from penstock.cli.main import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^penstock (.*?)(?:\s+#.*)?$", TEXT, re.MULTILINE)


def test_the_readme_fits_one_screen() -> None:
    assert len(TEXT.splitlines()) <= 60


def test_the_readme_shows_commands() -> None:
    assert len(COMMANDS) >= 5


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_and_its_options_exist(command: str) -> None:
    words = shlex.split(command)
    found = typer.main.get_command(app)
    while words and words[0] in getattr(found, "commands", {}):
        found = found.commands[words.pop(0)]
    assert not hasattr(found, "commands"), f"{command} names no command"
    known = {name for parameter in found.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"):
        named = set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", (ROOT / page).read_text()))
        assert {a or b for a, b in named} <= targets


def test_the_readme_s_import_works_on_such_a_file(tmp_path: Path) -> None:
    (command,) = [c for c in COMMANDS if c.startswith("import")]
    file = tmp_path / "history.csv"
    file.write_text("when,station,temperature\n2024-05-01T12:00:00Z,roof,17.5\n")
    words = [str(file) if word == "history.csv" else word for word in shlex.split(command)]
    outcome = CliRunner().invoke(app, [*words, "--dry-run"])
    assert outcome.exit_code == 0, outcome.output
    assert "roof" in outcome.output
