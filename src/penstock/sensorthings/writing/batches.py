"""Batches: many requests in one, which may refer to what earlier ones made."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec

from penstock.core.access import PLATFORM, Principal
from penstock.core.errors import InvalidInput, NotSupported
from penstock.sensorthings.writing.asked import Answer, Asked, Parts, Run
from penstock.sensorthings.writing.batch_parts import is_multipart, read_parts, write_parts
from penstock.sensorthings.writing.values import read_json, read_object, refuse, shown

_log = logging.getLogger(__name__)

#: Requests in one batch.
MAX_REQUESTS = 10_000
#: Bytes that the answers of one batch, and what its groups are set back to, may have together
#: before no further request is run. All are kept until the last is there, and many batches may run
#: at once; the one request that passes the limit is still answered, and is bounded by itself.
MAX_ANSWER_BYTES = 64 * 2**20
#: Bytes read or written without leaving the event loop; more would keep others waiting.
MAX_AT_ONCE_BYTES = 64 * 1024

_METHODS = ("get", "post", "put", "patch", "delete")
_URL_REFERENCE = re.compile(r"/?\$([A-Za-z0-9_.~-]+)(?=[/?]|$)")
_WHOLE_REFERENCE = re.compile(r"\$([A-Za-z0-9_.~-]+)")
_ADDRESS = re.compile(r"/([A-Za-z]+\((?:[0-9]+|'[^']*')\))$")
#: What POST does there, no DELETE of one address takes back.
_ONE_WAY = re.compile(r"/(?:\$ref|CreateObservations)/?(?:\?|$)")
#: Statuses from this one on are failures.
_FAILED = 400
_OK = 200


_NOT_RUN = Answer(424, {}, b'"not run: an earlier request of its atomicityGroup failed"')
#: Insufficient Storage: of what there is no more room for.
_NO_ROOM = 507
#: Failed Dependency: of what was taken back.
_TAKEN_BACK = 424


@dataclass(slots=True)
class Group:
    """Requests that are done together or not at all.

    Attributes:
        undo: What takes back what was done: number of its response, method, address, body.
        responses: What was answered so far.
        has_failed: Whether one of them failed.
    """

    undo: list[tuple[int, str, str, bytes]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    has_failed: bool = False


class Batcher:
    """Runs batches."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self, who: Principal, asked: Asked, run: Run) -> Answer:
        """Run the requests one after the other and answer with what each was answered.

        When a request of an `atomicityGroup` fails, what the group did before is taken back, and
        what it would do after is not done. Others may see in between what is taken back.
        """
        is_large = len(asked.body) > MAX_AT_ONCE_BYTES
        requests: list[Mapping[str, Any]]
        requests = await self._parts.blocking(_requests, asked) if is_large else _requests(asked)
        references: dict[str, str] = {}
        groups: dict[str, Group] = {}
        responses: list[dict[str, Any]] = []
        held = 0
        for number, request in enumerate(requests):
            at = f"requests[{number}]"
            name = str(request.get("atomicityGroup") or "")
            group = groups.setdefault(name, Group()) if name else None
            if group is not None and group.has_failed:
                answer = _NOT_RUN
            elif held > MAX_ANSWER_BYTES:
                answer = _no_room(held)
            else:
                kept = 0 if group is None else len(group.undo)
                answer = await self._one(who, asked, run, request, references, at, group)
                held += len(answer.body)
                held += 0 if group is None else sum(len(body) for *_, body in group.undo[kept:])
            responses.append(_response(request, answer, references))
            if group is not None:
                group.responses.append(responses[-1])
                if answer.status >= _FAILED and not group.has_failed:
                    await self._take_back(run, group)
        written = (asked.content_type, requests, responses)
        kind: str
        body: bytes
        if is_large or held > MAX_AT_ONCE_BYTES:
            kind, body = await self._parts.blocking(_written, *written)
        else:
            kind, body = _written(*written)
        return Answer(200, {"Content-Type": kind}, body)

    @staticmethod
    async def _take_back(run: Run, group: Group) -> None:
        group.has_failed = True
        kept = set()
        for number, method, url, body in reversed(group.undo):
            try:
                # Who may write need not be allowed to delete; what a group made is its own.
                await run(PLATFORM, method, url, {"content-type": "application/json"}, body)
            except Exception:
                _log.exception("%s %s of an atomicityGroup could not be taken back", method, url)
                kept.add(number)
                group.responses[number]["body"] = "done, and could not be taken back"
        for number, response in enumerate(group.responses[:-1]):
            if number not in kept:
                response["status"] = _TAKEN_BACK
                response["body"] = "taken back: a later request of its atomicityGroup failed"
                response.pop("location", None)

    async def _one(
        self,
        who: Principal,
        asked: Asked,
        run: Run,
        request: Mapping[str, Any],
        references: Mapping[str, str],
        at: str,
        group: Group | None,
    ) -> Answer:
        try:
            method, url = _method(request, at), _url(request, asked.base, references, at)
            body = _body(request, references)
            undo = await self._undoing(who, run, group, method, url, body)
            headers = _headers(request)
            if group is not None and method == "POST":
                headers["if-none-match"] = "*"  # What is replaced could not be put back.
            answer = await run(who, method, url, headers, body)
            location = {name.lower(): one for name, one in answer.headers.items()}.get("location")
            if group is not None and answer.status < _FAILED:
                if method == "POST" and location is not None:
                    undo = ("DELETE", location.removeprefix(asked.base), b"")
                group.undo += [] if undo is None else [(len(group.responses), *undo)]
            return answer
        except Exception as problem:
            return self._parts.refusal(problem)

    @staticmethod
    async def _undoing(
        who: Principal, run: Run, group: Group | None, method: str, url: str, body: bytes
    ) -> tuple[str, str, bytes] | None:
        """Return the request that sets an entity of a group back to what it is now."""
        if group is not None and method == "DELETE":
            raise NotSupported("DELETE within an atomicityGroup cannot be taken back")
        if group is not None and method == "POST" and _ONE_WAY.search(unquote(url)):
            raise NotSupported(
                "links and data arrays within an atomicityGroup cannot be taken back"
            )
        # Whole: what options leave out could not be set back.
        address = url.partition("?")[0]
        if group is not None and unquote(address).rstrip("/").endswith("/$ref"):
            raise NotSupported("links cannot be changed within an atomicityGroup")
        if group is None or method not in ("PATCH", "PUT"):
            return None
        before = await run(who, "GET", address, {}, b"")
        if before.status != _OK or _media(before) != "application/json":
            return None
        held = msgspec.json.decode(before.body)
        if not isinstance(held, dict):
            return None
        given = read_json(body)
        links = {name.partition("@")[0] for name in held if name.endswith("navigationLink")}
        if isinstance(given, dict) and (links & given.keys()):
            names = ", ".join(sorted(links & given.keys()))
            raise NotSupported(f"links ({names}) cannot be changed within an atomicityGroup")
        kept = {name: value for name, value in held.items() if "@" not in name}
        return "PUT", address, msgspec.json.encode(kept)


