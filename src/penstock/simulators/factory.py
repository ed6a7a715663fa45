"""Factories: sites with machines whose sensors follow the day and have an unstable hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from penstock.core.errors import ConfigError
from penstock.simulators.message import Batches, Message, generator, merge
from penstock.simulators.plan import Device, Sensor, Site, is_within, load_plan

Floats = npt.NDArray[np.float64]

#: Fields of the metadata that a region adds to the plain shape.
SHAPES = {
    "north": (),
    "south": ("ts_human", "location"),
    "east": ("ts_human", "location", "deviceType"),
    "west": (),
    "central": ("ts_human", "location", "deviceType"),
}


class Signal:
    """The values of many sensors at once; each step continues from the last.

    A value starts at its mean. It is pulled towards a base that swings with the day, by noise
    and pull that depend on the stability of its device. In the unstable window of the device it
    wanders much further, towards an end of the range when the sensor has a deviation weight.
    """

    def __init__(self, devices: Sequence[Device], random: np.random.Generator) -> None:
        pairs = [(device, sensor) for device in devices for sensor in device.sensors]
        self._random = random
        self._min = _column(pairs, lambda _, sensor: sensor.min_range)
        self._max = _column(pairs, lambda _, sensor: sensor.max_range)
        self._mean = _column(pairs, lambda _, sensor: sensor.mean)
        self._span = self._max - self._min
        stability = _column(pairs, lambda device, _: device.stability_factor)
        weight = _column(pairs, lambda _, sensor: sensor.deviation_weight)
        spread = _column(pairs, lambda _, sensor: sensor.sd)
        unrest = (100 - stability) / 100
        self._noise = spread * (0.05 + 0.95 * unrest)
        self._pull = np.maximum(0.05 * stability / 100, 0.001)
        self._wild_noise = np.minimum(spread * (1 + unrest / 2), 0.02 * self._span)
        self._wild_pull = np.minimum(0.05 + 0.90 * np.maximum(unrest, abs(weight - 5) / 5), 0.5)
        self._weight = weight
        self._devices = devices
        self._of_device = np.repeat(np.arange(len(devices)), [len(d.sensors) for d in devices])
        self._last: Floats | None = None

    def at(self, second_of_day: float) -> Floats:
        """Return the next value of every sensor, for a second of the local day."""
        if self._last is None:
            return self._keep(self._mean)
        trend = 1 - 4 * abs(second_of_day / 86_400 - 0.5)
        base = np.clip(self._mean + trend * 0.1 * self._span, self._min, self._max)
        noise = self._random.uniform(-1, 1, len(base))
        step = noise * self._noise + (base - self._last) * self._pull
        step = np.clip(step, -0.01 * self._span, 0.01 * self._span)
        wild = [is_within(second_of_day, d.sfd_start_time, d.sfd_end_time) for d in self._devices]
        if any(wild):
            target = np.where(self._weight > 5, self._max, base)
            target = np.where(self._weight < 5, self._min, target)
            jump = noise * self._wild_noise + (target - self._last) * self._wild_pull
            jump = np.clip(jump, -0.15 * self._span, 0.15 * self._span)
            step = np.where(np.array(wild)[self._of_device], jump, step)
        return self._keep(self._last + step)

    def _keep(self, values: Floats) -> Floats:
        kept: Floats = np.clip(values, self._min, self._max).round(4)
        self._last = kept
        return kept


class Factory:
    """Sites that send one message per sensor and step to `factory_iot/<region>/<site>`.

    With history, each site first sends everything since its historic start (those messages are
    due in the past, so they go out as fast as the broker takes them) and then goes on live.

    Args:
        seed: Of all random numbers.
        sites: Ids wanted; None means all of the plan.
        plan: The sites there are.
        rate: Steps per second of every site; None means as the plan says.
        historic: Send history first.
        historic_from_us: Where history starts, instead of where the plan says.
        double_step: Advance history by two steps for each one sent, as the original does.
        reccap: Stop the live phase after the plan's `reccap` steps, as the original does.
    """

    name = "factory"

    def __init__(
        self,
        seed: int = 0,
        *,
        sites: Sequence[int] | None = None,
        plan: Sequence[Site] | None = None,
        rate: float | None = None,
        historic: bool = False,
        historic_from_us: int | None = None,
        double_step: bool = False,
        reccap: bool = False,
    ) -> None:
        plan = load_plan() if plan is None else plan
        known = {site.site_id: site for site in plan}
        wanted = list(known) if sites is None else list(sites)
        unknown = [site for site in wanted if site not in known]
        if unknown or not wanted:
            msg = f"no site {unknown}; the plan has {', '.join(map(str, known))}"
            raise ConfigError(msg)
        if rate is not None and not 0 < rate <= 10_000:
            msg = f"rate {rate} steps/s is not possible; more than 0 and up to 10000 is"
            raise ConfigError(msg)
        self._sites = [known[site] for site in wanted]
        self._seed = seed
        self._rate = rate
        self._historic = historic or historic_from_us is not None
        self._historic_from_us = historic_from_us
        self._double_step = double_step
        self._reccap = reccap

    @property
    def devices(self) -> Sequence[str]:
        """One MQTT client per site."""
        return [_client(site) for site in self._sites]

    def messages(self, start_us: int) -> Batches:
        """Yield the messages of all sites in the order of their times."""
        return merge([self._site(site, start_us) for site in self._sites])

    def _site(self, site: Site, start_us: int) -> Iterator[Message]:
        signal = Signal(site.devices, generator(self._seed, _client(site)))
        formats = _formats(site)
        topic = f"factory_iot/{site.region}/{site.site_id}"
        client = _client(site)
        midnight = round(site.zone.utcoffset(None).total_seconds() * 1e6)
        for time_us in self._times(site, start_us):
            second = (time_us + midnight) % 86_400_000_000 / 1e6
            if not _operates(site, second):
                continue
            stamp, human = _stamps(site, time_us)
            for before, after, value in zip(*formats, signal.at(second).tolist(), strict=True):
                payload = before % stamp + human + after + repr(value) + "}"
                yield Message(time_us, topic, payload.encode(), client)

    def _times(self, site: Site, start_us: int) -> Iterator[int]:
        step = site.sleeptime * 1000 if self._rate is None else max(1, round(1e6 / self._rate))
        if self._historic:
            at = self._historic_from_us
            at = site.historic_start_us if at is None else at
            midnight = round(site.zone.utcoffset(None).total_seconds() * 1e6)
            while at < start_us:
                yield at
                sent = _operates(site, (at + midnight) % 86_400_000_000 / 1e6)
                at += 2 * step if sent and self._double_step else step
        i = 0
        while not (self._reccap and i >= site.reccap):
            yield start_us + step * i
            i += 1


def _client(site: Site) -> str:
    return f"factory_{site.site_id}"


def _operates(site: Site, second: float) -> bool:
    if site.operational_start_time is None or site.operational_end_time is None:
        return True
    return is_within(second, site.operational_start_time, site.operational_end_time)


def _stamps(site: Site, time_us: int) -> tuple[str, str]:
    """Return the time stamp and the member `ts_human` if the site's shape has it."""
    shape = SHAPES[site.region]
    human = ""
    if shape or site.data_persistence:
        local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
        human = f"{local.astimezone(site.zone):%Y-%m-%dT%H:%M:%S.%f}"
    stamp = f'"{human}"' if site.data_persistence else str(time_us // 1000)
    return stamp, f',"ts_human":"{human}"' if "ts_human" in shape else ""


def _formats(site: Site) -> tuple[list[str], list[str]]:
    """Return for each sensor what stands before `ts_human` and what stands behind it."""
    shape = SHAPES[site.region]
    before, after = [], []
    for device in site.devices:
        for sensor in device.sensors:
            before.append(
                f'{{"ts":%s,"metadata":{{"siteId":{site.site_id},"deviceId":{device.device_id},'
                f'"sensorId":{sensor.sensor_id},"unit":"{sensor.unit.replace("%", "%%")}"'
            )
            rest = ""
            if "location" in shape:
                place = site.location
                rest += f',"location":{{"latitude":{place.latitude},"longitude":{place.longitude}}}'
            if "deviceType" in shape:
                rest += f',"deviceType":"{device.device_type}"'
            after.append(rest + '},"measurement":')
    return before, after


def _column(
    pairs: Sequence[tuple[Device, Sensor]], value: Callable[[Device, Sensor], float]
) -> Floats:
    return np.array([value(device, sensor) for device, sensor in pairs], np.float64)
