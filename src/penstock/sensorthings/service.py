"""Answers GET: from an address and options to the bytes of an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import msgspec
import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.errors import InvalidInput, NotFound, NotSupported
from penstock.core.expression import Expression
from penstock.sensorthings import formats
from penstock.sensorthings.grammar import (
    Ending,
    Metadata,
    Options,
    ResourcePath,
    ResultFormat,
    parse_options,
    parse_path,
)
from penstock.sensorthings.members import member
from penstock.sensorthings.places import Place, Places
from penstock.sensorthings.reading import Reading
from penstock.sensorthings.root import service_root
from penstock.sensorthings.showing import COUNT, NEXT, Page, refs
from penstock.sensorthings.sources import ID, Sources, both

JSON, TEXT = "application/json", "text/plain; charset=utf-8"
_NO_CONTENT, _OK = 204, 200
_NULL = msgspec.Raw(b"null")
#: Steps of a path that count in a list; what is longer counts further than any list is long.
_INDEX = re.compile(r"[0-9]{1,18}")
#: Observations that a filtered request to remove some may mean at once.
MAX_FOUND = 100_000


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    body: bytes = b""
    media: str = JSON
    status: int = _OK
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for data.

    Attributes:
        path: Below the root, percent-encoded, without a slash in front.
        query: Options, percent-encoded.
        root: Address of the service, without a slash at the end.
        scope: What the one who asks may read.
    """

    path: str
    query: str
    root: str
    scope: Scope


