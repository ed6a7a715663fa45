"""What a client says of its data: from a file, or as objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from penstock.client.things import Datastream
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.series import ObservationType, Unit


class Quantity(msgspec.Struct, frozen=True):
    """A Datastream to be: what is measured, of what, in which unit.

    Attributes:
        name: Its name within the Thing; what `produce` takes.
        thing: Name of the Thing, the device or the place.
        unit: A symbol such as "°C", or name, symbol and definition.
        observation_type: Measurement, Count, Truth, Category or Complex.
        observed_property: What is measured, when the name does not say it.
        sensor: Name of the procedure or model.
        description: A sentence for people.
        properties: Further facts.
        thing_properties: Facts about the Thing.
        location: Where the Thing is: longitude and latitude in degrees, height in metres.
    """

    name: str
    thing: str
    unit: str | Unit = ""
    observation_type: ObservationType | str = ObservationType.MEASUREMENT
    observed_property: str = ""
    sensor: str = ""
    description: str = ""
    properties: Mapping[str, Any] = {}
    thing_properties: Mapping[str, Any] = {}
    location: Sequence[float] | None = None


def document_of(given: object) -> Mapping[str, Any]:
    """Return the registration document that is meant.

    Args:
        given: A path to a JSON file, a document, a `Quantity` or several of them.

    Raises:
        NotFound: There is no such file.
        InvalidInput: It is none of these.
    """
    if isinstance(given, (str, Path)):
        return _read(Path(given))
    if isinstance(given, Mapping):
        return given
    if isinstance(given, Quantity):
        return _document([given])
    if isinstance(given, Sequence) and all(isinstance(one, Quantity) for one in given):
        return _document(given)
    msg = (
        f"{given!r:.100} cannot be registered; give the path of a JSON file, a dict with Things, "
        "Sensors and Datastreams, or Quantity objects"
    )
    raise InvalidInput(msg)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror}; it is to hold Things, Sensors, Datastreams"
        raise NotFound(msg) from error
    except msgspec.DecodeError as error:
        raise InvalidInput(f"{path} is not a JSON object: {error}") from error


def _document(quantities: Sequence[Quantity]) -> Mapping[str, Any]:
    things: dict[str, dict[str, Any]] = {}
    streams = []
    for one in quantities:
        thing = things.setdefault(one.thing, {"name": one.thing, "properties": {}})
        thing["properties"].update(one.thing_properties)
        if one.location is not None:
            point = {"type": "Point", "coordinates": list(one.location)}
            thing["Locations"] = [{"location": point}]
        unit = Unit(symbol=one.unit) if isinstance(one.unit, str) else one.unit
        stream = {
            "name": one.name,
            "Thing": one.thing,
            "observationType": str(one.observation_type),
            "unitOfMeasurement": msgspec.structs.asdict(unit),
            "description": one.description,
            "properties": dict(one.properties),
        }
        if one.observed_property:
            stream["ObservedProperty"] = {"name": one.observed_property}
        if one.sensor:
            stream["Sensor"] = {"name": one.sensor}
        streams.append(stream)
    return {"Things": list(things.values()), "Datastreams": streams}


class Quantities:
    """The Datastreams that were registered, by all the names that mean exactly one of them."""

    def __init__(self) -> None:
        self._by_id: dict[int, Datastream] = {}
        self._by_name: dict[str, set[int]] = {}

    def add(self, streams: Sequence[Datastream], system: str) -> None:
        """Take Datastreams in: known by key, full name, name within the Thing."""
        for stream in streams:
            self._by_id[stream.id] = stream
            short = stream.name.removeprefix(f"{stream.thing}.")
            thing = stream.thing.removeprefix(f"{system}.")
            for name in {stream.key, stream.name, short, f"{thing}.{short}"} - {""}:
                self._by_name.setdefault(name, set()).add(stream.id)

    def find(self, name: str) -> Datastream:
        """Return the Datastream of a name.

        Raises:
            NotFound: It was not registered, or means several.
        """
        ids = self._by_name.get(name, set())
        if len(ids) == 1:
            return self._by_id[next(iter(ids))]
        keyed = [s for s in (self._by_id[id_] for id_ in ids) if name in {s.key, s.name}]
        if len(keyed) == 1:
            return keyed[0]
        if ids:
            several = ", ".join(sorted(self._by_id[id_].name for id_ in ids))
            raise NotFound(f"quantity {name!r} means several datastreams: {several}; say which")
        known = ", ".join(sorted(s.key or s.name for s in self._by_id.values())) or "none"
        raise NotFound(
            f"quantity {name!r} is not registered; registered are: {known}; call register() or "
            "register_existing() first"
        )

    def all(self) -> list[Datastream]:
        """Return all, by name."""
        return sorted(self._by_id.values(), key=lambda stream: stream.name)
