"""Kinds of value, the functions, and what each takes and gives (18-088 table 24)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from penstock.core.entity_types import EntityType


class Kind(StrEnum):
    """What an expression gives, as far as can be told without data."""

    NUMBER = "a number"
    TEXT = "a text"
    BOOL = "a condition"
    TIME = "a time"
    DURATION = "a duration"
    GEOMETRY = "a geometry"
    #: Any of null, number, text, bool, object and array; told by the data.
    JSON = "a JSON value"
    #: A number, or a text.
    ID = "an id"
    NULL = "null"

    def fits(self, wanted: Kind) -> bool:
        """Tell whether a value of this kind can stand where `wanted` is expected."""
        if self in {wanted, Kind.NULL}:
            return True
        if self is Kind.JSON:
            return wanted not in {Kind.TIME, Kind.DURATION}
        return self is Kind.ID and wanted in {Kind.NUMBER, Kind.TEXT}

    def compares_with(self, other: Kind) -> bool:
        """Tell whether two values of these kinds can be equal, or one greater."""
        if Kind.NULL in {self, other}:
            return True
        if Kind.GEOMETRY in {self, other}:
            return False
        if {self, other} == {Kind.JSON, Kind.TIME}:
            return True  # a text within JSON may be one
        return self.fits(other) or other.fits(self)


class Function(msgspec.Struct, frozen=True):
    """What a function takes and gives; the last `optional` arguments can be left out."""

    takes: tuple[Kind, ...]
    gives: Kind
    optional: int = 0


def _all(names: str, takes: tuple[Kind, ...], gives: Kind) -> dict[str, Function]:
    return dict.fromkeys(names.split(), Function(takes, gives))


_N, _S, _B, _T, _G = Kind.NUMBER, Kind.TEXT, Kind.BOOL, Kind.TIME, Kind.GEOMETRY

#: Every function by its name.
FUNCTIONS: Mapping[str, Function] = {
    **_all("substringof contains startswith endswith", (_S, _S), _B),
    **_all("indexof", (_S, _S), _N),
    **_all("length", (_S,), _N),
    **_all("tolower toupper trim", (_S,), _S),
    **_all("concat", (_S, _S), _S),
    "substring": Function((_S, _N, _N), _S, optional=1),
    **_all("year month day hour minute second fractionalseconds totaloffsetminutes", (_T,), _N),
    **_all("date", (_T,), _T),
    **_all("time", (_T,), Kind.DURATION),
    **_all("now mindatetime maxdatetime", (), _T),
    **_all("before after meets during overlaps starts finishes", (_T, _T), _B),
    **_all("round floor ceiling", (_N,), _N),
    **_all("geo.distance", (_G, _G), _N),
    **_all("geo.length", (_G,), _N),
    **_all(
        "geo.intersects st_equals st_disjoint st_touches st_within st_overlaps st_crosses "
        "st_intersects st_contains",
        (_G, _G),
        _B,
    ),
    **_all("st_relate", (_G, _G, _S), _B),
}

_ANY_JSON = frozenset({"metadata", "result", "resultQuality"})


def kind_of(type_: EntityType, name: str, *, whole: bool) -> Kind:
    """Return the kind of a property.

    Args:
        type_: Of the entity.
        name: Of the property; `@iot.id` is the id.
        whole: It is the property itself, not a member of its JSON.
    """
    if name == "@iot.id":
        return Kind.ID if type_.name == "Observation" else Kind.NUMBER
    if name in type_.times:
        return Kind.TIME
    if name in type_.json or name in _ANY_JSON or not whole:
        return Kind.JSON
    return Kind.TEXT
