"""Paths of each type for generated conditions, own ones and along links."""

from __future__ import annotations

from hypothesis import strategies as st
from tests.sensorthings.expressions import Paths, conditions

from penstock.core.expression import Any, Apply, Expression

_JSON = ["properties", "properties/p", "properties/p/x", "properties/q/0", "properties/r"]
_ALONG = [f"{{0}}/{path}" for path in ("properties/p", "properties/q")]


def _along(*links: str) -> dict[str, list[str]]:
    return {
        "text": [f"{link}/name" for link in links],
        "number": [f"{link}/@iot.id" for link in links],
        "json": [path.format(link) for link in links for path in _ALONG],
    }


def _paths(own: dict[str, list[str]], *links: str) -> Paths:
    along = _along(*links)
    return Paths(
        **{
            kind: [*own.get(kind, []), *along.get(kind, [])]
            for kind in ("text", "number", "time", "json")
        }
    )


_NAMED = {"text": ["name", "description"], "number": ["@iot.id"], "json": _JSON}

PATHS = {
    "Thing": _paths(
        {**_NAMED, "time": ["HistoricalLocations/time"]},
        "Locations",
        "Datastreams",
        "Datastreams/Sensor",
        "TaskingCapabilities/Actuator",
    ),
    "Location": _paths({**_NAMED, "json": [*_JSON, "location"]}, "Things", "Things/Datastreams"),
    "HistoricalLocation": _paths(
        {"number": ["@iot.id"], "time": ["time"], "json": ["Locations/location"]},
        "Thing",
        "Thing/Datastreams/ObservedProperty",
    ),
    "Datastream": _paths(
        {
            **_NAMED,
            "text": ["name", "observationType"],
            "json": [*_JSON, "observedArea", "unitOfMeasurement/symbol", "unitOfMeasurement"],
        },
        "Thing",
        "ObservedProperty",
        "Thing/Locations",
    ),
    "MultiDatastream": _paths(
        {**_NAMED, "json": [*_JSON, "multiObservationDataTypes/0"]}, "Thing", "ObservedProperties"
    ),
    "Sensor": _paths(_NAMED, "Datastreams", "MultiDatastreams/Thing"),
    "ObservedProperty": _paths(_NAMED, "MultiDatastreams", "Datastreams/Thing/Locations"),
    "FeatureOfInterest": _paths({**_NAMED, "json": [*_JSON, "feature"]}),
    "Actuator": _paths(_NAMED, "TaskingCapabilities/Thing"),
    "TaskingCapability": _paths(_NAMED, "Thing", "Tasks/TaskingCapability"),
    "Task": _paths(
        {"number": ["@iot.id"], "time": ["creationTime"], "json": ["taskingParameters/p"]},
        "TaskingCapability",
    ),
}

#: Links whose entities `any` can choose from, and paths within.
_CHOICES = {
    "Thing": (
        "Datastreams",
        Paths(text=["v/name", "name"], json=["v/properties/p", "properties/p"]),
    ),
    "Location": ("Things", Paths(text=["v/name", "v/Datastreams/name"], number=["v/@iot.id"])),
    "Sensor": ("Datastreams", Paths(text=["v/Thing/name", "v/name", "Datastreams/name"])),
}


def wheres(type_: str) -> st.SearchStrategy[Expression]:
    """Return conditions on entities of a type, along links and with `any`."""
    plain = conditions(PATHS[type_], depth=1)
    if type_ not in _CHOICES:
        return plain
    link, inner = _CHOICES[type_]
    chosen: st.SearchStrategy[Expression] = conditions(inner, depth=0).map(
        lambda condition: Any((link,), "v", condition)
    )
    return st.one_of(
        plain,
        chosen,
        st.builds(
            lambda word, one, other: Apply(word, (one, other)),
            st.sampled_from(["and", "or"]),
            plain,
            st.one_of(chosen, chosen.map(lambda one: Apply("not", (one,)))),
        ),
    )
