"""Stations: flat metrics on `<location>/<station>`, with batteries that drain and recharge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from math import cos, pi

import msgspec
import numpy as np

from penstock.core.errors import ConfigError
from penstock.simulators.message import Batches, Message, generator, merge

#: Percent of charge that a station uses in an hour; a battery lasts a day and a half.
DRAIN_PER_HOUR = 2.5
#: Percent of charge that it gains in an hour on its charger.
CHARGE_PER_HOUR = 20.0
#: Charge at which a station asks for its charger.
LOW_BATTERY = 15.0


@dataclass(frozen=True, slots=True)
class Metric:
    """A quantity that is highest at three in the afternoon and wanders a little.

    Attributes:
        mean: Over the day.
        swing: From the mean to the highest.
        noise: Standard deviation of a step.
        digits: Decimals shown.
        low: Never below.
        chance: When positive, an alarm instead: 1 with this chance, else 0.
    """

    mean: float = 0.0
    swing: float = 0.0
    noise: float = 0.0
    digits: int = 0
    low: float = 0.0
    chance: float = 0.0

    def first(self, hour: float, random: np.random.Generator) -> float:
        """Return a value to begin with."""
        return self._target(hour) + 10 * self.noise * float(random.standard_normal())

    def next(self, last: float, hour: float, random: np.random.Generator) -> float:
        """Return the value that follows `last`."""
        if self.chance:
            return float(random.random() < self.chance)
        step = 0.02 * (self._target(hour) - last) + self.noise * float(random.standard_normal())
        return max(self.low, last + step)

    def shown(self, value: float) -> float:
        """Return a value as it is sent: rounded, a whole number when there are no decimals."""
        return round(value, self.digits) if self.digits else round(value)

    def _target(self, hour: float) -> float:
        return self.mean + self.swing * cos(2 * pi * (hour - 15) / 24)


TMP = Metric(22, 6, 0.08, digits=1, low=-30)
HUMID = Metric(45, -12, 0.3)
AQI = Metric(38, 15, 0.8)
CO2 = Metric(620, 180, 4, low=380)
LIGHT = Metric(420, 430, 9)
NOISE = Metric(48, 9, 0.7, digits=1, low=20)
RSSI = Metric(1500, 0, 4)
ALARM = Metric(chance=0.002)


@dataclass(frozen=True, slots=True)
class Station:
    """One station and what it sends.

    Attributes:
        topic: `<location>/<station>`.
        metrics: What it measures; values are whole numbers when a metric has no decimals.
        has_battery: Sends `BAT` and, by it, `status`.
        has_clock: Sends `timestamp`; the time of arrival counts for one that does not.
        texts: Members that are no numbers.
        utc_offset_h: Of its clock.
    """

    topic: str
    metrics: Mapping[str, Metric]
    has_battery: bool = True
    has_clock: bool = True
    texts: Mapping[str, str] | None = None
    utc_offset_h: int = 2


_SPRC = {"PRJ": "SPRC"}
STATIONS = (
    Station("UPB/RPi_1", {"HUMID": HUMID, "TMP": TMP}, texts=_SPRC, utc_offset_h=3),
    Station("UPB/RPi_2", {"HUMID": HUMID, "TMP": TMP, "CO2": CO2}, texts=_SPRC),
    Station("UPB/Gas_1", {"AQI": AQI, "CO2": CO2}),
    Station("UPB/Library", {"TMP": TMP, "LIGHT": LIGHT, "NOISE": NOISE}),
    Station(
        "Dorinel/Zeus",
        {"Alarm": ALARM, "AQI": AQI, "RSSI": RSSI},
        has_battery=False,
        has_clock=False,
    ),
    Station("Dorinel/Hera", {"TMP": TMP, "RSSI": RSSI}),
)


class Stations:
    """Stations of a campus, each with an MQTT client of its own.

    Args:
        seed: Of all random numbers.
        count: How many; beyond the named ones they are `Campus_<n>/Node_<m>`.
        rate: Messages per second of each station. Its clock shows seconds, or microseconds
            when it sends at other than whole seconds.
    """

    name = "stations"

    def __init__(self, seed: int = 0, *, count: int = len(STATIONS), rate: float = 1.0) -> None:
        if not 1 <= count <= 100_000:
            msg = f"{count} stations are not possible; 1 to 100000 are"
            raise ConfigError(msg)
        if not 0 < rate <= 10_000:
            msg = f"rate {rate} messages/s is not possible; more than 0 and up to 10000 is"
            raise ConfigError(msg)
        self._seed = seed
        self._step_us = max(1, round(1e6 / rate))
        self._stations = [
            *STATIONS[:count],
            *(_numbered(number) for number in range(count - len(STATIONS))),
        ]

    @property
    def devices(self) -> Sequence[str]:
        """One MQTT client per station, named like its topic with a dash."""
        return [_client(station) for station in self._stations]

    def messages(self, start_us: int) -> Batches:
        """Yield the messages of all stations in the order of their times."""
        return merge([self._station(station, start_us) for station in self._stations])

    def _station(self, station: Station, start_us: int) -> Iterator[Message]:
        random = generator(self._seed, station.topic)
        zone = timezone(timedelta(hours=station.utc_offset_h))
        whole = self._step_us % 1_000_000 == 0
        shift = int(random.integers(self._step_us)) if len(self._stations) > 1 else 0
        battery = _battery(random, self._step_us / 3.6e9)
        values: dict[str, float] = {}
        time_us = start_us + shift
        while True:
            moment = datetime.fromtimestamp(time_us // 1_000_000, zone)
            hour = moment.hour + moment.minute / 60 + moment.second / 3600
            for name, metric in station.metrics.items():
                last = values[name] if name in values else metric.first(hour, random)
                values[name] = metric.next(last, hour, random)
            body: dict[str, object] = {}
            if station.has_battery:
                charge, status = next(battery)
                body["BAT"] = charge
            body |= {name: m.shown(values[name]) for name, m in station.metrics.items()}
            body |= station.texts or {}
            if station.has_battery:
                body["status"] = status
            if station.has_clock:
                body["timestamp"] = _clock(moment, None if whole else time_us % 1_000_000)
            payload = msgspec.json.encode(body)
            yield Message(time_us, station.topic, payload, _client(station))
            time_us += self._step_us


def _battery(random: np.random.Generator, hours: float) -> Iterator[tuple[int, str]]:
    charge, charging = float(random.uniform(LOW_BATTERY, 100)), False
    while True:
        charge += hours * (CHARGE_PER_HOUR if charging else -DRAIN_PER_HOUR)
        if charge <= LOW_BATTERY:
            charging = True
        elif charge >= 100:
            charging = False
        charge = min(100.0, max(0.0, charge))
        low = "LOW BATTERY" if charge <= 2 * LOW_BATTERY else "OK"
        yield round(charge), "CHARGING" if charging else low


def _clock(moment: datetime, microseconds: int | None) -> str:
    if microseconds is None:
        return moment.isoformat()
    return moment.replace(microsecond=microseconds).isoformat(timespec="microseconds")


def _client(station: Station) -> str:
    return station.topic.replace("/", "-")


def _numbered(number: int) -> Station:
    metrics = {"HUMID": HUMID, "TMP": TMP, "AQI": AQI}
    return Station(f"Campus_{number // 20 + 1}/Node_{number % 20 + 1}", metrics)
