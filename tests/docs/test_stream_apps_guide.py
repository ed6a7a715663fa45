"""What docs/guides/stream-apps.md shows can be written so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from penstock.sql.apps.app_text import KEYS, parse_apps
from penstock.sql.apps.checking import checked
from penstock.sql.language import compile_adhoc, compile_query

PAGE = (Path(__file__).parents[2] / "docs/guides/stream-apps.md").read_text(encoding="utf-8")
APPS = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
QUESTIONS = re.findall(r"^\$ (penstock sql .*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("text", APPS)
def test_its_apps_are_apps(text: str) -> None:
    for app in parse_apps(text):
        assert checked(app) == app
        assert compile_query(app.sql, reach_us=1).meaning.columns


@pytest.mark.parametrize("line", QUESTIONS)
def test_its_questions_are_questions(line: str) -> None:
    assert compile_adhoc(shlex.split(line)[2]).sql


def test_it_explains_every_key_of_the_header() -> None:
    assert {f"| `{key}` |" for key in KEYS} <= {
        f"{line.split('|')[0]}|{line.split('|')[1]}|" for line in PAGE.splitlines() if "|" in line
    }
