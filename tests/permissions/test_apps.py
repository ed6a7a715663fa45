"""Apps are seen by who reads their system, and changed by who manages it; so are questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry
from tests.permissions.town import Town, settle

from penstock.api.app import create_app
from penstock.core.store import Marks
from penstock.devices.post import MemoryPost
from penstock.runtime.apps import AppRoom
from penstock.runtime.config import Config
from penstock.runtime.streams import plan_of
from penstock.sql.engine.engine import Engine

SQL = "SELECT time, result FROM observations WHERE result > 1"


class Desk:
    """A house in town with apps."""

    def __init__(self, folder: Path) -> None:
        self.house, self.town = settle(folder)
        house = self.house
        for datastream in (1, 2, 3):
            house.keep(datastream, 10.0 * datastream)
        config = Config(data_dir=str(folder))

        def keep(rows: pa.RecordBatch, marks: Marks, removed: pa.Table | None) -> None:
            raise AssertionError("nothing runs here")

        engine = Engine(
            house.store, house.catalog, keep, plan_of,
            lambda system: house.identities.access().system_scope(system),
            folder / "sql", house.clock, config.sql,
        )  # fmt: skip
        self.room = AppRoom(
            config=config, catalog=house.catalog, store=house.store, engine=engine,
            clock=house.clock, access=house.identities.access,
            note=house.identities.trail.write, post=MemoryPost(), delete=lambda _: None,
        )  # fmt: skip
        self.app = create_app(
            store=house.store, catalog=house.catalog, live=house.live, platform=house.platform,
            registry=CollectorRegistry(), clock=house.clock, identities=house.identities,
            passwords=house.passwords, apps=self.room.apps, adhoc=self.room.questions,
        )  # fmt: skip

    async def ask(self, name: str, method: str, path: str, json: object = None) -> httpx.Response:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://localhost/api/v1",
            headers=self.town.headers(name),
        ) as client:
            return await client.request(method, path, json=json)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.room.close()
    desk.house.passwords.close()
    desk.house.catalog.close()


def system_name(town: Town, desk: Desk) -> str:
    systems = desk.house.identities.organisation().systems
    return next(one.name for one in systems if one.id == 2)


#: Who may do what with an app of system 2: make it, see it.
ROLES = [
    ("root", 201, 200),
    ("agent", 201, 200),
    ("guest", 403, 200),
    ("thing-guest", 404, 404),
    ("stranger", 404, 404),
    ("reading", 403, 200),
    ("writing", 403, 404),
    ("nobody", 401, 401),
]


@pytest.mark.parametrize(("name", "makes", "sees"), ROLES)
async def test_who_makes_and_who_sees(desk: Desk, name: str, makes: int, sees: int) -> None:
    home = system_name(desk.town, desk)
    spec = {"name": "theirs", "sql": SQL, "system": home}
    assert (await desk.ask(name, "POST", "/apps", spec)).status_code == makes
    made = await desk.ask("root", "POST", "/apps", {**spec, "name": "ours"})
    path = f"/apps/{made.json()['id']}"
    seen = await desk.ask(name, "GET", path)
    assert seen.status_code == sees, seen.text
    listed = await desk.ask(name, "GET", "/apps")
    if sees == 200:
        assert "ours" in [one["spec"]["name"] for one in listed.json()["items"]]
    elif sees == 404:
        assert listed.json()["items"] == []
    changes = {201: 200, 403: 403, 404: 404, 401: 401}[makes if sees != 404 else sees]
    other = {**spec, "name": "ours", "sql": SQL.replace("1", "2")}
    assert (await desk.ask(name, "PUT", path, other)).status_code == changes
    for method, more in (("GET", "/log"), ("GET", "/versions"), ("GET", "/datastreams")):
        assert (await desk.ask(name, method, path + more)).status_code == sees
    assert (await desk.ask(name, "DELETE", path)).status_code == (
        204 if changes == 200 else changes
    )


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("root", [10.0, 20.0, 30.0]),
        ("agent", [10.0, 20.0, 30.0]),
        ("guest", [10.0, 20.0, 30.0]),
        ("thing-guest", [10.0, 20.0]),
        ("ds-guest", [10.0]),
        ("stranger", []),
        ("late-guest", []),
        ("writing", []),
    ],
)
async def test_a_question_sees_what_one_may_read(
    desk: Desk, name: str, numbers: list[float]
) -> None:
    asked = {"sql": "SELECT result FROM observations ORDER BY result"}
    answer = await desk.ask(name, "POST", "/sql", asked)
    assert answer.status_code == 200, answer.text
    assert answer.json()["values"] == [numbers]
    named = {"sql": "SELECT COUNT(*) AS n FROM datastreams"}
    counted = await desk.ask(name, "POST", "/sql", named)
    assert counted.json()["values"] == [[len(numbers)]]


async def test_what_was_done_is_in_the_audit_trail(desk: Desk) -> None:
    spec = {"name": "one", "sql": SQL, "system": system_name(desk.town, desk)}
    made = (await desk.ask("agent", "POST", "/apps", spec)).json()
    await desk.ask("agent", "DELETE", f"/apps/{made['id']}")
    trail = (await desk.ask("agent", "GET", "/audit?kind=app")).json()["items"]
    assert [(one["action"], one["name"]) for one in trail] == [("remove", "one"), ("add", "one")]