def _written(
    content_type: str, requests: Sequence[Mapping[str, Any]], responses: Sequence[dict[str, Any]]
) -> tuple[str, bytes]:
    """Return the answers of a batch as it came: their media type and body."""
    if is_multipart(content_type):
        return write_parts(requests, responses)
    return "application/json", msgspec.json.encode({"responses": responses})


def _media(answer: Answer) -> str:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return headers.get("content-type", "").partition(";")[0]


def _no_room(held: int) -> Answer:
    message = (
        f"not run: the answers before have {held} bytes, and no request is run when they have more "
        f"than {MAX_ANSWER_BYTES}; ask this again in another batch, or for less with $select, $top"
    )
    return Answer(_NO_ROOM, {}, msgspec.json.encode(message))


def _requests(asked: Asked) -> list[Mapping[str, Any]]:
    if is_multipart(asked.content_type):
        requests: Any = read_parts(asked.body, asked.content_type)
    else:
        requests = read_object(asked.body).get("requests")
    if not isinstance(requests, list):
        refuse("requests", f"{shown(requests)} is no list of requests")
    if len(requests) > MAX_REQUESTS:
        refuse("requests", f"there are {len(requests)}; at most {MAX_REQUESTS} are allowed")
    seen: set[str] = set()
    for number, request in enumerate(requests):
        at = f"requests[{number}]"
        if not isinstance(request, dict):
            refuse(at, f"{shown(request)} is no request; expected a JSON object")
        id_ = request.get("id")
        if not isinstance(id_, str):
            refuse(f"{at}.id", f"{shown(id_)} is no text")
        if id_ in seen:
            refuse(f"{at}.id", f"{shown(id_)} was used by another request")
        seen.add(id_)
    return requests


def _method(request: Mapping[str, Any], at: str) -> str:
    method = str(request.get("method")).lower()
    if method not in _METHODS:
        refuse(f"{at}.method", f"{shown(request.get('method'))} is none of {', '.join(_METHODS)}")
    return method.upper()


def _url(request: Mapping[str, Any], base: str, references: Mapping[str, str], at: str) -> str:
    url = request.get("url")
    if not isinstance(url, str):
        refuse(f"{at}.url", f"{shown(url)} is no address")
    version = base.rpartition("/")[2]
    if unquote(url).partition("?")[0].rstrip("/").endswith("$batch"):
        refuse(f"{at}.url", "a batch cannot be within a batch")
    url = url.removeprefix(base).removeprefix(f"/{version}/").removeprefix(f"{version}/")
    if found := _URL_REFERENCE.match(url):
        known = references.get(found[1])
        if known is None:
            raise InvalidInput(f"{at}.url: no request ${found[1]} before this one made an entity")
        url = known + url[found.end() :]
    return "/" + url.lstrip("/")


def _headers(request: Mapping[str, Any]) -> dict[str, str]:
    given = request.get("headers")
    found = {"content-type": "application/json"}
    if isinstance(given, dict):
        for name, value in given.items():
            found[str(name).lower()] = str(value[0] if isinstance(value, list) and value else value)
    return found


def _body(request: Mapping[str, Any], references: Mapping[str, str]) -> bytes:
    body = request.get("body")
    if body is None:
        return b""
    return msgspec.json.encode(_filled(body, references))


def _filled(value: Any, references: Mapping[str, str]) -> Any:
    """Return a body with ids in the place of `$name`."""
    if isinstance(value, dict):
        return {key: _filled(one, references) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, references) for one in value]
    if isinstance(value, str) and (found := _WHOLE_REFERENCE.fullmatch(value)):
        address = references.get(found[1])
        if address is not None:
            id_ = address.partition("(")[2].rstrip(")")
            return id_[1:-1] if id_.startswith("'") else int(id_)
    return value


def _response(
    request: Mapping[str, Any], answer: Answer, references: dict[str, str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"id": request["id"], "status": answer.status}
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if location := headers.pop("location", None):
        found["location"] = location
        if address := _ADDRESS.search(location):
            references[request["id"]] = address[1]
    if answer.body:
        kind = headers.get("content-type", "application/json")
        if "json" in kind:
            found["body"] = msgspec.Raw(answer.body)
        else:
            found["headers"] = {"content-type": kind}
            found["body"] = answer.body.decode(errors="replace")
    return found
