"""Where the properties and links of each entity type are in the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Table, Text, case, func, null, type_coerce
from sqlalchemy.sql.selectable import NamedFromClause

from penstock.catalog.device_models import Actuator, TaskingCapability, TaskRow
from penstock.catalog.dialects.words import JsonObject, JsonPart, JsonQuoted, JsonText
from penstock.catalog.models import (
    Datastream,
    DatastreamObservedProperty,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    ObservedProperty,
    Sensor,
    Thing,
    historical_location_location,
    thing_location,
)
from penstock.core.series import ObservationType

#: An expression over the columns of a row.
Sql = ColumnElement[Any]
#: A row of a table within a statement.
TableRow = NamedFromClause[Any]
Part = Callable[[TableRow], Sql]


class Form(Enum):
    """What the value of a property is."""

    TEXT = "text"
    TIME = "time"
    JSON = "json"
    #: Text, or any JSON: as text in conditions, as JSON in rows.
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Field:
    """A property: its value in conditions, and how it is given in rows where that differs."""

    form: Form
    value: Part
    shown: Part | None = None
    members: Mapping[str, Part] | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """How a link leads to its target.

    By a column here that holds the target's id (`here`), by a column there that holds ours
    (`there`), or by a table between: its column with our id and its column with the target's.
    `position` is a column of the table between that says in which order the targets are.
    """

    here: str | None = None
    there: str | None = None
    between: tuple[Table, str, str] | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The table of an entity type; `only` tells its rows from those of another type."""

    table: Table
    fields: Mapping[str, Field]
    paths: Mapping[str, Path]
    only: Part | None = None
    #: Names and values that rows have beside their properties.
    extras: Mapping[str, Part] | None = None


def json(column: Sql) -> Sql:
    """Return a JSON column as the text that it is in the database."""
    return type_coerce(column, Text)


def _text(column: str) -> Field:
    return Field(Form.TEXT, lambda row: row.c[column])


def _time(column: str) -> Field:
    return Field(Form.TIME, lambda row: row.c[column])


def _json(column: str) -> Field:
    return Field(Form.JSON, lambda row: json(row.c[column]))


def _mixed(text: str, other: str) -> Field:
    return Field(
        Form.MIXED,
        lambda row: row.c[text],
        lambda row: func.coalesce(json(row.c[other]), JsonQuoted(row.c[text])),
    )


def _observation_type(row: TableRow) -> Sql:
    known = {kind.value: kind.uri for kind in ObservationType}
    return case(
        (row.c.observation_type_uri != "", row.c.observation_type_uri),
        else_=case(known, value=row.c.observation_type),
    )


def _unit(row: TableRow) -> Sql:
    texts = JsonObject(
        "name", row.c.unit_name,
        "symbol", row.c.unit_symbol,
        "definition", row.c.unit_definition,
    )  # fmt: skip
    return func.coalesce(json(row.c.unit_verbatim), texts)


def _unit_part(member: str) -> Part:
    """Return a member of the unit: from its column, without taking JSON apart."""

    def part(row: TableRow) -> Sql:
        verbatim = JsonText(json(row.c.unit_verbatim), about=(((member,),),))
        return case((row.c.unit_verbatim.is_(null()), row.c[f"unit_{member}"]), else_=verbatim)

    return part


def _of_multi(member: str) -> Field:
    return Field(Form.JSON, lambda row: JsonPart(json(row.c.multi), about=(((member,),),)))


def _sensor_name(row: TableRow) -> Sql:
    """Return the name; the Sensor that stands for those not known has an empty one."""
    return case((row.c.name == "", "unknown"), else_=row.c.name)


def _sensor_description(row: TableRow) -> Sql:
    fallback = case((row.c.name == "", "not known"), else_=row.c.description)
    return case((row.c.description == "", fallback), else_=row.c.description)


_NAMED = {"name": _text("name"), "description": _text("description")}
_PROPERTIES = {"properties": _json("properties")}
_ENCODED = {**_NAMED, "encodingType": _text("encoding_type")}

