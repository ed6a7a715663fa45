"""Geometries for conditions: read once, prepared where they come again; shapely is loaded late.

Planar, in degrees, as PostGIS computes with `geometry`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec

from penstock.core.errors import InvalidInput

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

#: Relations by name; each takes the geometry that is worth preparing first where it can be.
_SYMMETRIC = frozenset({"equals", "disjoint", "touches", "overlaps", "crosses", "intersects"})
_MIRRORED = {"within": "contains", "contains": "within"}

#: Characters of a text that counts as short; as many as are remembered have 40 MB at most.
SHORT = 10_000


def check_text(wkt: str, at: int) -> None:
    """Do nothing if this is well-known text.

    Raises:
        InvalidInput: It is not.
    """
    if read_geometry(wkt) is None:
        msg = (
            f"the geometry at position {at} cannot be read: {wkt[:80]!r}; expected well-known text "
            "such as POINT (8.4 49.0), longitude first"
        )
        raise InvalidInput(msg)


def read_geometry(text: str) -> BaseGeometry | None:
    """Return the geometry of well-known text or GeoJSON (a Feature's is its own), or None."""
    return _of_short(text) if len(text) <= SHORT else _of_long(text)


@functools.lru_cache(maxsize=4096)
def _of_short(text: str) -> BaseGeometry | None:
    return _made_of(text)


# Few: enough that the one a filter names is not read again for every row.
@functools.lru_cache(maxsize=4)
def _of_long(text: str) -> BaseGeometry | None:
    return _made_of(text)


def _made_of(text: str) -> BaseGeometry | None:
    import shapely

    try:
        if text.startswith("{"):
            return _from_json(text)
        _, _, wkt = text.rpartition(";")  # SRID=4326;POINT ...
        geometry = shapely.from_wkt(wkt)
        shapely.prepare(geometry)
    except (shapely.errors.ShapelyError, ValueError, TypeError):
        return None
    return geometry


def _from_json(text: str) -> BaseGeometry | None:
    import shapely

    value: Any = msgspec.json.decode(text)
    if value.get("type") == "Feature":
        value = value.get("geometry")
        text = msgspec.json.encode(value).decode()
    if not isinstance(value, dict) or "type" not in value:
        return None
    return shapely.from_geojson(text)


def relation(name: str, left: str | None, right: str | None) -> bool | None:
    """Tell whether two geometries stand in a relation; None where one is none."""
    pair = _pair(left, right)
    if pair is None:
        return None
    import shapely

    one, other = pair
    if not shapely.is_prepared(one) and shapely.is_prepared(other):
        if name in _SYMMETRIC:
            one, other = other, one
        elif name in _MIRRORED:
            name, one, other = _MIRRORED[name], other, one
    try:
        return bool(getattr(shapely, name)(one, other))
    except shapely.errors.ShapelyError:
        return None


def relates(left: str | None, right: str | None, pattern: str | None) -> bool | None:
    """Tell whether the DE-9IM of two geometries fits a pattern; None where that makes no sense."""
    pair = _pair(left, right)
    if pair is None or not isinstance(pattern, str):
        return None
    import shapely

    try:
        return bool(shapely.relate_pattern(*pair, pattern))
    except (shapely.errors.ShapelyError, ValueError):
        return None


def distance(left: str | None, right: str | None) -> float | None:
    """Return the distance of two geometries in degrees; None where one is none or empty."""
    pair = _pair(left, right)
    if pair is None:
        return None
    import shapely

    result = float(shapely.distance(*pair))
    return result if result == result else None


def length(text: str | None) -> float | None:
    """Return the length in degrees of the lines of a geometry; None where it is none."""
    geometry = _read(text)
    return None if geometry is None else _line_length(geometry)


def _line_length(geometry: BaseGeometry) -> float:
    """Return the length; of areas PostGIS says 0, and the perimeter is something else."""
    if hasattr(geometry, "geoms"):
        return sum(_line_length(part) for part in geometry.geoms)
    return 0.0 if geometry.geom_type in ("Polygon", "Point") else float(geometry.length)


def _read(text: object) -> BaseGeometry | None:
    return read_geometry(text) if isinstance(text, str) else None


def _pair(left: object, right: object) -> tuple[BaseGeometry, BaseGeometry] | None:
    one, other = _read(left), _read(right)
    return None if one is None or other is None else (one, other)
