"""Answers that multiply are refused before they are written."""

from __future__ import annotations

import pytest

from penstock.core.errors import NotSupported
from penstock.sensorthings.showing import Shown
from penstock.sensorthings.sizes import MAX_ENTITIES


def test_entities_that_show_again_and_again_count_each_time() -> None:
    inner = Shown(3)
    for depth in range(3):
        outer = Shown(3)
        outer.grow([inner.size(0, 3)] * 3)
        outer.grow([inner.size(0, 1)] * 3)
        inner = outer
        assert inner.size(0, 3) == (15, 63, 255)[depth]
    with pytest.raises(NotSupported, match=f"more than {MAX_ENTITIES}; choose fewer"):
        inner.grow([MAX_ENTITIES // 3] * 3)


def test_many_entities_can_be_shown() -> None:
    shown = Shown(1)
    shown.grow([MAX_ENTITIES - 1])
    assert shown.size(0, 1) == MAX_ENTITIES
