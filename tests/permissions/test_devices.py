"""Devices: who may see, read, command and change them, for everybody in the matrix."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.house import T0, House
from tests.permissions.town import Town, settle

from penstock.core.access import Action, Principal, Resource
from penstock.core.catalog import Policy
from penstock.core.device_logs import Level, LogLine
from penstock.core.devices import DeviceFacts
from penstock.testing import permission_matrix as matrix

#: Two devices of system 2, one of them shared in part, and one of the default system.
DEVICES = {"at.a.w.a1.t1": 2, "at.a.w.a1.t2": 2, "AAD-1123": 1}
NAMES = [
    *(user.name for user in matrix.organisation().users),
    *(client.name for client in matrix.organisation().clients),
    "nobody",
]
ASKED = [
    ("GET", "", None, Action.VIEW),
    ("GET", "/logs", None, Action.READ),
    ("GET", "/state", None, Action.READ),
    ("GET", "/tasks", None, Action.READ),
    ("GET", "/track", None, Action.READ),
    ("GET", "/targets", None, Action.READ),
    ("POST", "/commands", {"command": "sleep"}, Action.COMMAND),
    ("PUT", "/state/desired", {"a": 1}, Action.COMMAND),
    ("PATCH", "", {"sample_frequency": 5}, Action.MANAGE),
    ("POST", "/refuse", None, Action.MANAGE),
    ("POST", "/approve", None, Action.MANAGE),
    ("DELETE", "", None, Action.MANAGE),
]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Town]]:
    folder: Path = tmp_path_factory.mktemp("devices")
    house, town = settle(folder)
    yield house, town
    house.fleet.close()
    house.passwords.close()
    house.catalog.close()


def stand(house: House) -> dict[str, int]:
    """Let the devices be there (again), and return their Things."""
    facts = [
        DeviceFacts(name=name, system=system, type="accelerometer")
        for name, system in DEVICES.items()
    ]
    found = house.fleet.records.register(facts, Policy.AUTOMATIC, T0)
    return {device.name: device.thing_id or 0 for device in found}


def holder(house: House, town: Town, name: str) -> Principal:
    secret = town.headers(name).get("authorization", "").removeprefix("Bearer ")
    return house.identities.access().holder(secret) or Principal()


@pytest.mark.parametrize("name", NAMES)
async def test_everybody_may_with_devices_what_they_may_with_their_things(
    town: tuple[House, Town], name: str
) -> None:
    house, people = town
    who, access = holder(house, people, name), house.identities.access()
    headers = people.headers(name)
    for device, system in DEVICES.items():
        for method, path, body, action in ASKED:
            thing = stand(house)[device]
            house.clock.advance(1)  # those who show nothing may not ask faster
            answer = await house.client.request(
                method, f"/api/v1/devices/{device}{path}", json=body, headers=headers
            )
            if not access.is_welcome(who):
                expected = 401
            elif not access.scope(who).holds(system, thing, 0):
                expected = 404
            elif not access.allows(who, action, Resource("thing", thing, system)):
                expected = 403
            else:
                expected = 200
            got = 200 if answer.is_success else answer.status_code
            assert got == expected, (name, method, device, path, answer.text)


@pytest.mark.parametrize("name", NAMES)
async def test_lists_hold_what_one_may_read_and_nothing_else(
    town: tuple[House, Town], name: str
) -> None:
    house, people = town
    things = stand(house)
    who, access = holder(house, people, name), house.identities.access()
    house.fleet.logs.append(
        [
            LogLine(device=device, system=system, time_us=T0, level=Level.INFO, message="on")
            for device, system in DEVICES.items()
        ]
    )
    scope = access.scope(who)
    allowed = {d for d, system in DEVICES.items() if scope.holds(system, things[d], 0)}
    for path, field in (("/devices", "name"), ("/device-logs", "device"), ("/tasks", "device")):
        answer = await house.client.get(f"/api/v1{path}", headers=people.headers(name))
        if not access.is_welcome(who):
            assert answer.status_code == 401
            continue
        found = {item[field] for item in answer.json()["items"]}
        assert found <= allowed, path
        assert found == allowed or path == "/tasks"


@pytest.mark.parametrize("name", NAMES)
async def test_a_command_for_all_reaches_only_those_that_one_may_command(
    town: tuple[House, Town], name: str
) -> None:
    house, people = town
    things = stand(house)
    who, access = holder(house, people, name), house.identities.access()
    answer = await house.client.put("/api/v1/sensors/sleep?all=true", headers=people.headers(name))
    if not access.is_welcome(who):
        assert answer.status_code == 401
        return
    allowed = {
        device
        for device, system in DEVICES.items()
        if access.allows(who, Action.COMMAND, Resource("thing", things[device], system))
        and access.scope(who).holds(system, things[device], 0)
    }
    assert {task["device"] for task in answer.json()["items"]} == allowed