_STREAM = {
    **_NAMED,
    "observationType": Field(Form.TEXT, _observation_type),
    "observedArea": _json("observed_area"),
    **_PROPERTIES,
}
_STREAM_PATHS = {"Thing": Path(here="thing_id"), "Sensor": Path(here="sensor_id")}
_THERE = Path(there="thing_id")


def _table(model: Any) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


_PARTS = _table(DatastreamObservedProperty)

SOURCES: Mapping[str, Source] = {
    "Thing": Source(
        _table(Thing),
        {**_NAMED, **_PROPERTIES},
        {
            "Locations": Path(between=(thing_location, "thing_id", "location_id")),
            "HistoricalLocations": _THERE,
            "Datastreams": _THERE,
            "MultiDatastreams": _THERE,
            "TaskingCapabilities": _THERE,
        },
    ),
    "Location": Source(
        _table(Location),
        {**_ENCODED, "location": _json("location"), **_PROPERTIES},
        {
            "Things": Path(between=(thing_location, "location_id", "thing_id")),
            "HistoricalLocations": Path(
                between=(historical_location_location, "location_id", "historical_location_id")
            ),
        },
    ),
    "HistoricalLocation": Source(
        _table(HistoricalLocation),
        {"time": _time("time_us")},
        {
            "Thing": Path(here="thing_id"),
            "Locations": Path(
                between=(historical_location_location, "historical_location_id", "location_id")
            ),
        },
    ),
    "Datastream": Source(
        _table(Datastream),
        {
            **_STREAM,
            "unitOfMeasurement": Field(
                Form.JSON,
                _unit,
                members={part: _unit_part(part) for part in ("name", "symbol", "definition")},
            ),
        },
        {**_STREAM_PATHS, "ObservedProperty": Path(here="observed_property_id")},
        only=lambda row: row.c.multi.is_(null()),
        extras={"@kind": lambda row: row.c.observation_type},
    ),
    "MultiDatastream": Source(
        _table(Datastream),
        {
            **_STREAM,
            "multiObservationDataTypes": _of_multi("multiObservationDataTypes"),
            "unitOfMeasurements": _of_multi("unitOfMeasurements"),
        },
        {
            **_STREAM_PATHS,
            "ObservedProperties": Path(
                between=(_PARTS, "datastream_id", "observed_property_id"), position="position"
            ),
        },
        only=lambda row: row.c.multi.is_not(null()),
        extras={"@kind": lambda row: row.c.observation_type},
    ),
    "Sensor": Source(
        _table(Sensor),
        {
            **_ENCODED,
            "name": Field(Form.TEXT, _sensor_name),
            "description": Field(Form.TEXT, _sensor_description),
            "metadata": _mixed("metadata", "metadata_json"),
            **_PROPERTIES,
        },
        {"Datastreams": Path(there="sensor_id"), "MultiDatastreams": Path(there="sensor_id")},
    ),
    "ObservedProperty": Source(
        _table(ObservedProperty),
        {**_NAMED, "definition": _text("definition"), **_PROPERTIES},
        {
            "Datastreams": Path(there="observed_property_id"),
            "MultiDatastreams": Path(between=(_PARTS, "observed_property_id", "datastream_id")),
        },
    ),
    "FeatureOfInterest": Source(
        _table(FeatureOfInterest),
        {**_ENCODED, "feature": _json("feature"), **_PROPERTIES},
        {},
    ),
    "Actuator": Source(
        _table(Actuator),
        {**_ENCODED, "metadata": _mixed("metadata", "metadata_json"), **_PROPERTIES},
        {"TaskingCapabilities": Path(there="actuator_id")},
    ),
    "TaskingCapability": Source(
        _table(TaskingCapability),
        {**_NAMED, "taskingParameters": _json("tasking_parameters"), **_PROPERTIES},
        {
            "Thing": Path(here="thing_id"),
            "Actuator": Path(here="actuator_id"),
            "Tasks": Path(there="tasking_capability_id"),
        },
    ),
    "Task": Source(
        _table(TaskRow),
        {
            "creationTime": _time("creation_time_us"),
            "taskingParameters": _json("tasking_parameters"),
        },
        {"TaskingCapability": Path(here="tasking_capability_id")},
    ),
}
