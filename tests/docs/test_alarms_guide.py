"""The rules and commands of the guide are ones that work."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.alarms.rule_text import parse_rules, print_rule
from penstock.alarms.suppression import check_suppression
from penstock.alarms.watching import query_of, shape_of
from penstock.cli.main import app
from penstock.core.alarm_rules import RuleSpec
from penstock.sql.language import compile_query

GUIDE = (Path(__file__).parents[2] / "docs/guides/alarms.md").read_text()
RULES = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = re.findall(r"^\$ penstock (\S+ \S+)((?: .*)?)$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("text", RULES)
def test_every_rule_can_be_run(text: str) -> None:
    known: list[RuleSpec] = []
    for rule in parse_rules(text):
        query = query_of(rule, 1)
        meaning = compile_query(query.sql, reach_us=3_600_000_000).meaning
        shape = shape_of(rule, meaning)
        check_suppression(rule, known, [column.name for column in meaning.columns])
        assert shape.has_raised or rule.absent_s
        assert parse_rules(print_rule(rule)) == [rule]
        known.append(rule)


def test_the_table_names_every_key_of_the_header() -> None:
    told = set(
        re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (`.*?) \|", GUIDE, re.MULTILINE)))
    )
    fields = {
        name.removesuffix("_s").rstrip("_").replace("_", "-") for name in RuleSpec.__struct_fields__
    }
    assert told - {"alarm"} == fields - {"name", "sql"}


@pytest.mark.parametrize(("command", "more"), COMMANDS)
def test_every_command_is_there_with_its_options(command: str, more: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    for option in re.findall(r"--[a-z]+", more):
        assert option in shown.stdout
