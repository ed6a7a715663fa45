"""Entities as JSON shows them: annotations, properties, links.

They are put together from columns of JSON, all rows at once: no object is made of what only passes
through. A page of a thousand Things with all that is in them is some ten thousand texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec

from penstock.core.entities import Columns
from penstock.core.entity_types import TYPES, EntityType
from penstock.sensorthings.grammar import Metadata, Options
from penstock.sensorthings.members import position
from penstock.sensorthings.observation_ids import quoted
from penstock.sensorthings.observation_rows import Kind
from penstock.sensorthings.observation_texts import ObservationTexts
from penstock.sensorthings.sizes import check_count
from penstock.sensorthings.sources import ID
from penstock.sensorthings.times import iso

SELF, NAVIGATION, COUNT, NEXT = (
    "@iot.selfLink",
    "@iot.navigationLink",
    "@iot.count",
    "@iot.nextLink",
)
#: Times that the catalog has as numbers.
_MOMENTS = frozenset({"time", "creationTime"})
#: Links of Observations of which each has one.
_STREAMS = ("Datastream", "MultiDatastream")


class Shown:
    """Entities as they are shown: columns of JSON, and what stands between them.

    Args:
        rows: How many there are.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._parts: list[str | Sequence[str]] = []
        self._sizes: list[int] | None = None

    def __len__(self) -> int:
        return self._rows

    def add(self, name: str, values: Sequence[str | None]) -> None:
        """Add a member; an entity of which the value is None or empty goes without."""
        if all(values):
            self.put(f',"{name}":', values)  # type: ignore[arg-type]
        elif any(values):
            member = f',"{name}":'
            self.put([member + value if value else "" for value in values])

    def put(self, *parts: str | Sequence[str]) -> None:
        """Add text: the same for all, or a column with one for each."""
        self._parts += parts

    def size(self, start: int, stop: int) -> int:
        """Return how many entities some of these are, with those within them."""
        return stop - start if self._sizes is None else sum(self._sizes[start:stop])

    def grow(self, more: Sequence[int]) -> None:
        """Count what is put within each, before it is.

        Raises:
            NotSupported: They are too many to be shown in one answer.
        """
        sizes = self._sizes or [1] * self._rows
        self._sizes = [size + one for size, one in zip(sizes, more, strict=True)]
        check_count(sum(self._sizes))

    def members(self) -> list[str]:
        """Return of each what is between its braces."""
        if not self._parts:
            return [""] * self._rows
        parts = [repeat(one, self._rows) if isinstance(one, str) else one for one in self._parts]
        # Each member has a comma before it, and the first one that an entity has needs none.
        return ["".join(texts)[1:] for texts in zip(*parts, strict=True)]

    def texts(self) -> list[str]:
        """Return each as a JSON object."""
        return [f"{{{members}}}" for members in self.members()]


class Page(msgspec.Struct, frozen=True):
    """Entities as they are shown.

    Attributes:
        values: The entities, each as JSON.
        count: How many there are in all, where that was asked for.
        next: The option that leads to the next page; empty on the last.
    """

    values: Sequence[str]
    count: int | None = None
    next: str = ""


