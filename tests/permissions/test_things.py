"""The SensorThings API shows each company what is its own, in whatever way it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.api.house import T0, House
from tests.permissions.town import Town, settle

from penstock.core.catalog import Policy
from penstock.core.observation import observations
from penstock.core.series import Series

#: Datastreams of system a1 are 1 to 3, of Things 1 and 2; the one of b1 comes behind them.
THEIRS = 4
NONE: set[int] = set()
SEEN = {
    "root": {1, 2, 3, THEIRS},
    "agent": {1, 2, 3},
    "boss": NONE,
    "stranger": {THEIRS},
    "guest": {1, 2, 3},
    "thing-guest": {1, 2},
    "ds-guest": {1},
    "late-guest": NONE,
    "keeper": NONE,
    "plain": {1, 2, 3},
    "writing": NONE,
    "alien": {THEIRS},
}
#: The result of a Datastream's Observations tells which one it is.
_COUNT = 3


@pytest.fixture
def town(tmp_path: Path) -> tuple[House, Town]:
    house, town = settle(tmp_path)
    series = Series(thing="b.t", name="secret", sensor="b sensor", system=_system_of_b(house))
    (enrolled,) = house.catalog.enrol([series], Policy.AUTOMATIC, T0)
    assert enrolled.datastream == THEIRS
    for datastream in (1, 2, 3, THEIRS):
        times = [T0 + at * 1_000_000 for at in range(_COUNT)]
        house.store.append(observations([datastream] * _COUNT, times, [float(datastream)] * _COUNT))
    return house, town


def _system_of_b(house: House) -> int:
    organisation = house.identities.organisation()
    (b,) = (one for one in organisation.users if one.name == "stranger")
    return next(one.id for one in organisation.systems if b.id in one.agents)


async def get(town: tuple[House, Town], who: str, address: str, status: int = 200) -> Any:
    house, people = town
    answer = await house.client.get(f"/v1.1/{address}", headers=people.headers(who))
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def ids(answer: Any) -> set[int]:
    return {one["@iot.id"] for one in answer["value"]}


@pytest.mark.parametrize("who", SEEN)
async def test_sets_hold_what_one_may_read(town: tuple[House, Town], who: str) -> None:
    seen = SEEN[who]
    answer = await get(town, who, "Datastreams?$count=true")
    assert (ids(answer), answer["@iot.count"]) == (seen, len(seen))
    answer = await get(town, who, "Observations?$count=true&$select=result")
    assert {one["result"] for one in answer["value"]} == seen
    assert answer["@iot.count"] == _COUNT * len(seen)
    answer = await get(town, who, "Observations?$orderby=phenomenonTime desc&$select=result")
    assert {one["result"] for one in answer["value"]} == seen
    answer = await get(town, who, "Observations?$orderby=result&$select=result")
    assert {one["result"] for one in answer["value"]} == seen
    answer = await get(town, who, "Observations?$resultFormat=dataArray")
    links = {one["Datastream@iot.navigationLink"] for one in answer["value"]}
    assert links == {f"http://localhost/v1.1/Datastreams({one})" for one in seen}


@pytest.mark.parametrize("who", SEEN)
async def test_what_one_may_not_read_is_not_there(town: tuple[House, Town], who: str) -> None:
    house, people = town
    root = await get(town, "root", "Observations?$expand=Datastream($select=id)&$select=id")
    for observation in root["value"]:
        datastream = observation["Datastream"]["@iot.id"]
        status = 200 if datastream in SEEN[who] else 404
        id_ = observation["@iot.id"]
        await get(town, who, f"Datastreams({datastream})", status)
        await get(town, who, f"Datastreams({datastream})/Observations", status)
        await get(town, who, f"Observations({id_})", status)
        await get(town, who, f"Observations({id_})/Datastream", status)
        await get(town, who, f"Observations({id_})/Datastream/Thing", status)
        await get(town, who, f"Observations({id_})/result", status)
    del house, people


@pytest.mark.parametrize("who", SEEN)
async def test_nothing_is_told_by_filters(town: tuple[House, Town], who: str) -> None:
    seen = SEEN[who]
    for datastream in (1, 2, 3, THEIRS):
        found = {datastream} & seen
        for where in (
            f"result eq {datastream}",
            f"Datastream/id eq {datastream}",
            f"Datastream/id in ({datastream}, 99)",
            f"not (Datastream/id ne {datastream})",
        ):
            answer = await get(town, who, f"Observations?$filter={where}&$count=true")
            assert answer["@iot.count"] == _COUNT * len(found)
        where = f"Observations/result eq {datastream}"
        assert ids(await get(town, who, f"Datastreams?$filter={where}")) == found
        where = f"Datastreams/Observations/result eq {datastream}"
        things = await get(town, who, f"Things?$filter={where}&$count=true")
        assert things["@iot.count"] == len(found)
        sensors = await get(town, who, f"Sensors?$filter={where}&$count=true")
        assert sensors["@iot.count"] == len(found)
        where = f"Datastreams/id eq {datastream}"
        things = await get(town, who, f"Things?$filter={where}&$count=true")
        assert things["@iot.count"] == len(found)
    everything = "phenomenonTime ge 2000-01-01T00:00:00Z"
    assert ids(await get(town, who, f"Datastreams?$filter={everything}")) == seen


@pytest.mark.parametrize("who", SEEN)
async def test_nothing_is_told_by_what_is_expanded(town: tuple[House, Town], who: str) -> None:
    seen = SEEN[who]
    query = "Things?$expand=Datastreams($count=true;$expand=Observations($count=true))"
    things = (await get(town, who, query))["value"]
    streams = [stream for thing in things for stream in thing["Datastreams"]]
    assert {stream["@iot.id"] for stream in streams} == seen
    assert sum(thing["Datastreams@iot.count"] for thing in things) == len(seen)
    assert all(stream["Observations@iot.count"] == _COUNT for stream in streams)
    query = "Sensors?$expand=Datastreams($expand=Thing)&$count=true"
    sensors = (await get(town, who, query))["value"]
    assert {s["@iot.id"] for sensor in sensors for s in sensor["Datastreams"]} == seen


async def test_who_has_not_signed_in_sees_nothing(town: tuple[House, Town]) -> None:
    for address in ("", "Things", "Observations", "Observations(1)", "api", "Things?$filter=x"):
        await get(town, "nobody", address, 401)
        await get(town, "disabled", address, 401)
    house, _ = town
    answer = await house.client.post("/v1.1/Things", json={"name": "a", "description": "b"})
    assert answer.status_code == 401


async def test_the_audit_trail_tells_who_wrote_which_entity(town: tuple[House, Town]) -> None:
    house, people = town
    agent, root = people.headers("agent"), people.headers("root")
    body = {"name": "pump", "description": "a pump"}

    # When an agent makes, changes and removes a Thing, and is refused one
    made = await house.client.post("/v1.1/Things", json=body, headers=agent)
    address = made.headers["location"].partition("/v1.1/")[2]
    await house.client.patch(f"/v1.1/{address}", json={"name": "pump 2"}, headers=agent)
    await house.client.delete(f"/v1.1/{address}", headers=agent)
    refused = await house.client.patch("/v1.1/Things(1)", json={"name": 5}, headers=agent)

    # Then the trail has what was done, by whom and whose it was
    assert (made.status_code, refused.status_code) == (201, 400)
    found = (await house.client.get("/api/v1/audit", headers=root)).json()["items"]
    done = [one for one in found if one["kind"] == "Thing"]
    assert [one["action"] for one in done] == ["remove", "change", "add"]
    assert {one["name"] for one in done} == {address}
    assert {one["by"] for one in done} == {"agent"}
    assert all(one["system"] for one in done)
