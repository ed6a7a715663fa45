"""Geometries in the plane of longitude and latitude, by GEOS; shapely is loaded when needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from penstock.sensorthings.columns.values import (
    JSON,
    SHAPE,
    TEXT,
    Objects,
    Truth,
    Values,
    numbers,
    objects,
    truth,
)

#: Functions that compare two geometries, and how shapely calls them.
_RELATIONS = {
    "geo.intersects": "intersects",
    "st_equals": "equals",
    "st_disjoint": "disjoint",
    "st_touches": "touches",
    "st_within": "within",
    "st_overlaps": "overlaps",
    "st_crosses": "crosses",
    "st_intersects": "intersects",
    "st_contains": "contains",
}


def _shapes(values: Values) -> Objects:
    """Return geometries; None where there is none."""
    import shapely

    found = [None] * len(values.kind)
    others = np.broadcast_to(values.others(), len(found))
    for at in np.flatnonzero(values.is_a(SHAPE)).tolist():
        found[at] = _from_wkt(shapely, others[at])
    for at in np.flatnonzero(values.is_a(JSON)).tolist():
        found[at] = _from_geojson(shapely, others[at])
    return objects(found)


def _from_wkt(shapely: Any, text: str) -> Any:
    shape = shapely.from_wkt(text, on_invalid="ignore")
    if shape is not None:
        shapely.prepare(shape)
    return shape


def _from_geojson(shapely: Any, found: Any) -> Any:
    if isinstance(found, dict) and found.get("type") == "Feature":
        found = found.get("geometry")
    if not isinstance(found, dict) or "type" not in found:
        return None
    try:
        return shapely.from_geojson(msgspec.json.encode(found), on_invalid="ignore")
    except (shapely.errors.ShapelyError, ValueError, TypeError):
        return None


def _known(*sides: Objects) -> Any:
    known = np.ones(1, bool)
    for one in sides:
        known = known & np.array([shape is not None for shape in one], bool)
    return known


def _relation(name: str) -> Callable[[Values, Values], Truth]:
    def apply(left: Values, right: Values) -> Truth:
        import shapely

        first, second = _shapes(left), _shapes(right)
        with np.errstate(all="ignore"):
            found = getattr(shapely, name)(first, second)
        return truth(found, _known(first, second))

    return apply


def relate(left: Values, right: Values, pattern: Values) -> Truth:
    """Tell whether the relation of two geometries (DE-9IM) fits a pattern."""
    import shapely

    first, second = _shapes(left), _shapes(right)
    known = _known(first, second) & pattern.is_a(TEXT)
    rows = len(known)
    patterns = np.broadcast_to(pattern.texts(), rows)
    sides = (np.broadcast_to(one, rows) for one in (first, second))
    found = np.zeros(rows, bool)
    for at, (one, other) in enumerate(zip(*sides, strict=True)):
        if known[at]:
            try:
                found[at] = shapely.relate_pattern(one, other, patterns[at])
            except (shapely.errors.ShapelyError, ValueError):
                known[at] = False
    return truth(found, known)


def distance(left: Values, right: Values) -> Values:
    """Return how far two geometries are apart, in degrees."""
    import shapely

    first, second = _shapes(left), _shapes(right)
    with np.errstate(all="ignore"):  # coordinates can be as large as numbers can
        found = shapely.distance(first, second)
    return numbers(found, _known(first, second))


def length(shape: Values) -> Values:
    """Return how long the lines of a geometry are, in degrees; points and areas have no length."""
    shapes = _shapes(shape)
    found = [0.0 if one is None else _line_length(one) for one in shapes]
    return numbers(np.array(found), _known(shapes))


def _line_length(shape: Any) -> float:
    if hasattr(shape, "geoms"):
        return sum(map(_line_length, shape.geoms))
    return 0.0 if shape.geom_type in {"Polygon", "Point"} else float(shape.length)


#: Functions that give a condition.
CONDITIONS: dict[str, Callable[..., Truth]] = {
    **{name: _relation(called) for name, called in _RELATIONS.items()},
    "st_relate": relate,
}
#: Functions that give a number.
VALUES: dict[str, Callable[..., Values]] = {"geo.distance": distance, "geo.length": length}
