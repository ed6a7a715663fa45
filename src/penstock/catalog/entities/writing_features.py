"""Own features of Datastreams, and the areas that they were seen in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, Update, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import Insert

from penstock.catalog.admission import chunks
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.models import (
    Datastream,
    DatastreamFeature,
    FeatureOfInterest,
    Location,
    thing_location,
)


def own_features(connection: Connection, datastreams: Sequence[int]) -> dict[int, int]:
    """Return the feature that stands for feature 0, made and settled where there is none yet."""
    found: dict[int, int] = {}
    unsettled: list[int] = []
    for chunk in chunks(datastreams):
        query = select(Datastream.id, Datastream.feature_id).where(Datastream.id.in_(chunk))
        for id_, feature in connection.execute(query):
            if feature is None:
                unsettled.append(id_)
            else:
                found[id_] = feature
    current = features_of_places(connection, unsettled)
    for id_, feature in current.items():
        connection.execute(
            update(Datastream).where(Datastream.id == id_).values(feature_id=feature)
        )
    return found | current


def features_of_places(connection: Connection, datastreams: Sequence[int]) -> dict[int, int]:
    """Return the feature of the Location where each datastream's Thing is, made if missing."""
    places = _places(connection, datastreams)
    features = {place: _feature_of(connection, place) for place, _ in set(places.values())}
    return {id_: features[place] for id_, (place, _) in places.items()}


def known_features_of_places(
    connection: Connection, datastreams: Sequence[int]
) -> dict[int, int | None]:
    """Return the same as `features_of_places`, without making any; None is one to be made."""
    return {id_: feature for id_, (_, feature) in _places(connection, datastreams).items()}


def _places(
    connection: Connection, datastreams: Sequence[int]
) -> dict[int, tuple[int, int | None]]:
    """Return the Location of each datastream's Thing, if it has one, and its feature."""
    places: dict[int, tuple[int, int | None]] = {}
    query = (
        select(Datastream.id, Location.id, Location.feature_id)
        .join(thing_location, thing_location.c.thing_id == Datastream.thing_id)
        .join(Location, Location.id == thing_location.c.location_id)
        # One that is GeoJSON is understood by more readers than another encoding of the place.
        .order_by(Location.encoding_type.not_like("%geo%json%"), Location.id)
    )
    for chunk in chunks(datastreams):
        for id_, place, feature in connection.execute(query.where(Datastream.id.in_(chunk))):
            places.setdefault(id_, (place, feature))
    return places


def _feature_of(connection: Connection, place: int) -> int:
    row = connection.execute(select(Location.__table__).where(Location.id == place)).one()
    if row.feature_id is not None:
        return int(row.feature_id)
    made = connection.execute(
        insert(FeatureOfInterest).values(
            name=row.name,
            description=row.description,
            encoding_type=row.encoding_type,
            feature=row.location,
            properties=row.properties,
            home_id=row.home_id,
        )
    ).inserted_primary_key
    assert made is not None
    connection.execute(update(Location).where(Location.id == place).values(feature_id=made[0]))
    return int(made[0])


def extend_areas(connection: Connection, seen: Mapping[int, Iterable[int]]) -> None:
    """Note features that datastreams have observations of, and make their areas hold them."""
    shapes: dict[int, object] = {}
    for chunk in chunks({feature for features in seen.values() for feature in features}):
        rows = connection.execute(_shapes(), {"ids": chunk})
        shapes.update((id_, shape) for id_, shape in rows)
    held: dict[int, object] = {}
    for chunk in chunks(seen):
        areas = connection.execute(_areas(), {"ids": chunk})
        held.update((id_, area) for id_, area in areas)
    pairs = [
        {"datastream_id": id_, "feature_id": one}
        for id_, features in seen.items()
        for one in features
        if one in shapes and id_ in held
    ]
    if pairs:
        connection.execute(_note(), pairs)
    grown = []
    for id_, before in held.items():
        area = _hull([before, *(shapes.get(feature) for feature in seen[id_])])
        if area is not None and area != before:
            grown.append({"at": id_, "area": area})
    if grown:
        connection.execute(_grow(), grown)


@cache
def _shapes() -> Select[int, object]:
    query = select(FeatureOfInterest.id, FeatureOfInterest.feature)
    return query.where(FeatureOfInterest.id.in_(bindparam("ids", expanding=True)))


@cache
def _areas() -> Select[int, object]:
    query = select(Datastream.id, Datastream.observed_area)
    return query.where(Datastream.id.in_(bindparam("ids", expanding=True)))


@cache
def _note() -> Insert:
    return upsert(DatastreamFeature).on_conflict_do_nothing()


@cache
def _grow() -> Update:
    table = Datastream.__table__
    assert isinstance(table, Table)
    changed = update(table).where(table.c.id == bindparam("at"))
    return changed.values(observed_area=bindparam("area"))


def _hull(shapes: Sequence[object]) -> dict[str, Any] | None:
    """Return the convex hull of all that is GeoJSON, or None when nothing is."""
    from shapely import GeometryCollection, to_geojson
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    found = []
    for one in shapes:
        geometry = one.get("geometry") if isinstance(one, Mapping) and "geometry" in one else one
        try:
            parsed = shape(geometry) if isinstance(geometry, Mapping) else None
        except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError):
            continue
        if parsed is not None and not parsed.is_empty:
            found.append(parsed)
    if not found:
        return None
    hull: dict[str, Any] = json.loads(to_geojson(GeometryCollection(found).convex_hull))
    return hull
