"""A SensorThings service as a client sees it, over HTTP, and entities to put into it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx

#: In an order in which nothing is left over: everything that belongs to a Thing goes with it.
SETS = (
    "Things",
    "Locations",
    "Sensors",
    "ObservedProperties",
    "FeaturesOfInterest",
    "Actuators",
)
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
ANY_OBSERVATION = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"
COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"
CELSIUS = {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}


class Service:
    """Asks a service.

    Args:
        root: Where it is, such as `http://localhost:8000/v1.1`.
        door: Host and port of its MQTT door.
    """

    def __init__(self, root: str, door: tuple[str, int]) -> None:
        self.root = root
        self.door = door
        self.http = httpx.Client(timeout=120)

    def url(self, path: str) -> str:
        """Return the address of a path of the service, or of a link."""
        return path if path.startswith("http") else f"{self.root}/{path}".rstrip("/")

    def ask(self, path: str, **options: object) -> httpx.Response:
        """GET a path with options: `filter` stands for `$filter`."""
        params = {f"${name}": str(value) for name, value in options.items()}
        return self.http.get(self.url(path), params=params or None)

    def get(self, path: str, **options: object) -> Any:
        """Return the JSON of a path that must answer 200."""
        answer = self.ask(path, **options)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def all(self, path: str, **options: object) -> list[dict[str, Any]]:
        """Return every entity of a set, over all its pages."""
        page = self.get(path, **options)
        found = list(page["value"])
        while "@iot.nextLink" in page:
            page = self.get(page["@iot.nextLink"])
            found += page["value"]
        return found

    def ids(self, path: str, **options: object) -> list[Any]:
        """Return the ids of a set in its order, over all its pages."""
        return [entity["@iot.id"] for entity in self.all(path, **options)]

    def post(self, path: str, body: object, status: int = 201) -> httpx.Response:
        """POST a JSON body; it must be answered with a status."""
        answer = self.http.post(self.url(path), json=body)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer

    def make(self, path: str, body: object) -> Any:
        """Make an entity and return its id."""
        return self.get(self.post(path, body).headers["location"])["@iot.id"]

    def change(
        self, method: str, path: str, body: object, status: int = 200, kind: str = ""
    ) -> httpx.Response:
        """PATCH or PUT; it must be answered with a status."""
        headers = {"content-type": kind} if kind else None
        answer = self.http.request(method, self.url(path), json=body, headers=headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer

    def delete(self, path: str, status: int = 200, **options: object) -> None:
        """DELETE; it must be answered with a status."""
        params = {f"${name}": str(value) for name, value in options.items()}
        answer = self.http.delete(self.url(path), params=params or None)
        assert answer.status_code == status, (answer.status_code, answer.text)

    def clear(self) -> None:
        """Delete everything."""
        for name in SETS:
            while found := self.get(name, top=1000)["value"]:
                for entity in found:
                    self.delete(f"{name}({entity['@iot.id']})")


def quoted(id_: object) -> str:
    """Return an id as it stands in a path."""
    return f"'{id_}'" if isinstance(id_, str) else str(id_)


def at(name: str, id_: object) -> str:
    """Return the path of an entity: `Things(1)`."""
    return f"{name}({quoted(id_)})"


def ref(id_: object) -> dict[str, object]:
    """Return a link to an entity that exists."""
    return {"@iot.id": id_}


def thing(name: str = "oven", **more: object) -> dict[str, object]:
    return {"name": name, "description": f"the {name}", **more}


def place(name: str = "kitchen", shape: object = None, **more: object) -> dict[str, object]:
    return {
        "name": name,
        "description": f"the {name}",
        "encodingType": "application/geo+json",
        "location": shape or {"type": "Point", "coordinates": [8, 51]},
        **more,
    }


def sensor(name: str = "probe", **more: object) -> dict[str, object]:
    text = {"name": name, "description": f"the {name}"}
    return {**text, "encodingType": "application/pdf", "metadata": f"{name}.pdf", **more}


def observed(name: str = "temperature", **more: object) -> dict[str, object]:
    definition = f"https://example.org/{name}"
    return {"name": name, "definition": definition, "description": f"the {name}", **more}


def feature(name: str = "air", shape: object = None, **more: object) -> dict[str, object]:
    return {
        "name": name,
        "description": f"the {name}",
        "encodingType": "application/geo+json",
        "feature": shape or {"type": "Point", "coordinates": [10, 10]},
        **more,
    }


def datastream(name: str = "heat", **more: object) -> dict[str, object]:
    return {
        "name": name,
        "description": f"the {name}",
        "observationType": MEASUREMENT,
        "unitOfMeasurement": CELSIUS,
        "Sensor": sensor(),
        "ObservedProperty": observed(),
        **more,
    }


def multi(
    *names: str, things: object = None, observed_ids: Iterable[object] = (), **more: object
) -> dict[str, object]:
    """Return a MultiDatastream with a number for each name."""
    ids = list(observed_ids)
    return {
        "name": "/".join(names),
        "description": "several numbers at once",
        "multiObservationDataTypes": [MEASUREMENT for _ in names],
        "unitOfMeasurements": [CELSIUS for _ in names],
        "Sensor": sensor(),
        "ObservedProperties": [ref(id_) for id_ in ids] or [observed(name) for name in names],
        **({} if things is None else {"Thing": things}),
        **more,
    }


def point(x: float, y: float) -> dict[str, object]:
    return {"type": "Point", "coordinates": [x, y]}


def without(entity: Mapping[str, object], *names: str) -> dict[str, object]:
    """Return an entity without some of its members."""
    return {name: value for name, value in entity.items() if name not in names}


def own(entity: Mapping[str, object]) -> dict[str, object]:
    """Return the members of an entity that a client gave: no ids, no links."""
    return {name: value for name, value in entity.items() if "@iot." not in name}
