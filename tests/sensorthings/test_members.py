"""Paths within JSON follow one rule, whatever is asked for."""

from __future__ import annotations

import pytest

from penstock.sensorthings.members import member, position

VALUE = {"rooms": [{"name": "hall"}, [7, 8]], "0": "zero"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("rooms/0/name", "hall"),
        ("rooms/1/1", 8),
        ("rooms/01/0", 7),
        ("0", "zero"),
        ("rooms/2", None),
        ("rooms/name", None),
        ("rooms/0/name/0", None),
        ("gone/0", None),
    ],
)
def test_a_path_leads_to_a_member(path: str, found: object) -> None:
    assert member(VALUE, path.split("/")) == found


@pytest.mark.parametrize("name", ["-1", "²", "٣", "", "1.0", "9" * 5000, "0000000001"])
def test_what_is_no_place_in_a_list_leads_nowhere(name: str) -> None:
    assert position(["a", "b", "c", "d"], name) is None
