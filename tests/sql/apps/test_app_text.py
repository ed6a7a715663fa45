"""Apps as text: what is written is read as it was, and mistakes are named by their line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.apps import AppSpec, Output, OutputKind
from penstock.core.errors import InvalidInput
from penstock.sql.apps.app_text import parse_apps, print_apps
from penstock.sql.apps.checking import checked
from penstock.sql.apps.durations import parse_duration, print_duration

LINES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20)
COLUMNS = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=8)
SECONDS = st.one_of(
    st.sampled_from([0.0, 0.5, 1.0, 2.0, 60.0, 90.0, 3600.0, 86_400.0, 0.001, 30.0]),
    st.floats(0, 3e7, allow_nan=False),
)


@st.composite
def specs(draw: st.DrawFn, name: str) -> AppSpec:
    kind = draw(st.sampled_from(OutputKind))
    named = st.dictionaries(COLUMNS, LINES, max_size=2)
    output = (
        Output(kind=kind, topic=draw(st.sampled_from(["a/b", "{thing}/mean", "x y"])))
        if kind is OutputKind.TOPIC
        else Output(thing=draw(LINES), units=draw(named), properties=draw(named))
    )
    body = draw(st.lists(LINES | st.sampled_from(["-- note", "", "FROM x"]), max_size=4))
    spec = AppSpec(
        name=name,
        sql="\n".join(["SELECT 1", *body]),
        system=draw(st.sampled_from(["", "default", "cz.icecars.fleet.Car1"])),
        output=output,
        lateness_s=draw(SECONDS),
        idle_s=draw(SECONDS),
        reach_s=draw(SECONDS),
        start=draw(st.sampled_from(["now", "beginning", "2026-01-31T12:00:00Z"])),
        description="\n".join(draw(st.lists(LINES, max_size=3))),
    )
    return checked(spec)


@given(st.data(), st.lists(st.from_regex(r"[a-z0-9_-]{1,9}", fullmatch=True), unique=True))
def test_what_is_written_is_read_as_it_was(data: st.DataObject, names: list[str]) -> None:
    apps = [data.draw(specs(name)) for name in names]
    assert parse_apps(print_apps(apps)) == apps


@given(SECONDS)
def test_a_duration_is_read_as_it_was(seconds: float) -> None:
    assert parse_duration(print_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2 s", 2), ("1min", 60), ("1.5 h", 5400), ("500 ms", 0.5), ("1 d", 86_400), (" 3 S ", 3)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "s", "-1 s", "2 weeks", "1e999 s", "nan s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidInput, match="no length of time"):
        parse_duration(text)


def test_comments_may_stand_before_the_first_app_and_in_the_sql() -> None:
    (app,) = parse_apps("-- Licence: none\r\n\r\n-- app: a\r\n\r\n-- why\r\nSELECT 1 -- one\r\n")
    assert app.sql == "-- why\nSELECT 1 -- one"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT 1", "line 1: an app begins with"),
        ("-- app: a\n-- lateness 2 s\n\nSELECT 1", "line 2: write `-- key: value`"),
        ("-- app: a\n-- latness: 2 s\n\nSELECT 1", "line 2: .*did you mean `lateness`"),
        ("-- app: a\n-- colour: red\n\nSELECT 1", "line 2: .*allowed are app, system"),
        ("-- app: a\n-- unit: m\n\nSELECT 1", "line 2: there is no key 'unit'"),
        ("-- app: a\n-- idle: 2\n\nSELECT 1", "line 2: '2' is no length of time"),
        ("-- app: a\n-- idle: 2 s\n-- idle: 3 s\n\nSELECT 1", "line 3: `idle_s` stands twice"),
        ("-- app: a\n-- output: nowhere\n\nSELECT 1", "line 2: output 'nowhere' is none"),
        ("-- app: a\n\n", "line 2: app 'a' has no SQL"),
        ("\n-- app: a", "line 3: app 'a' has no SQL"),
        ("-- app: a\n\nSELECT 1\n-- app: A\n\nSELECT 2", "app 'A' stands twice"),
    ],
)
def test_mistakes_are_named(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        parse_apps(text)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "a b"}, "app name"),
        ({"name": ""}, "app name"),
        ({"sql": "SELECT 1\n-- app: b"}, "line 2 of the SQL"),
        ({"sql": "x" * 100_001}, "sql has 100001 characters"),
        ({"lateness_s": -1.0}, "lateness_s = -1"),
        ({"reach_s": float("nan")}, "reach_s = nan"),
        ({"start": "tomorrow"}, "start 'tomorrow'"),
        ({"description": "a\0b"}, "no text"),
        ({"output": Output(topic="a")}, "a topic is given"),
        ({"output": Output(kind=OutputKind.TOPIC)}, "needs a topic"),
        ({"output": Output(kind=OutputKind.TOPIC, topic="a/#")}, "cannot be published to"),
        ({"output": Output(thing="a\nb")}, "no text"),
    ],
)
def test_what_cannot_be_kept_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        checked(AppSpec(**{"name": "a", "sql": "SELECT 1", **change}))  # type: ignore[arg-type]
