"""A catalog without a database, written to be obviously right: the oracle for enrolment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.series import ObservationType, Series, Unit


@dataclass
class NaiveStream:
    id: int
    thing: str
    name: str
    observed_property: str
    observation_type: ObservationType
    unit: Unit = field(default_factory=Unit)
    sensor: str = ""
    properties: dict[str, object] = field(default_factory=dict)


@dataclass
class NaiveThing:
    properties: dict[str, object] = field(default_factory=dict)
    positions: dict[int, tuple[float, ...]] = field(default_factory=dict)
    location: tuple[float, ...] | None = None
    located_us: int = -(2**63)


class NaiveCatalog:
    def __init__(self) -> None:
        self.devices: dict[str, DeviceStatus] = {}
        self.things: dict[str, NaiveThing] = {}
        self.streams: list[NaiveStream] = []

    def enrol(self, batch: Sequence[Series], policy: Policy, now_us: int) -> list[int | None]:
        return [self._enrol(series, policy, now_us) for series in batch]

    def _enrol(self, series: Series, policy: Policy, now_us: int) -> int | None:
        thing, name = series.thing, series.name
        if series.datastream_id is not None:
            found = [s for s in self.streams if s.id == series.datastream_id]
            if not found:
                return None
            thing, name = found[0].thing, found[0].name
        if not self._may_send(thing, policy):
            return None
        held = self.things.setdefault(thing, NaiveThing())
        known = [s for s in self.streams if (s.thing, s.name) == (thing, name)]
        if known:
            stream = known[0]
        else:
            stream = NaiveStream(
                len(self.streams) + 1,
                thing,
                name,
                series.observed_property or name,
                series.observation_type,
            )
            self.streams.append(stream)
        self._learn(stream, held, series, now_us)
        return stream.id

    def _may_send(self, thing: str, policy: Policy) -> bool:
        status = self.devices.get(thing)
        if status is DeviceStatus.REFUSED:
            return False
        if status is DeviceStatus.ENROLLED or policy is Policy.AUTOMATIC:
            self.devices[thing] = DeviceStatus.ENROLLED
            return True
        if policy is Policy.APPROVAL:
            self.devices[thing] = DeviceStatus.PENDING
        return False

    @staticmethod
    def _learn(stream: NaiveStream, thing: NaiveThing, series: Series, now_us: int) -> None:
        stream.observed_property = series.observed_property or stream.observed_property
        stream.sensor = series.sensor or stream.sensor
        stream.properties.update(series.properties)
        thing.properties.update(series.thing_properties)
        old, new = stream.unit, series.unit
        pairs = [
            (old.name, new.name),
            (old.symbol, new.symbol),
            (old.definition, new.definition),
        ]
        if any(a and b and a != b for a, b in pairs):
            stream.unit = new
        else:
            stream.unit = Unit(*(b or a for a, b in pairs))
        if series.location is not None:
            time_us = now_us if series.located_us is None else series.located_us
            if time_us >= thing.located_us:
                if series.location != thing.location:
                    thing.location, thing.located_us = series.location, time_us
                    thing.positions[time_us] = series.location
            else:
                thing.positions[time_us] = series.location
