"""Tasking: actuators, what they can do, and tasks for them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conformance.sensorthings.marks import requirement
from tests.conformance.sensorthings.service import Service, at, own, ref, thing

PARAMETERS = {
    "type": "DataRecord",
    "field": [
        {
            "name": "on",
            "label": "on or off",
            "type": "Boolean",
        }
    ],
}


def actuator(name: str = "relay") -> dict[str, object]:
    text = {"name": name, "description": f"the {name}"}
    return {**text, "encodingType": "application/pdf", "metadata": f"{name}.pdf"}


def capability(**more: object) -> dict[str, object]:
    return {
        "name": "switch",
        "description": "turns it on and off",
        "taskingParameters": PARAMETERS,
        **more,
    }


@pytest.fixture
def path(sta: Service) -> str:
    """The path of a TaskingCapability."""
    body = thing(TaskingCapabilities=[capability(Actuator=actuator())])
    sta.post("Things", body)
    return at("TaskingCapabilities", sta.ids("TaskingCapabilities")[0])


@requirement("req/actuator/properties")
@requirement("req/actuator/relations")
def test_an_actuator_comes_back_as_it_was(sta: Service) -> None:
    found = sta.get(at("Actuators", sta.make("Actuators", actuator())))
    assert {**actuator(), **own(found)} == own(found)
    assert "TaskingCapabilities@iot.navigationLink" in found


@requirement("req/tasking-capability/properties")
@requirement("req/tasking-capability/relations")
def test_a_capability_belongs_to_a_thing_and_an_actuator(sta: Service, path: str) -> None:
    found = sta.get(path, expand="Thing,Actuator,Tasks")
    assert found["taskingParameters"] == PARAMETERS
    assert found["Thing"]["name"] == "oven"
    assert found["Actuator"]["name"] == "relay"
    assert found["Tasks"] == []
    one = sta.ids("Things")[0]
    assert len(sta.ids(f"{at('Things', one)}/TaskingCapabilities")) == 1
    assert sta.http.post(sta.url("TaskingCapabilities"), json=capability()).status_code == 400


@requirement("req/task/properties")
@requirement("req/task/relations")
@requirement("req/create-tasks/task-creation")
def test_a_task_is_made_for_a_capability(sta: Service, path: str) -> None:
    body: dict[str, Any] = {"taskingParameters": {"on": True}}
    id_ = sta.make(f"{path}/Tasks", body)
    found = sta.get(at("Tasks", id_))
    assert found["taskingParameters"] == {"on": True}
    assert found["creationTime"].endswith("Z")
    again = {**body, "TaskingCapability": ref(sta.get(path)["@iot.id"])}
    other = sta.make("Tasks", again)
    assert sta.ids(f"{path}/Tasks", orderby="creationTime,id") == [id_, other]
    assert sta.http.post(sta.url("Tasks"), json=body).status_code == 400
    assert sta.http.post(sta.url(f"{path}/Tasks"), json={}).status_code == 400


@requirement("req/create-tasks/task-creation")
def test_tasks_go_with_their_capability(sta: Service, path: str) -> None:
    sta.post(f"{path}/Tasks", {"taskingParameters": {"on": False}})
    sta.delete(path)
    assert sta.ids("Tasks") == []
    assert len(sta.ids("Actuators")) == 1
