"""Devices called by the name that stands on them: what it means depends on what one may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.house import T0, House
from tests.permissions.town import Town, settle

from penstock.core.catalog import Policy
from penstock.core.devices import DeviceFacts

#: `AAD-1` is in systems a1 and b1, `AAD-2` in a1 only, `AAD-3` in b1 and, so named, in the default.
DEVICES = [
    ("at.a.w.a1.AAD-1", "at.a.w.a1"),
    ("at.b.w.b1.AAD-1", "at.b.w.b1"),
    ("at.a.w.a1.AAD-2", "at.a.w.a1"),
    ("at.b.w.b1.AAD-3", "at.b.w.b1"),
    ("AAD-3", "default"),
]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[tuple[House, Town]]:
    house, town = settle(tmp_path)
    systems = {one.name: one.id for one in house.identities.access().organisation.systems}
    facts = [
        DeviceFacts(name=name, system=systems[system], type="accelerometer")
        for name, system in DEVICES
    ]
    house.fleet.records.register(facts, Policy.AUTOMATIC, T0)
    yield house, town
    house.fleet.close()
    house.passwords.close()
    house.catalog.close()


@pytest.mark.parametrize(
    ("who", "short", "meant"),
    [
        ("agent", "AAD-1", "at.a.w.a1.AAD-1"),
        ("stranger", "AAD-1", "at.b.w.b1.AAD-1"),
        ("root", "AAD-2", "at.a.w.a1.AAD-2"),
        ("agent", "AAD-2", "at.a.w.a1.AAD-2"),
        ("stranger", "AAD-3", "at.b.w.b1.AAD-3"),
        ("root", "AAD-3", "AAD-3"),
    ],
)
async def test_a_short_name_means_the_only_device_that_one_may_see(
    town: tuple[House, Town], who: str, short: str, meant: str
) -> None:
    house, people = town
    headers = people.headers(who)
    found = await house.client.get(f"/api/v1/devices/{short}", headers=headers)
    assert found.json()["name"] == meant
    for method, path, body in (
        ("PUT", f"/sensors/{short}/sleep", None),
        ("POST", f"/devices/{short}/commands", {"command": "sleep"}),
        ("POST", "/commands", {"command": "awake", "devices": [short]}),
    ):
        answer = await house.client.request(method, f"/api/v1{path}", json=body, headers=headers)
        task = answer.json()
        assert (task["items"][0] if "items" in task else task)["device"] == meant
    logs = await house.client.get(f"/api/v1/device-logs?device={short}", headers=headers)
    assert logs.status_code == 200


async def test_a_short_name_of_several_is_answered_with_their_names(
    town: tuple[House, Town],
) -> None:
    house, people = town
    for path in ("/devices/AAD-1", "/device-logs?device=AAD-1"):
        answer = await house.client.get(f"/api/v1{path}", headers=people.headers("root"))
        assert answer.status_code == 409
        assert answer.json()["error"]["message"] == (
            "'AAD-1' may be 'at.a.w.a1.AAD-1' or 'at.b.w.b1.AAD-1'; say which"
        )
    system = next(
        one.id for one in house.identities.access().organisation.systems if one.name == "at.b.w.b1"
    )
    one = await house.client.get(
        f"/api/v1/devices/AAD-1?system={system}", headers=people.headers("root")
    )
    assert one.json()["name"] == "at.b.w.b1.AAD-1"


async def test_a_short_name_tells_nobody_what_they_may_not_see(
    town: tuple[House, Town],
) -> None:
    house, people = town
    for who in ("stranger", "alien", "keeper"):
        answer = await house.client.get("/api/v1/devices/AAD-2", headers=people.headers(who))
        assert answer.status_code == 404
        assert "at.a.w.a1" not in answer.text


async def test_deleting_wants_the_whole_name_so_that_doing_it_again_hits_nothing_else(
    town: tuple[House, Town],
) -> None:
    house, people = town
    headers = people.headers("root")
    answers = [await house.client.delete("/api/v1/devices/AAD-3", headers=headers) for _ in "12"]
    assert [answer.status_code for answer in answers] == [204, 404]
    assert answers[1].json()["error"]["message"] == (
        "there is no device 'AAD-3'; say 'at.b.w.b1.AAD-3' if you mean that"
    )


async def test_what_is_registered_in_a_system_is_named_as_its_data_will_name_it(
    town: tuple[House, Town],
) -> None:
    house, people = town
    headers = people.headers("agent")
    for path, body in (
        ("/devices", {"name": "oven"}),
        ("/devices", {"name": "at.a.w.a1.oven"}),
        ("/sensors", {"serial_number": "BBD-1", "sample_frequency": 5}),
    ):
        answer = await house.client.post(f"/api/v1{path}", json=body, headers=headers)
        made = answer.json()
        assert made.get("name", made.get("serial_number")) in (
            "at.a.w.a1.oven",
            "at.a.w.a1.BBD-1",
        ), made
