"""Rules and targets are changed by who manages a system, alarms handled by who writes to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry
from tests.permissions.town import settle

from penstock.api.app import create_app
from penstock.core.access import PLATFORM
from penstock.core.alarms import AlarmQuery
from penstock.core.people import Actor
from penstock.core.store import Marks
from penstock.runtime.alarms import make_alarms
from penstock.runtime.config import Config
from penstock.runtime.streams import plan_of
from penstock.sql.engine.engine import Engine

SQL = "SELECT time, datastream, result FROM observations WHERE result > 1"
ROOT = Actor(PLATFORM)


class Watchroom:
    """A house in town, with alarms whose rows are put by hand."""

    def __init__(self, folder: Path) -> None:
        self.house, self.town = settle(folder)
        house = self.house
        config = Config(data_dir=str(folder))

        def keep(rows: pa.RecordBatch, marks: Marks, removed: pa.Table | None) -> None:
            raise AssertionError("nothing is derived here")

        self.engine = Engine(
            house.store, house.catalog, keep, plan_of,
            lambda system: house.identities.access().system_scope(system),
            folder / "sql", house.clock, config.sql,
        )  # fmt: skip
        self.alarms = make_alarms(
            config.alarms, house.catalog, self.engine, house.identities, lambda *_: None,
            lambda system: house.identities.access().system_scope(system), house.clock,
        )  # fmt: skip
        self.app = create_app(
            store=house.store, catalog=house.catalog, live=house.live, platform=house.platform,
            registry=CollectorRegistry(), clock=house.clock, identities=house.identities,
            passwords=house.passwords, alarms=self.alarms,
        )  # fmt: skip
        systems = house.identities.organisation().systems
        self.home = next(one.name for one in systems if one.id == 2)

    async def ask(self, name: str, method: str, path: str, json: object = None) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://localhost/api/v1",
            headers=self.town.headers(name),
        ) as client:
            return await client.request(method, path, json=json)

    async def make_rule(self) -> int:
        made = await self.ask("root", "POST", "/alarm-rules", self.rule("ours"))
        assert made.status_code == 201, made.text
        found: int = made.json()["id"]
        return found

    def rule(self, name: str) -> dict[str, str]:
        return {"name": name, "sql": SQL, "system": self.home}

    def target(self, name: str) -> dict[str, str]:
        return {"name": name, "kind": "mqtt", "address": f"{self.home}/told", "system": self.home}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Watchroom]:
    room = Watchroom(tmp_path)
    yield room
    room.alarms.close()
    room.engine.close()
    room.house.passwords.close()
    room.house.catalog.close()


#: Who may do what with a rule of system 2: make it, see it.
ROLES = [
    ("root", 201, 200),
    ("agent", 201, 200),
    ("guest", 403, 200),
    ("thing-guest", 404, 404),
    ("stranger", 404, 404),
    ("reading", 403, 200),
    ("writing", 404, 404),
    ("nobody", 401, 401),
]


def changed(makes: int, sees: int) -> int:
    return sees if sees != 200 else {201: 200, 403: 403}[makes]


@pytest.mark.parametrize(("name", "makes", "sees"), ROLES)
async def test_who_makes_and_who_sees_rules(
    room: Watchroom, name: str, makes: int, sees: int
) -> None:
    made = await room.ask(name, "POST", "/alarm-rules", room.rule("theirs"))
    assert made.status_code == makes, made.text
    path = f"/alarm-rules/{await room.make_rule()}"
    assert (await room.ask(name, "GET", path)).status_code == sees
    if sees != 401:
        listed = (await room.ask(name, "GET", "/alarm-rules")).json()["items"]
        assert ("ours" in [one["spec"]["name"] for one in listed]) is (sees == 200)
    change = changed(makes, sees)
    assert (await room.ask(name, "PUT", path, room.rule("ours"))).status_code == change
    assert (await room.ask(name, "POST", path + "/disable")).status_code == change
    gone = await room.ask(name, "DELETE", path)
    assert gone.status_code == (204 if change == 200 else change)


@pytest.mark.parametrize(("name", "makes", "sees"), ROLES)
async def test_who_makes_targets(room: Watchroom, name: str, makes: int, sees: int) -> None:
    made = await room.ask(name, "POST", "/notification-targets", room.target("theirs"))
    assert made.status_code == makes, made.text
    ours = await room.ask("root", "POST", "/notification-targets", room.target("ours"))
    assert ours.status_code == 201, ours.text
    path = f"/notification-targets/{ours.json()['id']}"
    change = changed(makes, sees)
    gone = await room.ask(name, "DELETE", path)
    assert gone.status_code == (204 if change == 200 else change)


@pytest.mark.parametrize(
    ("name", "sees", "handles"),
    [
        ("root", 200, 200),
        ("agent", 200, 200),
        ("guest", 200, 403),
        ("stranger", 404, 404),
        ("reading", 200, 403),
        ("nobody", 401, 401),
    ],
)
async def test_who_sees_and_who_handles_alarms(
    room: Watchroom, name: str, sees: int, handles: int
) -> None:
    room.engine.open()
    room.alarms.start()
    rule = await room.make_rule()
    watch = room.alarms.rules._watches[rule]
    watch.put(
        pa.table(
            {
                "__time": pa.array([room.house.clock.now_us()], pa.timestamp("us")),
                "__series": pa.array([1], pa.int64()),
                "datastream": pa.array([1], pa.int64()),
                "result": pa.array([5.0]),
                "raised": pa.array([True]),
            }
        ),
        None,
        None,
    )
    (alarm,) = room.alarms.list(ROOT, AlarmQuery())
    path = f"/alarms/{alarm.id}"
    assert (await room.ask(name, "GET", path)).status_code == sees
    for act, body in (
        ("acknowledge", {"comment": "seen"}),
        ("comments", {"comment": "so"}),
        ("shelve", {"for_s": 3600, "reason": "maintenance"}),
        ("unshelve", None),
    ):
        answer = await room.ask(name, "POST", f"{path}/{act}", body)
        assert answer.status_code == handles, (act, answer.text)
