"""JSON Patch (RFC 6902), PATCH and PUT."""

from __future__ import annotations

import pytest
from tests.conformance.sensorthings.marks import behaviour, requirement
from tests.conformance.sensorthings.service import Service, at, datastream, place, thing

KIND = "application/json-patch+json"
CLASS = "c02cud/JsonPatchTests"
pytestmark = requirement("req/create-update-delete/update-entity-jsonpatch")


def patch(sta: Service, path: str, *operations: dict[str, object], status: int = 200) -> None:
    sta.change("PATCH", path, list(operations), status, KIND)


def move_and_copy(sta: Service, path: str) -> None:
    """Add a member, copy it, move it."""
    patch(sta, path, {"op": "add", "path": "/properties", "value": {"key1": 1}})
    assert sta.get(path)["properties"] == {"key1": 1}
    patch(
        sta,
        path,
        {"op": "copy", "from": "/properties/key1", "path": "/properties/keyCopy1"},
        {"op": "move", "from": "/properties/key1", "path": "/properties/key2"},
    )
    assert sta.get(path)["properties"] == {"keyCopy1": 1, "key2": 1}


@behaviour(CLASS, "jsonPatchThingTest")
def test_members_of_a_thing_are_added_copied_and_moved(sta: Service) -> None:
    move_and_copy(sta, at("Things", sta.make("Things", thing())))


@behaviour(CLASS, "jsonPatchDatastreamTest")
def test_members_of_a_datastream_are_added_copied_and_moved(sta: Service) -> None:
    sta.post("Things", thing(Locations=[place()], Datastreams=[datastream()]))
    move_and_copy(sta, at("Datastreams", sta.ids("Datastreams")[0]))


@behaviour(CLASS, "jsonPatchThingNoOpTest")
def test_a_patch_that_changes_nothing_is_fine(sta: Service) -> None:
    path = at("Things", sta.make("Things", thing(properties={"key1": 2})))
    patch(sta, path, {"op": "replace", "path": "/properties/key1", "value": 2})
    assert sta.get(path)["properties"] == {"key1": 2}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/properties/missing"},
        {"op": "test", "path": "/name", "value": "somebody else"},
        {"op": "conjure", "path": "/name", "value": "x"},
        {"op": "add", "path": "name", "value": "x"},
        {"op": "replace", "path": "/name", "value": 7},
    ],
)
def test_a_patch_that_cannot_be_done_changes_nothing(
    sta: Service, operation: dict[str, object]
) -> None:
    path = at("Things", sta.make("Things", thing(properties={"a": 1})))
    before = sta.get(path)
    first = {"op": "replace", "path": "/properties/a", "value": 2}
    answer = sta.http.patch(sta.url(path), json=[first, operation], headers={"content-type": KIND})
    assert answer.status_code in (400, 409), answer.text
    assert sta.get(path) == before
