import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.alarms.rule_text import parse_rule, parse_rules, print_rule, print_rules
from penstock.core.alarm_rules import RuleSpec, Severity
from penstock.core.errors import InvalidInput

WORDS = st.from_regex(r"[A-Za-z0-9{}<>=.']+( [A-Za-z0-9{}<>=.']+){0,3}", fullmatch=True)
LENGTHS = st.sampled_from([0.0, 0.25, 1.0, 90.0, 600.0, 7200.0, 12.5])
RULES = st.builds(
    RuleSpec,
    name=st.from_regex(r"[a-z0-9_-]{1,63}", fullmatch=True),
    sql=st.sampled_from(
        ["SELECT time FROM observations WHERE result > 1", "SELECT a,\n  b\nFROM c"]
    ),
    severity=st.sampled_from(Severity),
    raise_=WORDS | st.just(""),
    clear=WORDS | st.just(""),
    hold_s=LENGTHS,
    off_delay_s=LENGTHS,
    absent_s=LENGTHS,
    message=WORDS | st.just(""),
    notify=st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), max_size=3),
    expect=st.lists(st.from_regex(r"[a-z/*]{1,9}", fullmatch=True), max_size=3),
    latched=st.booleans(),
    flapping=st.integers(0, 100),
    description=WORDS | st.just(""),
)


@given(st.lists(RULES, min_size=1, max_size=3))
def test_rules_are_read_as_they_were_written(rules: list[RuleSpec]) -> None:
    read = parse_rules(print_rules(rules))
    assert [print_rule(one) for one in read] == [print_rule(one) for one in rules]
    assert [(one.hold_s, one.raise_, list(one.notify), one.sql) for one in read] == [
        (one.hold_s, one.raise_, list(one.notify), one.sql) for one in rules
    ]


def test_a_rule_as_people_write_it() -> None:
    rule = parse_rule(
        "-- alarm: too-hot\n-- severity: high\n-- hold: 10 s\n-- clear: result < 75\n"
        "-- message: {thing} is at {result} {unit}\n\n"
        "-- only the boilers\nSELECT time, thing, result, unit FROM observations\n"
        "WHERE result > 80;\n"
    )
    assert rule == RuleSpec(
        name="too-hot",
        severity=Severity.HIGH,
        hold_s=10.0,
        clear="result < 75",
        message="{thing} is at {result} {unit}",
        sql="SELECT time, thing, result, unit FROM observations\nWHERE result > 80",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1", "line 1"),
        ("-- alarm: a\n-- hold: soon\nSELECT 1", "line 2: hold"),
        ("-- alarm: a\n-- colour: red\nSELECT 1", "line 2: 'colour'"),
        ("-- alarm: a\n-- severity: awful\nSELECT 1", "low, medium, high, critical"),
        ("-- alarm: a\n-- latched: perhaps\nSELECT 1", "neither yes nor no"),
        ("", "no rule"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_rules(text)
