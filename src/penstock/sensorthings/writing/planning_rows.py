"""Observations within what is to be made: checked before anything is, rows afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from penstock.core.entities import Made, New
from penstock.core.entity_types import TYPES
from penstock.core.series import ObservationType
from penstock.sensorthings.writing.results import Kind, Row, row_of
from penstock.sensorthings.writing.values import within

_OWNERS = ("Datastream", "MultiDatastream")
_KINDS = {kind.uri: str(kind) for kind in ObservationType}


@dataclass(frozen=True, slots=True)
class Planned:
    """An Observation to be made.

    Attributes:
        row: Its row, without datastream and feature.
        at: Where it stands in the body.
        has_time: Whether its time was given.
    """

    row: Row
    at: str
    has_time: bool


def plan(
    new: New, kind_of: Callable[[str, int, str], Kind], now_us: int, at: str = ""
) -> list[Planned]:
    """Return the Observations in a tree, in the order of `rows_of`.

    Args:
        new: The tree.
        kind_of: Gives the kind of a datastream that exists: its type, id, and where it stands.
        now_us: Time of those that come without one.
        at: Where the tree stands in the body.

    Raises:
        InvalidInput: A result does not fit its datastream.
    """
    return list(_planned(new, kind_of, now_us, at, None))


def _planned(
    new: New,
    kind_of: Callable[[str, int, str], Kind],
    now_us: int,
    at: str,
    parent: New | None,
) -> Iterator[Planned]:
    if new.type == "Observation":
        kind = _kind(new, kind_of, at, parent)
        row = row_of(new.values, kind, now_us, at)
        yield Planned(row, at, new.values.get("phenomenonTime") is not None)
    for name, some in new.links.items():
        for number, one in enumerate(some):
            if isinstance(one, New):
                place = within(at, f"{name}[{number}]" if _is_many(new.type, name) else name)
                yield from _planned(one, kind_of, now_us, place, new)


def _kind(new: New, kind_of: Callable[[str, int, str], Kind], at: str, parent: New | None) -> Kind:
    for name in _OWNERS:
        for owner in new.links.get(name, ()):
            return _kind_of_new(owner) if isinstance(owner, New) else kind_of(name, owner, at)
    assert parent is not None
    return _kind_of_new(parent)


def _kind_of_new(datastream: New) -> Kind:
    if datastream.type == "MultiDatastream":
        units = datastream.values.get("unitOfMeasurements")
        return Kind(ObservationType.COMPLEX, len(units) if isinstance(units, list) else 0)
    uri = str(datastream.values.get("observationType"))
    return Kind(_KINDS.get(uri, ObservationType.COMPLEX))


def rows_of(new: New, made: Made, planned: list[Planned]) -> list[Row]:
    """Return the rows of planned Observations, now that all else is made."""
    return [
        one.row._replace(
            datastream=place.nested["Datastream"][0].id
            if "Datastream" in place.nested
            else place.nested["MultiDatastream"][0].id,
            feature=place.nested["FeatureOfInterest"][0].id,
        )
        for one, place in zip(planned, _made_observations(new, made), strict=True)
    ]


def _made_observations(new: New, made: Made) -> Iterator[Made]:
    if new.type == "Observation":
        if "MultiDatastream" in made.nested:
            nested = {**made.nested, "Datastream": made.nested["MultiDatastream"]}
            yield replace(made, nested=nested)
        else:
            yield made
    for name, some in new.links.items():
        for one, its in zip(some, made.nested[name], strict=True):
            if isinstance(one, New):
                yield from _made_observations(one, its)


def made_entities(new: New, made: Made) -> Iterator[tuple[str, int]]:
    """Return type and id of every entity that was made, the outermost first."""
    if made.id and new.type != "Observation":
        yield new.type, made.id
    for name, some in new.links.items():
        for one, its in zip(some, made.nested.get(name, ()), strict=False):
            if isinstance(one, New):
                yield from made_entities(one, its)


def is_plain(new: New) -> bool:
    """Tell whether an Observation comes without anything else to be made."""
    return not any(isinstance(one, New) for some in new.links.values() for one in some)


def _is_many(type_: str, name: str) -> bool:
    link = TYPES[type_].link(name)
    return link is not None and link.many
