"""Sets as CSV, as GeoJSON and as data arrays, in the ways that FROST shows them."""

from __future__ import annotations

import csv as csv_writer
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput
from penstock.sensorthings.grammar import Options
from penstock.sensorthings.observation_texts import ObservationTexts
from penstock.sensorthings.showing import COUNT, NAVIGATION, NEXT, SELF
from penstock.sensorthings.sources import ID

#: Properties with a geometry, by type.
_GEOMETRIES = {"Location": "location", "FeatureOfInterest": "feature", "Datastream": "observedArea"}
_GEOMETRIES["MultiDatastream"] = "observedArea"
#: Columns of a data array, in the order in which FROST has them.
COMPONENTS = (
    "id",
    "phenomenonTime",
    "result",
    "resultTime",
    "resultQuality",
    "validTime",
    "parameters",
)
_UNIT = ("name", "symbol", "definition")


def csv(type_: str, values: Iterable[Mapping[str, Any]], options: Options) -> bytes:
    """Return entities as CSV (RFC 4180): a column for each property, `Link/name` for expanded ones.

    Raises:
        InvalidInput: A set is expanded without `$top=1`.
    """
    columns = _columns(type_, options, "")
    body = io.BytesIO()
    # Encoded as it goes: as text first, a large set would be held three times.
    sink = io.TextIOWrapper(body, encoding="utf-8", newline="")
    writer = csv_writer.writer(sink)
    writer.writerow([name for name, _ in columns])
    for value in values:
        writer.writerow([_cell(_at(value, path)) for _, path in columns])
    sink.flush()
    return body.getvalue()


def _columns(type_: str, options: Options, prefix: str) -> list[tuple[str, tuple[str, ...]]]:
    kind = TYPES[type_]
    chosen = None if options.select is None else {path[0] for path in options.select}
    found: list[tuple[str, tuple[str, ...]]] = []
    if chosen is None or ID in chosen:
        found.append((f"{prefix}id", (ID,)))
    for name in kind.properties:
        if chosen is not None and name not in chosen:
            continue
        if name == "unitOfMeasurement":
            found += [(f"{prefix}{name}/{part}", (name, part)) for part in _UNIT]
        else:
            found.append((f"{prefix}{name}", (name,)))
    for expand in options.expand:
        link = kind.link(expand.link)
        assert link is not None
        if link.many and expand.options.top != 1:
            msg = f"$resultFormat=CSV shows one entity of a set; say $expand={link.name}($top=1)"
            raise InvalidInput(msg)
        inner = _columns(link.target, expand.options, f"{prefix}{link.name}/")
        found += [(name, (link.name, *path)) for name, path in inner]
    return found


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if isinstance(value, list):
            value = value[0] if value else None
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def geojson(
    type_: str,
    values: Iterable[Mapping[str, Any]],
    options: Options,
    count: int | None,
    next_: str,
) -> dict[str, Any]:
    """Return entities as a FeatureCollection: the first geometry found, the rest as properties."""
    found: dict[str, Any] = {"type": "FeatureCollection"}
    if next_:
        found[NEXT] = next_
    if count is not None:
        found[COUNT] = count
    # Each as text at once: taken apart, all together would take many times the room.
    found["features"] = [
        msgspec.Raw(msgspec.json.encode(_feature(type_, value, options))) for value in values
    ]
    return found


def _feature(type_: str, value: Mapping[str, Any], options: Options) -> dict[str, Any]:
    feature: dict[str, Any] = {"type": "Feature", "geometry": None, "properties": {}}
    if ID in value:
        feature["id"] = str(value[ID])
        feature["properties"]["id"] = value[ID]
    _collect(feature, type_, value, options, "")
    return feature


def _collect(
    feature: dict[str, Any], type_: str, value: Mapping[str, Any], options: Options, prefix: str
) -> None:
    expanded = {one.link: one.options for one in options.expand}
    for name, part in value.items():
        if name.endswith(NAVIGATION) or name in expanded or name in {ID, SELF}:
            continue
        if name == _GEOMETRIES.get(type_) and _take_geometry(feature, part):
            continue
        _flatten(feature["properties"], f"{prefix}{name}", part)
    for link, inner in expanded.items():
        target = TYPES[type_].link(link)
        assert target is not None
        part = value.get(link)
        if isinstance(part, Mapping):
            _collect_nested(feature, target.target, part, inner, f"{prefix}{link}/")
        elif isinstance(part, list):
            for at, one in enumerate(part):
                _collect_nested(feature, target.target, one, inner, f"{prefix}{link}/{at}/")


def _collect_nested(
    feature: dict[str, Any], type_: str, value: Mapping[str, Any], options: Options, prefix: str
) -> None:
    if ID in value:
        feature["properties"][f"{prefix}{ID}"] = value[ID]
    _collect(feature, type_, value, options, prefix)


def _take_geometry(feature: dict[str, Any], value: Any) -> bool:
    """Make a geometry, or that of a Feature, the one of the feature; tell whether it was one."""
    if not isinstance(value, Mapping):
        return False
    if value.get("type") == "Feature":
        feature["geometry"] = feature["geometry"] or value.get("geometry")
        if isinstance(value.get("properties"), Mapping):
            feature["properties"].update(value["properties"])
        return True
    if "coordinates" in value or "geometries" in value:
        feature["geometry"] = feature["geometry"] or dict(value)
        return True
    return False


def _flatten(into: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for key, part in value.items():
            _flatten(into, f"{name}/{key}", part)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            _flatten(into, f"{name}/{at}", part)
    elif value is not None:
        into[name] = value


def data_array(
    rows: ObservationTexts,
    streams: Sequence[tuple[str, int]],
    options: Options,
    root: str,
) -> list[str]:
    """Return observations as arrays, one for each Datastream, in the order of its first one.

    Args:
        rows: Observations.
        streams: The type and id of the Datastream of each.
        options: Which components are wanted.
        root: Address of the service.
    """
    chosen = None if options.select is None else {path[0] for path in options.select}
    names = [
        name
        for name in COMPONENTS
        if chosen is None or name in chosen or (name == "id" and ID in chosen)
    ]
    ids = [msgspec.json.encode(id_).decode() for id_ in rows.ids]
    missing = ["null"] * len(ids)
    columns = [ids if name == "id" else rows.columns.get(name, missing) for name in names]
    found: dict[tuple[str, int], list[str]] = {}
    for stream, *cells in zip(streams, *columns, strict=True):
        found.setdefault(stream, []).append(f"[{','.join([cell or 'null' for cell in cells])}]")
    arrays = []
    for (type_, id_), array in found.items():
        head = {
            f"{type_}{NAVIGATION}": f"{root}/{TYPES[type_].set_name}({id_})",
            "components": names,
            f"dataArray{COUNT}": len(array),
        }
        members = msgspec.json.encode(head).decode()[:-1]
        arrays.append(f'{members},"dataArray":[{",".join(array)}]}}')
    return arrays
