"""Every command answers scripts, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from tests.cli.test_asking_the_hub import Hub
from typer.testing import CliRunner

from penstock import __version__
from penstock.cli.main import app

#: What writes a file, or text that another command takes, or runs the platform.
OTHER_FORMS = {"export", "apps export", "alarm-rules export", "up", "demo"}


def _commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, f"{path} {name}".strip())
    if not hasattr(command, "commands"):
        yield path, command


def test_every_command_has_json() -> None:
    without = set()
    for path, command in _commands(typer.main.get_command(app)):
        options = {option for parameter in command.params for option in parameter.opts}
        if "--json" not in options:
            without.add(path)
    assert without == OTHER_FORMS


GRANT = {
    "id": 4,
    "owner": "a.b.c.d",
    "reader": "a.b.c.e",
    "thing": None,
    "datastream": None,
    "state": "in_force",
}


@pytest.mark.parametrize(
    ("command", "answers", "said", "expected"),
    [
        (
            "devices approve one two",
            {"POST /devices/one/approve": (200, {"name": "one"}), "POST /devices/two/approve": 204},
            "one may send.\ntwo may send.\n",
            [{"name": "one"}, {"name": "two"}],
        ),
        (
            "grants accept 4",
            {"POST /grants/4/accept": (200, GRANT)},
            "Grant 4, everything of a.b.c.d to a.b.c.e: in force.\n",
            GRANT,
        ),
        ("keys revoke 3 --yes", {"DELETE /keys/3": 204}, "Key 3 is revoked.\n", {}),
        (
            "devices delete one -y",
            {"DELETE /devices/one": 204},
            "one is deleted.\n",
            [{"name": "one"}],
        ),
    ],
)
def test_what_was_done_is_said_in_words_or_json(
    command: str, answers: dict[str, Any], said: str, expected: Any
) -> None:
    hub = Hub()
    try:
        hub.answers = {
            what: (answer, b"") if isinstance(answer, int) else answer
            for what, answer in answers.items()
        }
        runner = CliRunner()
        asked = [*command.split(), "--url", hub.url]
        assert runner.invoke(app, asked).stdout == said
        assert json.loads(runner.invoke(app, [*asked, "--json"]).stdout) == expected
    finally:
        hub.close()


def test_version_and_a_password_are_said_to_scripts() -> None:
    runner = CliRunner()
    assert json.loads(runner.invoke(app, ["version", "--json"]).stdout) == {"version": __version__}
    asked = runner.invoke(app, ["password", "--json"], input="secret\nsecret\n")
    assert json.loads(asked.stdout)["password_hash"].startswith("$argon2id$")
