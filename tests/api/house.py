"""The API in process: a memory store, a real catalog and live hub, and a platform of cardboard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from tests.any_store import empty_store
from tests.catalog.template import fast_passwords, fresh_catalog

from penstock.api import ApiSettings, create_app
from penstock.catalog.identities import SqlIdentities
from penstock.catalog.settings import AccountSettings
from penstock.core.access import PLATFORM, Kind, Principal
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.errors import NotFound
from penstock.core.observation import observations
from penstock.core.people import Actor, NewUser
from penstock.core.platform import Arrival, Arrived, Check, DeadLetter, Health, Replayed
from penstock.core.publish import encode_publish
from penstock.core.series import Series
from penstock.devices.post import MemoryPost
from penstock.devices.settings import DeviceSettings
from penstock.ingest.live import LiveHub
from penstock.runtime.config import Config
from penstock.runtime.fleet import make_room
from penstock.runtime.things import make_things
from penstock.sensorthings.settings import ThingsSettings

#: 2023-11-14T22:13:20Z, the time of `ManualClock`.
T0 = 1_700_000_000_000_000
SECOND = 1_000_000
PASSWORD = "correct horse"


class CardboardPlatform:
    """Remembers what it was asked, answers what the test set."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, str]] = []
        self.letters: list[DeadLetter] = []
        self.replays: list[tuple[str, int, int | None]] = []
        self.problem: Exception | None = None
        self.checks = [Check("door", True, "2 connections")]
        self.counters: dict[str, float] = {"penstock_messages_total": 7.0, "penstock_lag_s": 0.5}

    def health(self) -> Health:
        return Health(
            ready=all(check.ok for check in self.checks),
            checks=self.checks,
            connections=2,
            messages_per_s=10.0,
            observations_per_s=20.0,
            lag_messages=0,
            lag_s=0.0,
            messages_total=7,
            observations_total=14,
            datastreams_total=2,
            dead_letters=len(self.letters),
            devices_pending=0,
            started_us=T0,
            version="0.1.0",
        )

    def doors(self) -> Mapping[str, tuple[str, int]]:
        return {"mqtt": ("127.0.0.1", 1883)}

    def stats(self) -> Mapping[str, float]:
        return self.counters

    @property
    def refused(self) -> int:
        return 0

    async def publish(self, messages: Sequence[tuple[str, bytes]], client: str) -> int:
        if self.problem:
            raise self.problem
        for topic, payload in messages:
            encode_publish(topic, payload)
            self.published.append((topic, payload, client))
        return len(self.published)

    def arrived(self, offset: int | None, is_wanted: Callable[[str], bool], most: int) -> Arrived:
        messages = [
            Arrival(at, topic, payload, T0)
            for at, (topic, payload, _) in enumerate(self.published)
            if offset is not None and at >= offset and is_wanted(topic)
        ]
        end = len(self.published)
        behind = messages[most].offset if len(messages) > most else end
        return Arrived(messages[:most], behind, 0, end)

    async def ingested(self, offset: int, timeout_s: float) -> bool:
        return offset <= len(self.published)

    async def all_ingested(self, timeout_s: float) -> bool:
        return True

    def dead_letters(self, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        return [letter for letter in self.letters if letter.id > after][:limit]

    async def replay_dead_letters(self) -> Replayed:
        return Replayed(len(self.letters), 3, 1)

    async def discard_dead_letters(self) -> int:
        count = len(self.letters)
        self.letters.clear()
        return count

    async def replay_log(
        self, partition: str, from_offset: int, until_offset: int | None = None
    ) -> Replayed:
        if partition != "door":
            raise NotFound(f"there is no partition {partition!r}")
        self.replays.append((partition, from_offset, until_offset))
        return Replayed(5, 4, 1)


class House:
    """Everything behind one API."""

    def __init__(
        self,
        folder: Path,
        settings: ApiSettings | None = None,
        *,
        accounts: bool = False,
        content: bytes | None = None,
        people: AccountSettings | None = None,
        devices: DeviceSettings | None = None,
    ) -> None:
        self.store = empty_store()
        self.catalog = fresh_catalog(folder, content=content)
        self.live = LiveHub()
        self.platform = CardboardPlatform()
        self.clock = ManualClock(T0)
        self.passwords = fast_passwords()
        self.identities = SqlIdentities(
            self.catalog.database, self.clock, self.passwords, people, accounts=accounts
        )
        self.post = MemoryPost()
        self.fleet = make_room(
            Config(data_dir=str(folder), devices=devices or DeviceSettings()),
            self.catalog,
            self.store,
            self.clock,
            self.identities.access,
            self.post,
        )
        self.things = make_things(self.catalog, self.clock, ThingsSettings())
        self.app: FastAPI = create_app(
            store=self.store,
            catalog=self.catalog,
            live=self.live,
            platform=self.platform,
            registry=CollectorRegistry(),
            settings=settings,
            clock=self.clock,
            identities=self.identities,
            passwords=self.passwords,
            fleet=self.fleet,
            things=self.things,
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://localhost",
        )

    def add_user(self, name: str, **more: Any) -> Actor:
        """Add a user, whose password is `PASSWORD`, and return them."""
        root = Actor(PLATFORM)
        user = self.identities.users.add(root, NewUser(name=name, password=PASSWORD, **more))
        return Actor(Principal(Kind.USER, user.id))

    def enrol(self, *names: tuple[str, str], **more: Any) -> list[int]:
        """Enrol datastreams and return their ids."""
        series = [Series(thing=thing, name=name, **more) for thing, name in names]
        answers = self.catalog.enrol(series, Policy.AUTOMATIC, T0)
        return [answer.datastream or 0 for answer in answers]

    def keep(self, datastream: int, *numbers: float | None, start: int = T0, **more: Any) -> None:
        """Store one number each second, and hand it to whoever watches."""
        times = [start + at * SECOND for at in range(len(numbers))]
        batch = observations([datastream] * len(numbers), times, numbers, **more)
        self.store.append(batch)
        self.live.publish(batch)

    async def get(self, path: str, **params: Any) -> Any:
        """Get JSON from a path under /api/v1 that must answer 200."""
        response = await self.client.get(f"/api/v1{path}", params=params)
        assert response.status_code == 200, response.text
        return response.json()


class AsgiStream:
    """Reads an endless answer piece by piece, which the test client cannot."""

    def __init__(self, app: FastAPI, path: str, query: str = "", **headers: str) -> None:
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (b"host", b"localhost"),
                *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self._app = app
        self._gone = asyncio.Event()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self.status = 0
        self.finished = asyncio.Event()
        self._text = ""

    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(self._app(self._scope, self._receive, self._send))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.set()
        await asyncio.wait_for(self.task, 90)

    async def _receive(self) -> dict[str, Any]:
        if "asked" not in self.__dict__:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self._pieces.put_nowait(bytes(message.get("body", b"")))
            if not message.get("more_body"):
                self.finished.set()
                self._pieces.put_nowait(b"")

    @property
    def is_finished(self) -> bool:
        """Whether the answer has come to its end."""
        return self.finished.is_set()

    @property
    def text(self) -> str:
        """All that came and was not read as blocks yet."""
        while not self._pieces.empty():
            self._text += self._pieces.get_nowait().decode()
        return self._text

    async def block(self) -> dict[str, str]:
        """Return the fields of the next event or comment."""
        while "\n\n" not in self._text:
            self._text += (await asyncio.wait_for(self._pieces.get(), 90)).decode()
        text, _, self._text = self._text.partition("\n\n")
        return dict(line.split(": ", 1) for line in text.splitlines())
