"""What an analyst asks: which Datastreams there are, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from penstock.client.arriving import Page as Arrived
from penstock.client.things import Datastream, Page
from penstock.client.times import time_us
from penstock.client.web import Web
from penstock.core.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from penstock.client.observations import Observations

#: One Datastream: its full name, its id, or itself.
Chosen = str | int | Datastream

#: Datastreams that one request may name.
MAX_NAMED = 1000


class Reader:
    """Asks the API about Datastreams."""

    def __init__(self, web: Web) -> None:
        self.web = web

    def datastreams(self, search: str = "", **params: Any) -> list[Datastream]:
        """Return all that a search finds, by id."""
        found: list[Datastream] = []
        after = 0
        while True:
            asked = {"search": search, "after": after, "limit": 10_000, **params}
            page = self.web.get("/datastreams", Page, asked)
            found += page.items
            if page.next is None:
                return found
            after = page.next

    def by_id(self, ids: Sequence[int], **params: Any) -> list[Datastream]:
        """Return those of these ids that there are."""
        found: list[Datastream] = []
        for start in range(0, len(ids), MAX_NAMED):
            part = list(ids[start : start + MAX_NAMED])
            found += self.datastreams(id=part, **params)
        return found

    def choose(self, chosen: Chosen | Iterable[Chosen], **params: Any) -> list[Datastream]:
        """Return the Datastreams meant, in the order given.

        Raises:
            NotFound: There is none of this name or id, or one may not see it.
        """
        given = [chosen] if isinstance(chosen, (str, int, Datastream)) else list(chosen)
        ids = [one.id if isinstance(one, Datastream) else one for one in given]
        held = {s.id: s for s in self.by_id([i for i in ids if isinstance(i, int)], **params)}
        named = {one: self._named(one, params) for one in ids if isinstance(one, str)}
        found: dict[int, Datastream] = {}
        for one in ids:
            stream = named[one] if isinstance(one, str) else held.get(one)
            if stream is None:
                raise NotFound(f"there is no datastream with id {one}, or it is not yours to see")
            found[stream.id] = stream
        if not found:
            raise InvalidInput("no datastream is named; name one or more, or ids, or `*`")
        return list(found.values())

    def _named(self, name: str, params: Mapping[str, Any]) -> Datastream:
        found = self.datastreams(name, **params)
        exact = [s for s in found if s.name == name]
        if len(exact) == 1:
            return exact[0]
        ending = [s for s in found if s.name.endswith(f".{name}")]
        if len(ending) == 1:
            return ending[0]
        near = ", ".join(s.name for s in (ending or found)[:5])
        hint = f"did you mean one of: {near}" if near else "`datastreams()` lists those there are"
        raise NotFound(f"there is no datastream {name!r}; {hint}")

    def observations(
        self,
        chosen: Chosen | Iterable[Chosen],
        start: object,
        end: object,
        every: str | None,
        now_us: int,
    ) -> Observations:
        """Return the observations of a stretch of time; nothing is read yet."""
        from penstock.client.observations import Observations, width_us_of

        if every is not None:
            width_us_of(every)
        streams = self.choose(chosen)
        return Observations(self.web, streams, when(start, now_us), when(end, now_us), every)

    def arrived(self, filters: Sequence[str], offset: int | None, most: int) -> Arrived:
        """Return what came by MQTT on some topics, from an offset of the log on."""
        params = {"filter": list(filters), "offset": offset, "limit": most}
        return self.web.get("/messages", Arrived, params)

    def since(self, id_: int, start_us: int) -> Iterator[Mapping[str, Any]]:
        """Give the rows of a Datastream from a time on; none if there is no such Datastream."""
        from penstock.client.observations import Observations

        streams = self.by_id([id_])
        if streams:
            yield from Observations(self.web, streams, start_us, None, None)


def when(value: object, now_us: int) -> int | None:
    """Return microseconds UTC of a time, `now`, `now-10m`, or a date such as 2026-01 or 2026.

    Raises:
        InvalidInput: It is none of these, or a datetime without a time zone.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text == "now":
            return now_us
        if text.startswith("now-"):
            from penstock.client.observations import width_us_of

            return now_us - width_us_of(text[4:])
        if re.fullmatch(r"\d{4}(-\d{2})?", text):
            return time_us(f"{text}-01-01"[:10])
        return time_us(text)
    if isinstance(value, date) and not isinstance(value, datetime):
        return time_us(value.isoformat())
    return time_us(value)


def rows(batch: Any) -> Iterator[dict[str, Any]]:
    """Return the rows of a record batch as dictionaries, times as integers in microseconds."""
    import pyarrow as pa

    columns = {
        name: (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    names = list(columns)
    for values in zip(*(column.to_pylist() for column in columns.values()), strict=True):
        yield dict(zip(names, values, strict=True))
