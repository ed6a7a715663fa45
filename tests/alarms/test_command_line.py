"""What people type about alarms, against a platform that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.alarms.living import PRESENT, Caller, eventually, now_us
from tests.alarms.receivers import webhook
from tests.api.live_house import LiveHouse
from typer.testing import CliRunner

from penstock.cli.main import app

RULES = f"""-- alarm: typed
-- severity: high
-- latched: yes
-- suppressed-by: typed-off
-- message: {{thing}} is at {{result}}
{PRESENT}SELECT time, thing, result FROM observations WHERE name = 'typed/a.x' AND result > 80

-- alarm: typed-off
{PRESENT}SELECT time, thing, result FROM observations WHERE name = 'typed/b.x' AND result > 80
"""


class Typing:
    """Types commands at a platform."""

    def __init__(self, url: str) -> None:
        self._environ = {"PENSTOCK_URL": url, "COLUMNS": "200"}

    def __call__(self, *words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, list(words), env=self._environ)
        assert done.exit_code == code, (done.output, done.exception)
        return done.output

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def type_(house: LiveHouse) -> Typing:
    return Typing(house.url)


def test_an_alarm_from_its_rule_to_its_reset(ask: Caller, type_: Typing, tmp_path: Path) -> None:
    file = tmp_path / "rules.sql"
    file.write_text(RULES)
    assert "typed, is " in type_("alarm-rules", "add", str(file))
    begin_us = now_us()
    ask.send("typed/b", "x", (begin_us, 90))
    eventually(lambda: type_.json("alarm-rules", "show", "typed")["suppressing"] == ["typed-off"])
    assert "suppressed by typed-off" in type_("alarm-rules", "list")
    ask.send("typed/a", "x", (now_us(), 95))
    eventually(lambda: ask.alarms("typed"))
    (alarm,) = ask.alarms("typed")
    id_ = str(alarm["id"])
    assert "typed/a is at 95" in type_("alarms", "list", "--mode", "suppressed")
    assert "typed/a" not in type_("alarms", "list", "--mode", "normal", "--mode", "shelved")
    assert "while typed-off is active" in type_("alarms", "show", id_)
    ask.send("typed/b", "x", (now_us(), 0))
    eventually(lambda: type_.json("alarms", "show", id_)["alarm"]["mode"] == "normal")

    assert "acknowledged, shelved" in (
        type_("alarms", "ack", id_, "-c", "I go there")
        and type_("alarms", "shelve", id_, "--for", "2h", "--reason", "It is mended")
    )
    assert "Shelved until (UTC)" in type_("alarms", "show", id_)
    type_("alarms", "shelve", id_, "--for", "-2h", "--reason", "x", code=1)
    type_("alarms", "unshelve", id_)
    type_("alarms", "comment", id_, "The fan is blocked")
    ask.send("typed/a", "x", (now_us(), 0))
    eventually(lambda: ask.alarms("typed")[0]["state"] == "latched acknowledged")
    assert "is normal" in type_("alarms", "reset", id_)
    said = type_("alarms", "show", id_)
    for word in ("raise", "suppress", "unsuppress", "shelve", "The fan is blocked", "reset"):
        assert word in said

    told = type_("alarm-rules", "backtest", "typed", "--from", str(begin_us), "--to", "now")
    assert "1 episodes of 1 subjects" in told
    assert "later" in told
    assert "Other rules suppress" in told
    assert "typed suppresses" not in type_("alarm-rules", "delete", "typed", "--yes")
    assert "-- alarm: typed-off" in type_("alarm-rules", "export")


def test_who_is_told_is_made_changed_tried_and_deleted(type_: Typing) -> None:
    with webhook() as receiver:
        type_("notifications", "add", "typed", "webhook", "http://127.0.0.1:1/", "--rule", "typed")
        assert "failed: 127.0.0.1 cannot be reached" in type_("notifications", "test", "typed")
        words = ("--address", receiver.url, "--severity", "high", "--disable", "--every-rule")
        changed = type_.json("notifications", "change", "typed", *words)["spec"]
        assert (changed["severity"], changed["enabled"], changed["rules"]) == ("high", False, [])
        assert changed["events"] == ["raise", "return", "withdraw"]
        assert "sent: 200 OK" in type_("notifications", "test", "typed")
    listed = type_("notifications", "list", "--target", "typed")
    assert ("200 OK" in listed, "cannot be reached" in listed) == (True, True)
    type_("notifications", "delete", "typed", "--yes")
    assert "typed" not in type_("notifications", "targets")
