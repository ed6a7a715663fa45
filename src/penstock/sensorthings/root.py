"""The service root: which sets there are, and what the service does."""

from __future__ import annotations

from typing import Any

from penstock.core.entity_types import SETS

_SENSING = "http://www.opengis.net/spec/iot_sensing/1.1/req"
_CSV = "https://github.com/INSIDE-information-systems/SensorThingsAPI/blob/master"
_TASKING = "http://www.opengis.net/spec/iot_tasking/1.0/req"

#: Requirement classes and requirements that the service meets.
CONFORMANCE = (
    f"{_SENSING}/datamodel",
    f"{_SENSING}/resource-path/resource-path-to-entities",
    f"{_SENSING}/request-data",
    f"{_SENSING}/create-update-delete",
    f"{_SENSING}/batch-request/batch-request",
    f"{_SENSING}/multi-datastream",
    f"{_SENSING}/data-array/data-array",
    f"{_SENSING}/create-observations-via-mqtt/observations-creation",
    f"{_SENSING}/receive-updates-via-mqtt/receive-updates",
    f"{_TASKING}/tasking-capability",
    f"{_TASKING}/task",
    f"{_TASKING}/actuator",
    f"{_TASKING}/create-tasks",
    "https://fraunhoferiosb.github.io/FROST-Server/extensions/GeoJSON-ResultFormat.html",
    f"{_CSV}/CSV-ResultFormat/CSV-ResultFormat.md",
)

#: Sets that version 1.0 of the standard does not know.
_NOT_IN_1_0 = frozenset({"Actuators", "TaskingCapabilities", "Tasks"})


def service_root(root: str) -> dict[str, Any]:
    """Return the service document for an address that ends with the version."""
    is_1_0 = root.endswith("/v1.0")
    names = [name for name in SETS if not (is_1_0 and name in _NOT_IN_1_0)]
    document: dict[str, Any] = {
        "value": [{"name": name, "url": f"{root}/{name}"} for name in names]
    }
    if not is_1_0:
        document["serverSettings"] = {"conformance": list(CONFORMANCE)}
    return document
