"""Travellers who arrive at street corners, cross them and leave: many events, vectorised."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import numpy.typing as npt

from penstock.core.errors import ConfigError
from penstock.simulators.message import Batches, Message, generator

#: Kinds of travellers and their speeds, feet per second.
SPEEDS = {"pedestrian": 5.0, "bicyclist": 20.0, "vehicle": 40.0}
#: Side of the square that a sensor sees, feet.
FIELD_FT = 100.0
#: Between two looks, seconds.
STEP_S = 0.1
#: Who sends: one program for all sensors, as in the original.
DEVICE = "travellers"


class Crowd:
    """Everyone who is on the move, in columns.

    Args:
        random: All random numbers.
        sensors: How many sensors there are.
        rate: Travellers per second who arrive at each.
    """

    def __init__(self, random: np.random.Generator, sensors: int, rate: float) -> None:
        self._random = random
        self._sensors = sensors
        self._rate = rate
        self.sensor = np.empty(0, np.int64)
        self.kind = np.empty(0, np.int64)
        self.x = np.empty(0)
        self.y = np.empty(0)
        self.name = np.empty(0, object)
        self._speeds = np.array(list(SPEEDS.values()))

    def step(self) -> None:
        """Let `STEP_S` pass: all move, some leave, some arrive."""
        self._move()
        self._leave()
        self._arrive()

    def _move(self) -> None:
        random, count = self._random, len(self.x)
        distance = 2 * self._speeds[self.kind] * STEP_S * random.random(count)
        aside = distance * random.random(count)
        self.x += aside
        self.y += np.sqrt(distance**2 - aside**2)

    def _leave(self) -> None:
        stay = (self.x <= FIELD_FT) & (self.y <= FIELD_FT)
        for column in ("sensor", "kind", "x", "y", "name"):
            setattr(self, column, getattr(self, column)[stay])

    def _arrive(self) -> None:
        random = self._random
        arrivals = random.poisson(self._rate * STEP_S, self._sensors)
        count = int(arrivals.sum())
        names = np.empty(count, object)
        raw = random.bytes(16 * count)
        names[:] = [
            str(UUID(bytes=raw[at : at + 16], version=4)) for at in range(0, 16 * count, 16)
        ]
        self.sensor = np.concatenate([self.sensor, np.repeat(np.arange(self._sensors), arrivals)])
        self.kind = np.concatenate([self.kind, random.integers(0, len(SPEEDS), count)])
        self.x = np.concatenate([self.x, random.random(count)])
        self.y = np.concatenate([self.y, FIELD_FT * random.random(count)])
        self.name = np.concatenate([self.name, names])


class Travellers:
    """Sensors that report where every traveller is, ten times per second.

    An event goes to `movements/<sensor>`. A traveller's first event is where it arrived. Times
    are without an offset, as in the original, and in UTC. Positions have four decimals.

    Args:
        seed: Of all random numbers.
        sensors: How many sensors.
        rate: Travellers per second who arrive at each sensor (Poisson).
    """

    name = "travellers"

    def __init__(self, seed: int = 0, *, sensors: int = 100, rate: float = 10.0) -> None:
        if not 1 <= sensors <= 100_000:
            msg = f"{sensors} sensors are not possible; 1 to 100000 are"
            raise ConfigError(msg)
        if not 0 < rate <= 10_000:
            msg = f"rate {rate} travellers/s is not possible; more than 0 and up to 10000 is"
            raise ConfigError(msg)
        self._seed = seed
        self._sensors = sensors
        self._rate = rate

    @property
    def devices(self) -> Sequence[str]:
        """One MQTT client for all sensors."""
        return [DEVICE]

    def messages(self, start_us: int) -> Batches:
        """Yield one batch for every look at all sensors."""
        crowd = Crowd(generator(self._seed, DEVICE), self._sensors, self._rate)
        topics = [f"movements/{sensor}" for sensor in range(self._sensors)]
        kinds = list(SPEEDS)
        looks = 0
        while True:
            crowd.step()
            time_us = start_us + round(looks * STEP_S * 1e6)
            looks += 1
            # A camera reports one traveller after the other, not all in one microsecond.
            count = len(crowd.sensor)
            times = time_us + np.arange(count) * min(int(STEP_S * 1e6) // max(count, 1), 100)
            yield [
                Message(
                    at_us,
                    topics[sensor],
                    f'{{"sensor_id":{sensor},"traveler_id":"{name}",'
                    f'"traveler_type":"{kinds[kind]}","position":[{x},{y}],"timestamp":"{at}"}}'.encode(),
                    DEVICE,
                )
                for at_us, at, sensor, name, kind, x, y in zip(
                    times.tolist(),
                    np.datetime_as_string(times.view("M8[us]")).tolist(),
                    crowd.sensor.tolist(),
                    crowd.name.tolist(),
                    crowd.kind.tolist(),
                    _rounded(crowd.x),
                    _rounded(crowd.y),
                    strict=True,
                )
            ]


def _rounded(values: npt.NDArray[np.float64]) -> list[float]:
    rounded: list[float] = values.round(4).tolist()
    return rounded
