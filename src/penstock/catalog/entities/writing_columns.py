"""Properties of entities as the columns of their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import Table

from penstock.catalog.device_models import Actuator, TaskingCapability, TaskRow
from penstock.catalog.models import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    ObservedProperty,
    Sensor,
    Thing,
)
from penstock.core.errors import InvalidInput
from penstock.core.series import ObservationType

#: The rows of each entity type. Two types share one.
TABLES: Mapping[str, Table] = {
    name: cast("Table", model.__table__)
    for name, model in (
        ("Thing", Thing),
        ("Location", Location),
        ("HistoricalLocation", HistoricalLocation),
        ("Datastream", Datastream),
        ("MultiDatastream", Datastream),
        ("Sensor", Sensor),
        ("ObservedProperty", ObservedProperty),
        ("FeatureOfInterest", FeatureOfInterest),
        ("Actuator", Actuator),
        ("TaskingCapability", TaskingCapability),
        ("Task", TaskRow),
    )
}

#: What is kept of a Datastream whose results may be anything.
ANY_RESULT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"

_KINDS = {kind.uri: kind for kind in ObservationType}
_UNIT = ("name", "symbol", "definition")
_COLUMNS = {
    "encodingType": "encoding_type",
    "taskingParameters": "tasking_parameters",
    "time": "time_us",
    "observedArea": "observed_area",
}

Values = dict[str, Any]


def columns_of(type_: str, values: Mapping[str, object]) -> Values:
    """Return the columns that keep properties.

    Raises:
        InvalidInput: A value is not of the right kind, or the type has no such property.
    """
    found: Values = {}
    for name, value in values.items():
        special = _SPECIAL.get((type_, name))
        if special is not None:
            found.update(special(value))
            continue
        column = _COLUMNS.get(name, name)
        if column not in TABLES[type_].c:
            raise InvalidInput(f"{type_} has no property {name!r} that can be set")
        found[column] = _checked(name, column, value)
    return found


def defaults_of(type_: str) -> Values:
    """Return what properties that are optional are when they are not given."""
    table = TABLES[type_]
    found: Values = {"properties": {}} if "properties" in table.c else {}
    if type_ in ("Datastream", "MultiDatastream"):
        found |= {"observed_area": None}
    return found


def _checked(name: str, column: str, value: object) -> object:
    if name == "properties":
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise InvalidInput(f"{name} is {_shown(value)}; expected a JSON object")
    elif column in ("name", "description", "encoding_type", "definition"):
        if not isinstance(value, str):
            raise InvalidInput(f"{name} is {_shown(value)}; expected a text")
        if "\0" in value:
            raise InvalidInput(f"{name} holds the character NUL, which is no text")
    elif column == "time_us" and not isinstance(value, int):
        raise InvalidInput(f"{name} is {_shown(value)}; expected a time")
    return value


def _shown(value: object) -> str:
    return repr(value)[:60]


def _observation_type(value: object) -> Values:
    uri = ANY_RESULT if value in (None, "") else value
    if not isinstance(uri, str):
        raise InvalidInput(f"observationType is {_shown(value)}; expected a URI")
    kind = _KINDS.get(uri)
    return {
        "observation_type": str(kind or ObservationType.COMPLEX),
        "observation_type_uri": "" if kind else uri,
    }


def _unit(value: object) -> Values:
    if not isinstance(value, dict):
        raise InvalidInput(
            f'unitOfMeasurement is {_shown(value)}; expected {{"name", "symbol", "definition"}}'
        )
    texts = {
        f"unit_{name}": part if isinstance(part := value.get(name), str) else "" for name in _UNIT
    }
    is_plain = value.keys() == set(_UNIT) and all(isinstance(part, str) for part in value.values())
    return {**texts, "unit_verbatim": None if is_plain else value}


def _metadata(value: object) -> Values:
    if isinstance(value, str):
        return {"metadata": value, "metadata_json": None}
    return {"metadata": "", "metadata_json": value}


def _of_multi(name: str) -> Callable[[object], Values]:
    def columns(value: object) -> Values:
        if not isinstance(value, list):
            raise InvalidInput(f"{name} is {_shown(value)}; expected a list")
        return {name: value}

    return columns


_SPECIAL: Mapping[tuple[str, str], Callable[[object], Values]] = {
    ("Datastream", "observationType"): _observation_type,
    ("MultiDatastream", "observationType"): _observation_type,
    ("Datastream", "unitOfMeasurement"): _unit,
    ("MultiDatastream", "multiObservationDataTypes"): _of_multi("multiObservationDataTypes"),
    ("MultiDatastream", "unitOfMeasurements"): _of_multi("unitOfMeasurements"),
    ("Sensor", "metadata"): _metadata,
    ("Actuator", "metadata"): _metadata,
}

#: Members of the column `multi`, which `columns_of` gives by themselves.
MULTI = ("multiObservationDataTypes", "unitOfMeasurements")