class Looks:
    """How entities of one type are shown under some options.

    Args:
        type_: Name of the type.
        options: What is asked for.
        root: Address of the service.
        is_nested: They are shown within others, without links unless those are selected.
    """

    def __init__(self, type_: str, options: Options, root: str, *, is_nested: bool) -> None:
        kind: EntityType = TYPES[type_]
        chosen = None if options.select is None else {path[0] for path in options.select}
        self._deep = _members(options.select or ())
        is_full = options.metadata is Metadata.FULL
        self.properties = tuple(p for p in kind.properties if chosen is None or p in chosen)
        expanded = {one.link for one in options.expand}
        links = (
            [link.name for link in kind.links if link.name not in expanded]
            if chosen is None and not is_nested
            else [link.name for link in kind.links if link.name in (chosen or ())]
        )
        self._links = tuple(links) if is_full else ()
        self._stem = inner_text(f"{root}/{kind.set_name}(")
        self._has_id = chosen is None or ID in chosen
        self._has_self = is_full and (chosen is None or SELF in chosen)

    def show(
        self, entities: Columns, more: Mapping[str, Mapping[int, str | None]] | None = None
    ) -> Shown:
        """Return what is shown of entities, without what is expanded; links last.

        Args:
            entities: As the catalog gives them.
            more: Further properties by name, each by id; None is not shown.
        """
        shown, ids = Shown(len(entities.ids)), list(map(str, entities.ids))
        self._annotate(shown, ids, ids)
        for name, values in entities.values.items():
            self._add(shown, name, values)
        for name, by_id in (more or {}).items():
            shown.add(name, [by_id.get(id_) for id_ in entities.ids])
        self._link(shown, ids, self._links)
        return shown

    def show_observations(self, rows: ObservationTexts, kinds: Mapping[int, Kind]) -> Shown:
        """Return what is shown of observations, without what is expanded; links last."""
        keys = places = list(map(str, rows.ids))
        if not all(type(id_) is int for id_ in rows.ids):
            keys = [msgspec.json.encode(id_).decode() for id_ in rows.ids]
            places = [inner_text(quoted(id_)) for id_ in rows.ids]
        shown = Shown(len(rows.ids))
        self._annotate(shown, keys, places)
        for name, texts in rows.columns.items():
            self._add(shown, name, texts)
        multi = {one for one, kind in kinds.items() if kind.is_multi}
        is_multi = [stream in multi for stream in rows.datastreams]
        for name in self._links:
            if name not in _STREAMS or not multi:
                self._link(shown, places, [name] if name != _STREAMS[1] else [])
                continue
            stem, wanted = self._stem, name == _STREAMS[1]
            links = zip(places, is_multi, strict=True)
            shown.add(
                f"{name}{NAVIGATION}",
                [f'"{stem}{at})/{name}"' if one is wanted else None for at, one in links],
            )
        return shown

    def _annotate(self, shown: Shown, ids: Sequence[str], places: Sequence[str]) -> None:
        if self._has_id:
            shown.put(f',"{ID}":', ids)
        if self._has_self:
            shown.put(f',"{SELF}":"{self._stem}', places, ')"')

    def _add(self, shown: Shown, name: str, values: Sequence[Any]) -> None:
        """Add a property: as it is, or what is selected of it."""
        paths = self._deep.get(name)
        if name in _MOMENTS:
            values = [None if us is None else f'"{iso(us)}"' for us in values]
        elif paths is not None:
            values = [text and _cut_text(text, paths) for text in values]
        shown.add(name, values)

    def _link(self, shown: Shown, places: Sequence[str], names: Sequence[str]) -> None:
        for name in names:
            shown.put(f',"{name}{NAVIGATION}":"{self._stem}', places, f')/{name}"')


def inner_text(text: str) -> str:
    """Return a text as it stands between the quotation marks of JSON."""
    return msgspec.json.encode(text).decode()[1:-1]


def refs(type_: str, ids: Iterable[object], root: str) -> list[str]:
    """Return the addresses of entities, each as a JSON object."""
    stem = f"{root}/{TYPES[type_].set_name}("
    found = [{SELF: f"{stem}{quoted(id_)})"} for id_ in ids if isinstance(id_, (int, str))]
    return [msgspec.json.encode(one).decode() for one in found]


def _members(select: Sequence[tuple[str, ...]]) -> dict[str, list[tuple[str, ...]]]:
    """Return the paths into JSON properties that are selected, where not all of one is."""
    whole = {path[0] for path in select if len(path) == 1}
    found: dict[str, list[tuple[str, ...]]] = {}
    for path in select:
        if len(path) > 1 and path[0] not in whole:
            found.setdefault(path[0], []).append(path[1:])
    return found


def _cut_text(text: str, paths: Sequence[tuple[str, ...]]) -> str:
    return msgspec.json.encode(_cut(msgspec.json.decode(text), paths)).decode()


def _cut(value: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    found: dict[str, Any] = {}
    for path in paths:
        here, there = value, found
        for at, name in enumerate(path):
            if isinstance(here, list) and (place := position(here, name)) is not None:
                here = here[place]
            elif isinstance(here, dict) and name in here:
                here = here[name]
            else:
                break
            if at == len(path) - 1:
                there[name] = here
            else:
                there = there.setdefault(name, {})
    return found
