"""A fleet of cars on loops through Salzburg and weather stations, as SensorThings records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import asin, cos, exp, pi, radians, sin, sqrt

import msgspec
import numpy as np

from penstock.core.errors import ConfigError
from penstock.simulators.message import Batches, Message, generator, iso, merge

#: How much faster than the sun the simulated days go by.
TIME_FACTOR = 100.0
DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S
#: The random walk of a temperature: standard deviation of a step, and where it is held back.
WALK_STEP, WALK_LIMIT = 0.1, 7.5
#: Exponential draws whose largest is the acceleration that a car reports.
ACCELERATION_DRAWS = 10
#: Mean radius used for distances on the loops, kilometres.
EARTH_RADIUS_KM = 6_378.388

#: Loops as (latitude, longitude) in degrees; the last point leads to the first.
TRACKS = (
    (
        (47.8225, 13.0395), (47.8190, 13.0475), (47.8130, 13.0500), (47.8065, 13.0570),
        (47.8000, 13.0610), (47.7935, 13.0580), (47.7905, 13.0480), (47.7950, 13.0400),
        (47.8010, 13.0350), (47.8080, 13.0330), (47.8150, 13.0345),
    ),
    (
        (47.8005, 13.0440), (47.8035, 13.0260), (47.8060, 13.0060), (47.8125, 12.9985),
        (47.8205, 13.0075), (47.8250, 13.0230), (47.8235, 13.0410), (47.8165, 13.0495),
        (47.8080, 13.0500),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Climate:
    """A temperature: swing of the day and of the year, and average, in degrees Celsius."""

    day: float
    year: float
    average: float

    def at(self, seconds: float) -> float:
        """Return the temperature without its random part at a time since the epoch."""
        turn = 2 * pi * seconds * TIME_FACTOR
        return self.average + self.day * cos(turn / DAY_S) + self.year * cos(turn / YEAR_S)


@dataclass(frozen=True, slots=True)
class Car:
    """A car: which loop, how fast, how careful, in which climate, how often it reports."""

    system: str
    thing: str
    climate: Climate
    interval_s: float
    track: int
    speed_km_h: float
    cautiousness: float


@dataclass(frozen=True, slots=True)
class WeatherStation:
    """A station at a fixed place (latitude, longitude)."""

    system: str
    thing: str
    climate: Climate
    interval_s: float
    place: tuple[float, float]


_CARS = "cz.icecars.iot4cps-wp5-CarFleet"
_WEATHER = "is.iceland.iot4cps-wp5-WeatherService.Stations"
THINGS: tuple[Car | WeatherStation, ...] = (
    Car(f"{_CARS}.Car1", "Car1", Climate(4, -4, 3), 10, 0, 30, 1.0),
    Car(f"{_CARS}.Car2", "Car2", Climate(5, -6, 3.5), 5, 1, 35, 1.3),
    WeatherStation(_WEATHER, "Station1", Climate(5, -5, 2.5), 10, (47.8005, 13.0440)),
    WeatherStation(_WEATHER, "Station2", Climate(6, -6, 3.5), 10, (47.8200, 13.0100)),
)


class Fleet:
    """Cars and weather stations, each an MQTT client that sends to `<system>.int/<thing>`.

    A record describes its Datastream in place, so that it is understood without registration.
    Cars add `latitude` and `longitude` to every record.

    Args:
        seed: Of all random numbers.
        count: How many cars and stations; beyond the four of the original they take turns.
        rate: Reports per second of each; None is as in the original, every 5 or 10 seconds.
    """

    name = "fleet"

    def __init__(
        self, seed: int = 0, *, count: int = len(THINGS), rate: float | None = None
    ) -> None:
        if not 1 <= count <= 100_000:
            msg = f"{count} cars and stations are not possible; 1 to 100000 are"
            raise ConfigError(msg)
        if rate is not None and not 0 < rate <= 10_000:
            msg = f"rate {rate} reports/s is not possible; more than 0 and up to 10000 is"
            raise ConfigError(msg)
        self._seed = seed
        self._rate = rate
        self._things = [*THINGS, *map(_numbered, range(len(THINGS), count))][:count]

    @property
    def devices(self) -> Sequence[str]:
        """One MQTT client per car and station, named `<system>.<thing>`."""
        return [_full_name(thing) for thing in self._things]

    def messages(self, start_us: int) -> Batches:
        """Yield the records of all things in the order of their times."""
        return merge([self._thing(thing, start_us) for thing in self._things])

    def _thing(self, thing: Car | WeatherStation, start_us: int) -> Iterator[Message]:
        random = generator(self._seed, _full_name(thing))
        step_us = round(1e6 * thing.interval_s if self._rate is None else 1e6 / self._rate)
        climate, records = thing.climate, _Records(thing)
        time_us, walk = start_us + int(random.integers(step_us)), 0.0
        loop = Loop(TRACKS[thing.track]) if isinstance(thing, Car) else None
        while True:
            walk = _walked(walk, float(random.normal(0, WALK_STEP)))
            celsius = round(climate.at(time_us / 1e6) + walk, 3)
            if isinstance(thing, Car) and loop is not None:
                driven_km = thing.speed_km_h * (time_us - start_us) / 3.6e9
                place = loop.at(driven_km)
                push = _acceleration(thing.cautiousness, celsius, place, random)
                where = {"latitude": place[0], "longitude": place[1]}
                yield records.message("temperature", time_us, celsius, where)
                yield records.message("acceleration", time_us, push, where)
                yield records.message("position", time_us, where, {})
            else:
                yield records.message("temperature", time_us, celsius, {})
            time_us += step_us


class Loop:
    """A closed way; tells where one is after so many kilometres."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self._points = [*points, points[0]]
        legs = [distance_km(a, b) for a, b in zip(self._points, self._points[1:], strict=False)]
        self._ends = np.concatenate([[0.0], np.cumsum(legs)])
        self.length_km = float(self._ends[-1])

    def at(self, driven_km: float) -> tuple[float, float]:
        """Return latitude and longitude, rounded to a decimetre."""
        along = driven_km % self.length_km
        latitudes, longitudes = zip(*self._points, strict=True)
        return (
            round(float(np.interp(along, self._ends, latitudes)), 6),
            round(float(np.interp(along, self._ends, longitudes)), 6),
        )


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Return the great-circle distance of two places."""
    (lat_a, lon_a), (lat_b, lon_b) = (map(radians, a), map(radians, b))
    half = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(half))


def _walked(walk: float, step: float) -> float:
    """Take a step; beyond the limit half of the excess is taken back."""
    walk += step
    excess = abs(walk) - WALK_LIMIT
    return walk if excess <= 0 else walk - (excess / 2 if walk > 0 else -excess / 2)


def _acceleration(
    cautiousness: float, celsius: float, place: tuple[float, float], random: np.random.Generator
) -> float:
    """Return the hardest push of an interval; smaller when it is cold and for careful drivers."""
    cold = 3 / (1 + exp(0.1 * (4 - celsius)))
    rate = cautiousness * (5 + cold + sin(100 * place[0]) + sin(100 * place[1]))
    return round(float(random.exponential(1 / rate, ACCELERATION_DRAWS).max()), 4)


_TYPE = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_"
_MEASUREMENT = f"{_TYPE}Measurement"
_UNITS: dict[str, tuple[str, str, str, str]] = {
    "temperature": ("Air temperature", "degree Celsius", "degC", "ucum:Cel"),
    "acceleration": ("Acceleration", "metre per second squared", "m/s2", "ucum:m/s2"),
}


class _Records:
    """Makes the records of one thing; their Datastreams are encoded once."""

    def __init__(self, thing: Car | WeatherStation) -> None:
        self._device = _full_name(thing)
        self._topic = f"{thing.system}.int/{thing.thing}"
        about: dict[str, object] = {"name": self._device, "properties": {"system": thing.system}}
        if isinstance(thing, WeatherStation):
            latitude, longitude = thing.place
            point = {"type": "Point", "coordinates": [longitude, latitude]}
            about["Locations"] = [{"location": point}]
        self._datastreams = {
            quantity: msgspec.Raw(msgspec.json.encode(_datastream(quantity, self._device, about)))
            for quantity in ("temperature", "acceleration", "position")
        }

    def message(
        self, quantity: str, time_us: int, result: object, extra: dict[str, float]
    ) -> Message:
        stamp = iso(time_us)
        record = {
            "phenomenonTime": stamp,
            "resultTime": stamp,
            "Datastream": self._datastreams[quantity],
            "result": result,
            **extra,
        }
        return Message(time_us, self._topic, msgspec.json.encode(record), self._device)


def _datastream(quantity: str, device: str, thing: dict[str, object]) -> dict[str, object]:
    described: dict[str, object] = {"name": f"{device}.{quantity}", "Thing": thing}
    if quantity not in _UNITS:
        return described | {
            "observationType": f"{_TYPE}Observation",
            "ObservedProperty": {"name": "Position"},
        }
    observed, name, symbol, definition = _UNITS[quantity]
    return described | {
        "observationType": _MEASUREMENT,
        "unitOfMeasurement": {"name": name, "symbol": symbol, "definition": definition},
        "ObservedProperty": {"name": observed},
    }


def _full_name(thing: Car | WeatherStation) -> str:
    return f"{thing.system}.{thing.thing}"


def _numbered(index: int) -> Car | WeatherStation:
    number = (index - len(THINGS)) // 2 + 3
    if index % 2:
        place = (47.75 + 0.01 * (number % 12), 12.95 + 0.01 * (number // 12 % 18))
        return WeatherStation(_WEATHER, f"Station{number}", Climate(5, -5, 3), 10, place)
    speed = 28.0 + number % 10
    name = f"Car{number}"
    return Car(f"{_CARS}.{name}", name, Climate(4.5, -5, 3), 10, number % 2, speed, 1.1)
