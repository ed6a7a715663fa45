"""Bodies as clients send them."""

from __future__ import annotations

from typing import Any

UNIT = {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}
OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_"
SENSOR = {
    "name": "DS18B20",
    "description": "a thermometer",
    "encodingType": "application/pdf",
    "metadata": "http://example.org/ds18b20.pdf",
}
PROPERTY = {"name": "Temperature", "description": "how warm", "definition": "http://example.org/t"}
LOCATION = {
    "name": "Roof",
    "description": "on top",
    "encodingType": "application/geo+json",
    "location": {"type": "Point", "coordinates": [8.77, 51.71]},
}
FEATURE = {
    "name": "Lake",
    "description": "water",
    "encodingType": "application/geo+json",
    "feature": {"type": "Point", "coordinates": [9, 52]},
}


def datastream(kind: str = "Measurement", **more: Any) -> dict[str, Any]:
    return {
        "name": "temp",
        "description": "temperature",
        "observationType": f"{OM}{kind}",
        "unitOfMeasurement": UNIT,
        "Sensor": SENSOR,
        "ObservedProperty": PROPERTY,
        **more,
    }


def thing(*datastreams: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": "Boiler",
        "description": "makes heat",
        "properties": {"floor": 3},
        "Locations": [LOCATION],
        "Datastreams": list(datastreams),
        **more,
    }
