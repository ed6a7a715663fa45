"""The page about routes says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from penstock.ingest import DEFAULT_ROUTES, IngestSettings

PAGE = Path(__file__).parents[2] / "docs/reference/routes.md"


def test_the_page_lists_the_default_routes_in_order():
    section = PAGE.read_text().split("## Default routes")[1].split("## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.MULTILINE)
    found = [(topic, tuple(re.findall(r"`(\w+)`", codecs))) for topic, codecs in rows]
    assert found == [(route.topic, route.codecs) for route in DEFAULT_ROUTES]


def test_settings_named_on_the_page_exist():
    known = {field.name for field in msgspec.structs.fields(IngestSettings)}
    text = PAGE.read_text()
    named = {n for n in re.findall(r"`(\w+)(?: = \w+)?`", text) if n.startswith(("max_", "debug"))}
    assert named
    assert named | {"enrolment", "default_routes"} <= known


def test_the_example_route_is_valid():
    example = re.search(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    (route,) = msgspec.toml.decode(example)["ingest"]["routes"]
    assert msgspec.convert({"routes": [route]}, IngestSettings).routes[0].codecs == (
        "senml",
        "flat",
    )
