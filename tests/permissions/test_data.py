"""What one may not read does not exist: lists, pages, downloads, newest values, live events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from tests.api.house import T0, AsgiStream, House
from tests.permissions.town import ROOT, Town, settle

from penstock.api import messages
from penstock.core.catalog import Policy
from penstock.core.people import NewGrant, NewKey, UserChange
from penstock.core.platform import DeadLetter
from penstock.core.series import Series

STREAM = "/api/v1/observations/stream"


@pytest.fixture
def settled(tmp_path: Path) -> Iterator[tuple[House, Town]]:
    house, town = settle(tmp_path)
    house.enrol(("site.boiler", "temp"))
    for datastream in (1, 2, 3, 4):
        house.keep(datastream, 10.0 * datastream)
    yield house, town
    house.passwords.close()
    house.catalog.close()


@pytest.fixture
def house(settled: tuple[House, Town]) -> House:
    return settled[0]


@pytest.fixture
def town(settled: tuple[House, Town]) -> Town:
    return settled[1]


class Reader:
    def __init__(self, house: House, town: Town, name: str) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(house.app, raise_app_exceptions=False),
            base_url="http://localhost/api/v1",
            headers=town.headers(name),
        )

    async def get(self, path: str, status: int = 200) -> httpx.Response:
        response = await self._client.get(path)
        assert response.status_code == status, response.text
        return response


#: Who reads which of the datastreams 1 to 4 (4 is the default system's).
READERS = [
    ("root", [1, 2, 3, 4]),
    ("agent", [1, 2, 3]),
    ("guest", [1, 2, 3]),
    ("thing-guest", [1, 2]),
    ("ds-guest", [1]),
    ("late-guest", []),
    ("stranger", []),
    ("boss", []),
    ("keeper", [4]),
    ("reading", [1, 2, 3]),
    ("writing", []),
    ("guest-client", [1, 2, 3]),
]


@pytest.mark.parametrize(("name", "wanted"), READERS)
async def test_every_way_to_data_opens_the_same(
    house: House, town: Town, name: str, wanted: list[int]
) -> None:
    reader = Reader(house, town, name)
    listed = (await reader.get("/datastreams")).json()
    assert [item["id"] for item in listed["items"]] == wanted
    assert listed["total"] == len(wanted)
    paged = (await reader.get("/datastreams?limit=1")).json()
    assert paged["total"] == len(wanted)
    asked = (await reader.get("/datastreams?id=1&id=2&id=3&id=4&limit=2")).json()
    assert asked["total"] == len(wanted)
    every = "&".join(f"datastream={id_}" for id_ in (1, 2, 3, 4))
    for path in ("/observations", f"/observations?{every}", "/latest", f"/latest?{every}"):
        assert (await reader.get(path)).json()["datastream"] == wanted, path
    buckets = (await reader.get(f"/observations?{every}&width=1h")).json()
    assert buckets["datastream"] == wanted
    arrow = await reader.get("/observations?format=arrow")
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.column("datastream").to_pylist() == wanted
    for id_ in (1, 2, 3, 4):
        status = 200 if id_ in wanted else 404
        await reader.get(f"/datastreams/{id_}", status)
        await reader.get(f"/datastreams/{id_}/observations", status)
        await reader.get(f"/datastreams/{id_}/observations?format=csv", status)


@pytest.mark.parametrize(("name", "wanted"), READERS)
async def test_live_events_hold_what_one_may_see(
    house: House, town: Town, name: str, wanted: list[int]
) -> None:
    headers = town.headers(name)
    async with AsgiStream(house.app, STREAM, f"start={T0 // 1_000_000 - 1}", **headers) as stream:
        await stream.block()
        snapshot = await stream.block()
        assert snapshot["event"] == "snapshot"
        seen = [1, 2, 3, 4]
        for id_ in seen:
            house.keep(id_, 1.0, start=T0 + 5_000_000)
        got: set[int] = set()
        while wanted and got != set(wanted):
            event = await stream.block()
            got |= set(_ids(event["data"]))
        assert got == set(wanted)
        assert _ids(snapshot["data"]) == wanted


async def test_a_datastream_that_is_new_is_seen_by_those_who_may(house: House, town: Town) -> None:
    async with AsgiStream(house.app, STREAM, **town.headers("agent")) as stream:
        await stream.block()
        await stream.block()
        series = [
            Series(thing="at.b.w.b1.t", name="s", system=4),
            Series(thing="at.a.w.a1.new", name="s", system=2),
        ]
        theirs, ours = (
            a.datastream or 0 for a in house.catalog.enrol(series, Policy.AUTOMATIC, T0)
        )
        house.keep(theirs, 1.0)
        house.keep(ours, 2.0)
        assert _ids((await stream.block())["data"]) == [ours]


async def test_a_live_stream_ends_when_the_grant_is_revoked(house: House, town: Town) -> None:
    (grant,) = [g for g in house.identities.grants.list(ROOT) if g.reader_id == 5]
    query = "datastream=1"
    async with AsgiStream(house.app, STREAM, query, **town.headers("guest")) as stream:
        await stream.block()
        await stream.block()
        house.keep(1, 5.0, start=T0 + 5_000_000)
        assert _ids((await stream.block())["data"]) == [1]
        house.identities.grants.revoke(ROOT, grant.id)
        house.keep(1, 6.0, start=T0 + 6_000_000)
        await finished(stream)
        assert "6.0" not in stream.text


async def test_a_stream_of_everything_goes_silent_when_nothing_is_left_to_see(
    house: House, town: Town
) -> None:
    (grant,) = [g for g in house.identities.grants.list(ROOT) if g.reader_id == 5]
    async with AsgiStream(house.app, STREAM, **town.headers("guest")) as stream:
        await stream.block()
        await stream.block()
        house.identities.grants.revoke(ROOT, grant.id)
        house.keep(1, 6.0, start=T0 + 6_000_000)
        house.identities.grants.add(ROOT, NewGrant(owner=2, reader=5, thing=2))
        house.keep(3, 7.0, start=T0 + 7_000_000)
        event = await stream.block()
        assert _ids(event["data"]) == [3]


@pytest.mark.parametrize("how", ["disable", "revoke", "expire"])
async def test_a_live_stream_ends_with_what_was_shown(house: House, town: Town, how: str) -> None:
    people = house.identities
    user = people.access().user("agent")
    assert user is not None
    until_us = house.clock.now_us() + 60_000_000 if how == "expire" else None
    (issued,) = people.keys.add(ROOT, [NewKey(user=user.id, expires_us=until_us)])
    headers = {"authorization": f"Bearer {issued.secret}"}
    async with AsgiStream(house.app, STREAM, **headers) as stream:
        await stream.block()
        await stream.block()
        if how == "disable":
            people.users.change(ROOT, user.id, UserChange(disabled=True))
        elif how == "revoke":
            people.keys.revoke(ROOT, issued.key.id)
        else:
            house.clock.advance(61)
        await finished(stream)


async def test_signing_out_ends_the_streams_of_the_session(house: House, town: Town) -> None:
    user = house.identities.access().user("agent")
    assert user is not None
    token = house.identities.sessions.begin(user.id).token
    async with AsgiStream(house.app, STREAM, cookie=f"penstock_session={token}") as stream:
        await stream.block()
        await stream.block()
        house.identities.sessions.end(token)
        await finished(stream)


async def test_dead_letters_are_seen_by_those_whose_topic_it_was(house: House, town: Town) -> None:
    house.platform.letters = [
        DeadLetter(
            id=at,
            topic=topic,
            payload=b"{",
            client="c",
            arrived_us=T0,
            partition="door",
            offset=at,
            codec="flat",
            reason="not JSON",
        )
        for at, topic in enumerate(("at.a.w.a1/x", "site/x", "at.b.w.b1/x", "at.a.w.a1.log/x"), 1)
    ]
    for name, wanted in (("root", [1, 2, 3, 4]), ("agent", [1, 4]), ("alien", [3]), ("boss", [])):
        reader = Reader(house, town, name)
        letters = (await reader.get("/dead-letters")).json()
        assert [letter["id"] for letter in letters["items"]] == wanted, name
        first = (await reader.get("/dead-letters?limit=1")).json()
        assert first["next"] == (wanted[0] if len(wanted) > 1 else None)


async def test_dead_letters_of_others_are_passed_over_in_bounded_steps(
    house: House, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "LETTERS_LOOKED_AT", 100)
    house.platform.letters = [
        DeadLetter(
            id=at,
            topic="at.a.w.a1/x" if at in {5, 950, 951} else "at.b.w.b1/x",
            payload=b"{",
            client="c",
            arrived_us=T0,
            partition="door",
            offset=at,
            codec="flat",
            reason="not JSON",
        )
        for at in range(1, 1001)
    ]
    asked: list[int] = []
    plain = house.platform.dead_letters

    def counting(after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        asked.append(limit)
        return plain(after, limit)

    monkeypatch.setattr(house.platform, "dead_letters", counting)
    reader = Reader(house, town, "agent")
    found, path = [], "/dead-letters?limit=2"
    while path:
        answer = await reader.get(path)
        found += [letter["id"] for letter in answer.json()["items"]]
        link = answer.links.get("next", {}).get("url", "")
        assert bool(link) == (answer.json()["next"] is not None)
        path = link.removeprefix("/api/v1")
    assert found == [5, 950, 951]
    assert max(asked) <= 101
    assert len(asked) == 10


async def test_messages_go_to_ones_own_topics_and_name_who_sent_them(
    house: House, town: Town
) -> None:
    for name, topic, status in (
        ("plain", "at.a.w.a1/x", 201),
        ("held", "at.a.w.a1/x", 201),
        ("held", "at.a.w.a1/y", 403),
        ("plain", "at.a.w.a2/x", 403),
        ("plain", "site/x", 403),
        ("agent", "at.a.w.a1.ext/x", 201),
        ("nobody", "at.a.w.a1/x", 401),
        ("root", "site/x", 201),
        ("root", "$SYS/x", 403),
    ):
        response = await house.client.post(
            f"/api/v1/messages/{topic}", content=b"1", headers=town.headers(name)
        )
        assert response.status_code == status, (name, topic, response.text)
    assert [client for _, _, client in house.platform.published] == [
        "http/at.a.w.a1/plain",
        "http/at.a.w.a1/held",
        "http/agent",
        "http/root",
    ]


async def test_the_health_of_the_whole_is_for_those_who_run_it(house: House, town: Town) -> None:
    assert "checks" in (await Reader(house, town, "root").get("/health")).json()
    seen = (await Reader(house, town, "agent").get("/health")).json()
    assert set(seen) == {"ready", "started_us", "version"}
    await Reader(house, town, "nobody").get("/health", 401)
    for path in ("/healthz", "/readyz", "/", "/api/v1/openapi.json"):
        assert (await house.client.get(path)).status_code == 200


async def finished(stream: AsgiStream) -> None:
    await asyncio.wait_for(stream.finished.wait(), 90)


def _ids(data: str) -> list[int]:
    found: list[int] = json.loads(data)["datastream"]
    return found
