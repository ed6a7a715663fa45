"""Answers that multiply are refused before they are written."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.core.errors import NotSupported
from penstock.sensorthings.grammar import Expand, Options
from penstock.sensorthings.sizes import MAX_ENTITIES, check_size


def _nested(depth: int) -> tuple[list[dict[str, Any]], Options]:
    entities: list[dict[str, Any]] = [{"@iot.id": 1, "properties": {"a": 1}}]
    options = Options()
    for _ in range(depth):
        entities = [{"@iot.id": at, "Things": entities, "Thing": entities[0]} for at in range(3)]
        options = Options(expand=(Expand("Things", options), Expand("Thing", options)))
    return entities, options


def test_entities_that_show_again_and_again_count_each_time() -> None:
    check_size(*_nested(3))
    with pytest.raises(NotSupported, match=f"more than {MAX_ENTITIES}; choose fewer"):
        check_size(*_nested(19))


def test_many_entities_can_be_shown() -> None:
    check_size([{"@iot.id": at} for at in range(MAX_ENTITIES)], Options())