class Service:
    """Answers requests for data. Safe to call from any thread.

    Args:
        sources: The two sides.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def get(self, wanted: Wanted) -> Reply:
        """Return the answer.

        Raises:
            InvalidInput: Address or options cannot be read; says where.
            NotFound: The address leads nowhere that may be seen.
            NotSupported: It is understood but cannot be answered.
        """
        path = parse_path(unquote(wanted.path))
        if not path.segments:
            if path.action:
                msg = f"{path.action} takes POST"
                raise NotSupported(msg)
            return Reply(msgspec.json.encode(service_root(wanted.root)))
        last = path.last
        options = _with_metadata(parse_options(wanted.query, last.type))
        reading = Reading(self._sources, wanted.scope, wanted.root)
        place = Places(self._sources, wanted.scope, reading.observations).follow(path.segments)
        if path.ending is Ending.COUNT:
            return Reply(str(reading.count(place, options)).encode(), TEXT)
        if place.is_set:
            return _Sets(reading, wanted).answer(place, path, options)
        return _Ones(reading, wanted).answer(place, path, options)

    def render(self, table: pa.Table, options: Options, root: str, scope: Scope) -> list[bytes]:
        """Return each row as GET of that Observation shows it; the rows themselves are given."""
        reading = Reading(self._sources, scope, root)
        kinds = reading.observations.kinds(table)
        shown = reading.show_observations(table, options, kinds)
        return [one.encode() for one in shown.texts()]

    def find_observations(self, scope: Scope, path: ResourcePath, options: Options) -> pa.Table:
        """Return the rows that a path leads to and the filter holds for, at most `MAX_FOUND`.

        Raises:
            NotFound: The path leads nowhere that may be seen.
        """
        reading = Reading(self._sources, scope, "")
        place = Places(self._sources, scope, reading.observations).follow(path.segments)
        if place.observation is not None:
            return place.observation
        where = both(place.where, reading.joins.of_observations(options.where))
        return reading.observations.all(reading.observations.choose(where), MAX_FOUND)

    def condition(self, scope: Scope, type_: str, options: Options) -> Expression | None:
        """Return a filter over entities as the catalog can answer it alone.

        What it asks of Observations is answered by the store, as for GET.

        Raises:
            NotSupported: One comparison speaks of both sides.
        """
        return Reading(self._sources, scope, "").joins.of_catalog(options.where, type_)


def _with_metadata(options: Options) -> Options:
    """Let what is expanded carry the annotations that the request asks for."""
    if options.metadata is Metadata.FULL or not options.expand:
        return options
    inner = [msgspec.structs.replace(e.options, metadata=options.metadata) for e in options.expand]
    expand = tuple(
        msgspec.structs.replace(one, options=_with_metadata(within))
        for one, within in zip(options.expand, inner, strict=True)
    )
    return msgspec.structs.replace(options, expand=expand)


class _Sets:
    """Answers with sets."""

    def __init__(self, reading: Reading, wanted: Wanted) -> None:
        self._reading = reading
        self._wanted = wanted

    def answer(self, place: Place, path: ResourcePath, options: Options) -> Reply:
        if path.properties or path.ending is Ending.VALUE:
            msg = "$value and properties are of one entity, not of a set; name its id"
            raise InvalidInput(msg)
        if path.ending is Ending.REF:
            options = msgspec.structs.replace(options, select=((ID,),), expand=())
        if options.format is ResultFormat.DATA_ARRAY:
            return self._data_array(place, options)
        page = self._reading.page(place, options)
        if path.ending is Ending.REF:
            ids = [one[ID] for one in map(msgspec.json.decode, page.values)]
            page = Page(refs(place.type, ids, self._wanted.root), page.count, page.next)
        if options.format is ResultFormat.CSV:
            values = map(msgspec.json.decode, page.values)
            return Reply(formats.csv(place.type, values, options), "text/csv; charset=utf-8")
        next_ = "" if options.metadata is Metadata.OFF else self._next(page)
        if options.format is ResultFormat.GEOJSON:
            values = map(msgspec.json.decode, page.values)
            body = formats.geojson(place.type, values, options, page.count, next_)
            return Reply(msgspec.json.encode(body), "application/geo+json")
        return Reply(_set(page.values, page.count, next_))

    def _data_array(self, place: Place, options: Options) -> Reply:
        if place.type != "Observation" or options.expand:
            msg = "$resultFormat=dataArray shows Observations, without $expand"
            raise InvalidInput(msg)
        page = self._reading.data_array(place, options)
        return Reply(_set(page.values, page.count, self._next(page)))

    def _next(self, page: Page) -> str:
        if not page.next:
            return ""
        kept = [
            part
            for part in self._wanted.query.split("&")
            if part and unquote(part.partition("=")[0]).strip() not in {"$skip", "$skiptoken"}
        ]
        query = "&".join([*kept, page.next])
        return f"{self._wanted.root}/{self._wanted.path}?{query}"


class _Ones:
    """Answers with one entity, or a part of it."""

    def __init__(self, reading: Reading, wanted: Wanted) -> None:
        self._reading = reading
        self._wanted = wanted

    def answer(self, place: Place, path: ResourcePath, options: Options) -> Reply:
        if path.properties:
            return self._property(place, path)
        if path.ending is Ending.VALUE:
            msg = "$value is of a property; name one"
            raise InvalidInput(msg)
        if path.ending is Ending.REF:
            options = msgspec.structs.replace(options, select=((ID,),), expand=())
            id_ = msgspec.json.decode(self._show(place, options))[ID]
            return Reply(refs(place.type, [id_], self._wanted.root)[0].encode())
        shown = self._show(place, options)
        if options.format is ResultFormat.CSV:
            values = [msgspec.json.decode(shown)]
            return Reply(formats.csv(place.type, values, options), "text/csv; charset=utf-8")
        if options.format is ResultFormat.GEOJSON:
            body = formats.geojson(place.type, [msgspec.json.decode(shown)], options, None, "")
            return Reply(msgspec.json.encode(body), "application/geo+json")
        return Reply(shown.encode())

    def _show(self, place: Place, options: Options) -> str:
        if place.observation is not None:
            return self._reading.one_observation(place.observation, options)
        assert place.id is not None
        shown = self._reading.one(place.type, place.id, options)
        if shown is None:
            msg = f"there is no {place.type} with id {place.id}"
            raise NotFound(msg)
        return shown

    def _property(self, place: Place, path: ResourcePath) -> Reply:
        name, *members = path.properties
        shown = self._show(place, Options(select=((name,),)))
        # What is not taken apart stays as it was written, to the last digit.
        raw = msgspec.json.decode(shown, type=dict[str, msgspec.Raw]).get(name, _NULL)
        plain: Any = member(msgspec.json.decode(raw), members)
        if plain is None or (name == "properties" and not members and not plain):
            return Reply(status=_NO_CONTENT)
        value = plain if members else raw
        if path.ending is not Ending.VALUE:
            return Reply(msgspec.json.encode({_last_name(path.properties): value}))
        if isinstance(plain, str):
            return Reply(plain.encode(), TEXT)
        media = JSON if isinstance(plain, (dict, list)) else TEXT
        return Reply(msgspec.json.encode(value), media)


def _last_name(properties: Sequence[str]) -> str:
    """Return the last name of a path with the numbers behind it: `names[1]`."""
    numbers = ""
    for name in reversed(properties):
        if not _INDEX.fullmatch(name):
            return name + numbers
        numbers = f"[{name}]{numbers}"
    return numbers


def _set(values: Sequence[str], count: int | None, next_: str) -> bytes:
    """Return a set, whose values are JSON already."""
    head = "" if count is None else f'"{COUNT}":{count},'
    if next_:
        head += f'"{NEXT}":{msgspec.json.encode(next_).decode()},'
    # Large as it may be, it is copied once.
    parts = [value.encode() for value in values] or [b""]
    parts[0] = f'{{{head}"value":['.encode() + parts[0]
    parts[-1] += b"]}"
    return b",".join(parts)
