"""The OGC SensorThings API 1.1 at /v1.1, and at /v1.0 for clients of that version."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response

from penstock.api.context import Context
from penstock.api.errors import Refused, answer
from penstock.api.sensorthings_trail import SensorThingsTrail
from penstock.api.who import Who, address_of
from penstock.core.access import ANYONE, PLATFORM, Principal
from penstock.core.errors import NotSupported
from penstock.core.people import Actor
from penstock.sensorthings.description import describe
from penstock.sensorthings.grammar import Options, ResourcePath, parse_options, parse_path
from penstock.sensorthings.service import Reply, Service, Wanted
from penstock.sensorthings.sources import Sources
from penstock.sensorthings.things import Things
from penstock.sensorthings.writing import Answer, Asked, Parts, Writing

#: Where the API is mounted; the first one is the version it speaks.
VERSIONS = ("v1.1", "v1.0")

_READING = frozenset({"GET", "HEAD"})
#: Addresses below the root that describe it.
_DESCRIPTION = "api"

router = APIRouter(include_in_schema=False, default_response_class=Response)


class SensorThings:
    """The API over the parts of a platform.

    Args:
        things: The catalog's side.
        ctx: The platform's parts.
    """

    def __init__(self, things: Things, ctx: Context) -> None:
        self._ctx = ctx
        self._public_url = things.settings.public_url
        self._trail = SensorThingsTrail(ctx, things.reader)
        self.service = Service(
            Sources(
                reader=things.reader,
                features=things.features,
                moved=things.moved,
                store=ctx.store,
                readable=ctx.catalog.readable,
                clock=ctx.clock,
                max_top=things.settings.max_top,
                max_scan_rows=things.settings.max_scan_rows,
            )
        )
        self._writing = Writing(
            Parts(
                reader=things.reader,
                writer=things.writer,
                features=things.features,
                moved=things.moved,
                unfinished=things.unfinished,
                store=ctx.store,
                platform=ctx.platform,
                access=lambda: ctx.access,
                clock=ctx.clock,
                blocking=ctx.blocking,
                find_observations=lambda who, path, options: self.service.find_observations(
                    ctx.scope(who), path, options
                ),
                condition=lambda who, type_, options: self.service.condition(
                    ctx.scope(who), type_, options
                ),
                refusal=_refusal,
                fleet=(lambda: ctx.fleet) if ctx.has_fleet else None,
                forget_series=things.forget_series,
                changed=things.changed,
            )
        )

    async def resume(self) -> None:
        """Do to its end what was cut short when the platform ended; before anybody is served."""
        await self._writing.resume()

    def root(self, request: Request, version: str) -> str:
        """Return the address of the service as the client should call it."""
        base = self._public_url or str(request.base_url).rstrip("/")
        return f"{base}/{version}"

    async def run(
        self,
        by: Actor,
        method: str,
        root: str,
        address: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        """Answer one request, the address being below the root."""
        who = by.who
        path, _, query = address.lstrip("/").partition("?")
        if method in _READING:
            reply = await self._read(who, path, query, root)
            return Answer(reply.status, {**reply.headers, "content-type": reply.media}, reply.body)
        asked = _asked(path, query, root, headers, body)
        if asked.path.action == "$batch" and method == "POST":

            async def run(
                who: Principal, method: str, address: str, headers: Mapping[str, str], body: bytes
            ) -> Answer:
                await self._pace(by, who)
                return await self.run(Actor(who, by.address), method, root, address, headers, body)

            return await self._writing.batch(who, asked, run)
        writes: Mapping[str, Callable[[Principal, Asked], Awaitable[Answer]]] = {
            "POST": self._writing.post,
            "PATCH": self._writing.patch,
            "PUT": self._writing.put,
            "DELETE": self._writing.delete,
        }
        if method not in writes:
            msg = f"{method} is not possible here; GET, POST, PATCH, PUT and DELETE are"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", msg)
        subject = None
        if self._trail.is_written_down(method, asked.path):
            subject = await self._ctx.blocking(self._trail.subject, asked.path, address)
        done = await writes[method](who, asked)
        if subject is not None and done.status < HTTPStatus.BAD_REQUEST:
            await self._ctx.blocking(self._trail.write, by, method, subject, done.headers)
        return done

    async def _pace(self, by: Actor, who: Principal) -> None:
        """Count a part of a batch as a request: it waits while its sender asks too often."""
        if who == PLATFORM or not self._ctx.access.organisation.accounts:
            return
        rates = self._ctx.rates
        while wait_s := (  # noqa: ASYNC110
            rates.unknown_wait_s(by.address) if who == ANYONE else rates.wait_s(who)
        ):
            await asyncio.sleep(wait_s)

    async def _read(self, who: Principal, path: str, query: str, root: str) -> Reply:
        scope = self._ctx.scope(who)
        if path == _DESCRIPTION:
            return Reply(describe(root))
        wanted = Wanted(path=path, query=query, root=root, scope=scope)
        return await self._ctx.blocking(self.service.get, wanted)


def _asked(path: str, query: str, root: str, headers: Mapping[str, str], body: bytes) -> Asked:
    resource = parse_path(unquote(path))
    return Asked(
        path=resource,
        base=root,
        body=body,
        content_type=headers.get("content-type", "application/json"),
        options=parse_options(query, _type_of(resource)) if query else Options(),
        prefer=headers.get("prefer", ""),
        only_new=headers.get("if-none-match", "").strip() == "*",
    )


def _type_of(path: ResourcePath) -> str | None:
    return path.last.type if path.segments else None


def _refusal(error: Exception) -> Answer:
    response = answer(error)
    return Answer(response.status_code, {"content-type": "application/json"}, bytes(response.body))


def _routes(version: str) -> None:
    async def respond(request: Request, who: Who) -> Response:
        things: SensorThings | None = request.app.state.things
        if things is None:
            msg = "this platform has no SensorThings API"
            raise NotSupported(msg)
        raw = request.scope.get("raw_path") or request.scope["path"].encode()
        address = raw.decode("ascii", "replace").partition("?")[0]
        address = address[address.index(f"/{version}") + len(version) + 1 :].strip("/")
        query = request.scope["query_string"].decode("ascii", "replace")
        address = f"{address}?{query}" if query else address
        body = b"" if request.method in _READING else await request.body()
        root = things.root(request, version)
        by = Actor(who, address_of(request))
        found = await things.run(by, request.method, root, address, request.headers, body)
        headers = {name: value for name, value in found.headers.items() if value}
        return Response(found.body, found.status, headers)

    methods = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
    for place in (f"/{version}", f"/{version}/{{address:path}}"):
        router.add_api_route(place, respond, methods=methods, name=f"sensorthings_{version}")


for _version in VERSIONS:
    _routes(_version)
