"""Writing on real parts: log, ingest, catalog and store, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from tests.any_store import empty_store
from tests.catalog.template import fresh_catalog, is_there, reopened

from penstock.catalog.entities import SqlEntities
from penstock.codecs.registry import make
from penstock.core.access import ANYONE, EVERYTHING, Access, Principal
from penstock.core.clock import SystemClock
from penstock.core.entities import Query, Row
from penstock.core.errors import PenstockError
from penstock.core.observation import SCHEMA
from penstock.core.organisation import Organisation
from penstock.core.selection import Selection
from penstock.devices.post import MemoryPost
from penstock.ingest.ingest import Ingest
from penstock.ingest.settings import IngestSettings
from penstock.log.segments import SegmentLog
from penstock.log.settings import LogSettings
from penstock.runtime.config import Config
from penstock.runtime.fleet import make_room
from penstock.runtime.publisher import Publisher
from penstock.sensorthings.grammar import Options, ResourcePath, parse_options, parse_path
from penstock.sensorthings.observation_rows import Kind, believed, place_of, rows_of
from penstock.sensorthings.writing import Answer, Asked, Parts, Writing

BASE = "http://host/v1.1"


class Site:
    """One service to write to, and plain ways to look at what became of it."""

    def __init__(self, folder: Path, organisation: Organisation | None = None) -> None:
        self.clock = SystemClock()
        self.catalog = reopened(folder) if is_there(folder) else fresh_catalog(folder)
        self.entities = SqlEntities(self.catalog.database)
        self.store = empty_store()
        self.log = SegmentLog(folder / "log", LogSettings(), self.clock)
        self.publisher = Publisher(self.log.writer("hub"), self.clock)
        self.access = Access(organisation or Organisation(), self.clock)
        self.post_box = MemoryPost()
        self.fleet = make_room(
            Config(data_dir=str(folder)),
            self.catalog,
            self.store,
            self.clock,
            lambda: self.access,
            self.post_box,
        )
        self.ingest = Ingest(
            self.log,
            self.catalog,
            self.store,
            partial(make, settings=_codec_settings()),
            IngestSettings(),
            self.clock,
            ends=self.log.ends,
            access=lambda: self.access,
            listener=self.fleet.listener,
        )
        self.fleet.forget_series = self.ingest.forget_series
        self.ingest.start()
        self.fleet.start()
        self.runner = asyncio.Runner()
        self.published: list[tuple[str, int]] = []
        self.changes: list[tuple[str, int | str, str]] = []
        self.writing = Writing(
            Parts(
                reader=self.entities,
                writer=self.entities,
                features=self.entities,
                moved=self.entities,
                unfinished=self.entities,
                store=self.store,
                platform=self,  # type: ignore[arg-type]
                access=lambda: self.access,
                clock=self.clock,
                blocking=_blocking,
                find_observations=self.find_observations,
                condition=lambda _who, _type, options: options.where,
                refusal=_refusal,
                fleet=lambda: self.fleet,
                forget_series=self.ingest.forget_series,
                changed=lambda *what: self.changes.append(what),
            )
        )

    def close(self) -> None:
        self.runner.close()
        self.ingest.close()
        self.fleet.close()
        self.publisher.close()
        self.catalog.close()
        self.log.close()

    @property
    def refused(self) -> int:
        return self.ingest.meters.failed

    async def publish(self, messages: Any, client: str) -> int:
        self.published.extend((topic, len(payload)) for topic, payload in messages)
        return await self.publisher.publish(messages, client)

    async def ingested(self, offset: int, timeout_s: float) -> bool:
        self.ingest.wake()
        async with asyncio.timeout(timeout_s):
            while self.ingest.position("hub") < offset:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        return True

    async def all_ingested(self, timeout_s: float) -> bool:
        ends = self.log.ends()
        self.ingest.wake()
        async with asyncio.timeout(timeout_s):
            while any(self.ingest.position(name) < end for name, end in ends.items()):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        return True

    def find_observations(self, _: Principal, path: ResourcePath, options: Options) -> pa.Table:
        """Return rows by id, or all of a datastream."""
        id_ = path.last.id
        if id_ is None:
            parent = path.segments[-2].id if len(path.segments) > 1 else None
            of = (parent,) if isinstance(parent, int) else None
            return self.store.scan(Selection(datastreams=of))
        identity = place_of(id_, self.entities)
        held = self.store.scan(
            Selection(
                datastreams=(identity.datastream,),
                features=(identity.feature,),
                start_us=identity.time_us,
                end_us=identity.time_us + 1,
            )
        )
        return believed(held, self.entities)

    def ask(
        self,
        method: str,
        url: str,
        body: object = None,
        content_type: str = "application/json",
        who: Principal = ANYONE,
        *,
        only_new: bool = False,
    ) -> Answer:
        """Answer a request; raises what is wrong with it."""
        return self.runner.run(self._ask(method, url, body, content_type, who, only_new))

    async def _ask(
        self,
        method: str,
        url: str,
        body: object,
        content_type: str,
        who: Principal,
        only_new: bool,
    ) -> Answer:
        path, _, query = url.partition("?")
        parsed = parse_path(path)
        type_ = parsed.last.type if parsed.segments else None
        asked = Asked(
            path=parsed,
            base=BASE,
            body=body if isinstance(body, bytes) else msgspec.json.encode(body),
            content_type=content_type,
            options=parse_options(query, type_),
            only_new=only_new,
        )
        if parsed.action == "$batch":
            return await self.writing.batch(who, asked, self._run)
        call: Callable[..., Any] = getattr(self.writing, method)
        answer: Answer = await call(who, asked)
        return answer

    async def _run(
        self, who: Principal, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if method == "GET":
            path = parse_path(url)
            rows = self.entities.find(
                Query(type=path.last.type, scope=EVERYTHING, id=int(path.last.id or 0))
            )
            return Answer(200, {"Content-Type": "application/json"}, msgspec.json.encode(rows[0]))
        only_new = headers.get("if-none-match") == "*"
        return await self._ask(method.lower(), url, body, headers["content-type"], who, only_new)

    def post(self, url: str, body: object) -> int | str:
        """Make an entity and return its id."""
        answer = self.ask("post", url, body)
        assert answer.status == 201, answer
        path = parse_path(answer.headers["Location"].removeprefix(BASE))
        assert path.last.id is not None
        return path.last.id

    def row(self, type_: str, id_: int | str, *links: str) -> Row:
        """Return an entity as the catalog has it, JSON decoded."""
        assert isinstance(id_, int)
        (row,) = self.entities.find(Query(type=type_, scope=EVERYTHING, id=id_, links=links))
        return {
            name: msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
            for name, value in row.items()
        }

    def count(self, type_: str) -> int:
        return self.entities.count(Query(type=type_, scope=EVERYTHING))

    def observations(self, datastream: int | str) -> list[dict[str, Any]]:
        """Return the Observations of a datastream as they are shown, by time."""
        assert isinstance(datastream, int)
        table = self.store.scan(Selection(datastreams=(datastream,)))
        assert table.schema == SCHEMA
        kinds = {}
        for type_ in ("Datastream", "MultiDatastream"):
            for row in self.entities.find(Query(type=type_, scope=EVERYTHING, id=datastream)):
                kinds[datastream] = Kind(str(row["@kind"]), type_ == "MultiDatastream")
        return [
            {
                name: msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
                for name, value in row.items()
            }
            for row in rows_of(believed(table, self.entities), kinds)
        ]


def _codec_settings() -> Any:
    from penstock.codecs.settings import CodecSettings

    return CodecSettings()


async def _blocking(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(call, *args, **kwargs)


def _refusal(problem: Exception) -> Answer:
    if not isinstance(problem, PenstockError):
        raise problem
    return Answer(400, {}, msgspec.json.encode({"message": str(problem)}))
