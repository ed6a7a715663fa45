"""The OpenAPI document of the service describes what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from penstock.core.entity_types import SETS, TYPES
from penstock.sensorthings.description import describe

DOCUMENT: dict[str, Any] = json.loads(describe("http://localhost/v1.1"))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        place = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


def test_every_set_and_every_link_has_a_path() -> None:
    for name, kind in SETS.items():
        assert {"get", "post"} <= DOCUMENT["paths"][f"/{name}"].keys()
        for link in kind.links:
            assert f"/{name}({{id}})/{link.name}" in DOCUMENT["paths"]
    assert DOCUMENT["components"]["schemas"].keys() == {*TYPES, *SETS}
    assert DOCUMENT["info"]["version"] == "1.1"
