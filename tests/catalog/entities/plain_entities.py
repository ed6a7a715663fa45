"""The rows of a world as the oracle wants them: dicts that hold each other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.catalog.entities.world import World

from penstock.core.entity_types import TYPES
from penstock.core.expression import Moment
from penstock.core.series import ObservationType

Entity = dict[str, Any]
TABLE_OF = {
    "Thing": "thing",
    "Location": "location",
    "HistoricalLocation": "historical_location",
    "Datastream": "datastream",
    "MultiDatastream": "datastream",
    "Sensor": "sensor",
    "ObservedProperty": "observed_property",
    "FeatureOfInterest": "feature_of_interest",
    "Actuator": "actuator",
    "TaskingCapability": "tasking_capability",
    "Task": "task",
}


def entities(world: World) -> dict[str, list[Entity]]:
    """Return the entities of each type, by id."""
    found = {
        type_: {row["id"]: _entity(type_, row) for row in world[table] if _is_of(type_, row)}
        for type_, table in TABLE_OF.items()
    }
    for kind in TYPES.values():
        for entity in found.get(kind.name, {}).values():
            entity |= {link.name: [] if link.many else None for link in kind.links}
    for type_, row, link, target in _links(world):
        holder, other = found[type_].get(row), found[TYPES[type_].link(link).target].get(target)
        if holder is None or other is None:
            continue
        back = TYPES[type_].link(link).inverse
        for one, name, end in ((holder, link, other), (other, back, holder)):
            if isinstance(one[name], list):
                # Of a MultiDatastream's parts, two may measure the same.
                if name == "ObservedProperties" or all(end is not known for known in one[name]):
                    one[name].append(end)
            else:
                one[name] = end
    return {type_: [by_id[id_] for id_ in sorted(by_id)] for type_, by_id in found.items()}


def _is_of(type_: str, row: Entity) -> bool:
    return type_ not in {"Datastream", "MultiDatastream"} or (row["multi"] is None) == (
        type_ == "Datastream"
    )


def _entity(type_: str, row: Entity) -> Entity:
    entity = {
        "@iot.id": row["id"],
        "name": row.get("name"),
        "description": row.get("description"),
        "properties": row.get("properties"),
        "encodingType": row.get("encoding_type"),
        "location": row.get("location"),
        "feature": row.get("feature"),
        "definition": row.get("definition"),
        "metadata": row.get("metadata"),
        "taskingParameters": row.get("tasking_parameters"),
    }
    if "time_us" in row:
        entity["time"] = Moment(row["time_us"])
    if "creation_time_us" in row:
        entity["creationTime"] = Moment(row["creation_time_us"])
    if "observation_type" in row:
        own = row["observation_type_uri"]
        entity["observationType"] = own or ObservationType(row["observation_type"]).uri
        entity["observedArea"] = row["observed_area"]
        entity["unitOfMeasurement"] = row["unit_verbatim"] or {
            part: row[f"unit_{part}"] for part in ("name", "symbol", "definition")
        }
        entity |= row["multi"] or {}
    if type_ == "Sensor" and not entity["name"]:
        entity["name"] = "unknown"
        entity["description"] = entity["description"] or "not known"
    return {
        name: value
        for name, value in entity.items()
        if name in ("@iot.id", *TYPES[type_].properties)
    }


def _links(world: World) -> Iterable[tuple[str, int, str, int]]:
    for row in world["thing_location"]:
        yield "Thing", row["thing_id"], "Locations", row["location_id"]
    for row in world["historical_location"]:
        yield "HistoricalLocation", row["id"], "Thing", row["thing_id"]
    for row in world["historical_location_location"]:
        yield "HistoricalLocation", row["historical_location_id"], "Locations", row["location_id"]
    for row in world["datastream"]:
        type_ = "Datastream" if row["multi"] is None else "MultiDatastream"
        yield type_, row["id"], "Thing", row["thing_id"]
        yield type_, row["id"], "Sensor", row["sensor_id"]
        if type_ == "Datastream":
            yield type_, row["id"], "ObservedProperty", row["observed_property_id"]
    for row in world["datastream_observed_property"]:
        ends = row["datastream_id"], row["observed_property_id"]
        yield "MultiDatastream", ends[0], "ObservedProperties", ends[1]
    for row in world["tasking_capability"]:
        yield "TaskingCapability", row["id"], "Thing", row["thing_id"]
        yield "TaskingCapability", row["id"], "Actuator", row["actuator_id"]
    for row in world["task"]:
        yield "Task", row["id"], "TaskingCapability", row["tasking_capability_id"]
