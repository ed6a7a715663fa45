"""What simulators send is understood by the default routes and codecs, without dead letters."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from penstock.codecs.registry import CODECS, make
from penstock.core.codec import Messages
from penstock.core.series import ObservationType
from penstock.ingest.routes import Pattern
from penstock.ingest.settings import DEFAULT_ROUTES
from penstock.simulators.accelerometer import Accelerometers
from penstock.simulators.demo import demo_mix
from penstock.simulators.factory import Factory
from penstock.simulators.fleet import Fleet
from penstock.simulators.recordings import Recording
from penstock.simulators.replay import Replay
from penstock.simulators.stations import Stations
from penstock.simulators.travellers import Travellers

START = 1_795_344_944_780_710


def route(topic: str):
    for one in DEFAULT_ROUTES:
        fields = Pattern(one.topic).match(topic)
        if fields is not None:
            return [codec for codec in one.codecs if codec == "none" or codec in CODECS], fields
    raise AssertionError(topic)


def decode(messages):
    """Return the readings by codec, and check that every message was read by its first codec."""
    groups = defaultdict(list)
    for message in messages:
        codecs, fields = route(message.topic)
        # What devices say beside results (registration, logs, answers) is no codec's.
        if codecs and codecs != ["none"]:
            groups[codecs[0]].append((message, fields))
    found = {}
    for name, group in groups.items():
        batch = Messages(
            topics=[message.topic for message, _ in group],
            payloads=[message.payload for message, _ in group],
            arrived_us=np.array([message.time_us for message, _ in group]),
            fields=[fields for _, fields in group],
        )
        codec = make(name)
        readings = codec.decode(batch)
        assert not readings.failures
        assert set(readings.message.tolist()) == set(range(len(group)))
        found[name] = readings, [codec.describe(key) for key in readings.keys]
    return found


def take(simulator, count: int):
    return list(itertools.islice(itertools.chain.from_iterable(simulator.messages(START)), count))


def test_accelerometers_become_measurements_at_every_sample():
    readings, series = decode(take(Accelerometers(count=3, rate=200), 60))["measurements"]
    assert {one.thing for one in series} == {"AAD-1123", "BBB-3423", "SIM-0001"}
    times = readings.time_us[readings.series == 0]
    assert set(np.diff(times).tolist()) == {5_000}


def test_stations_become_one_datastream_per_metric():
    readings, series = decode(take(Stations(), 600))["flat"]
    names = {(one.thing, one.name) for one in series}
    assert {("UPB/RPi_1", "BAT"), ("UPB/RPi_1", "TMP"), ("Dorinel/Zeus", "AQI")} <= names
    assert "status" not in {name for _, name in names}
    assert np.isfinite(readings.number).all()


@pytest.mark.parametrize("sites", [[101], [102], [103], None])
def test_factories_become_a_datastream_per_sensor(sites):
    count = 2000
    readings, series = decode(take(Factory(sites=sites), count))["factory"]
    assert len(readings.time_us) == count
    assert all(one.unit.symbol or one.unit.name for one in series)
    assert (readings.time_us % 1000 == 0).all()


def test_travellers_become_features_at_positions():
    messages = take(Travellers(sensors=4), 3000)
    readings, series = decode(messages)["positions"]
    assert {one.observation_type for one in series} == {ObservationType.COMPLEX}
    assert len(set(zip(readings.feature.tolist(), readings.time_us.tolist(), strict=True))) == 3000
    assert readings.time_us.tolist() == [message.time_us for message in messages]


def test_cars_and_stations_become_things_with_units_and_places():
    readings, series = decode(take(Fleet(), 200))["sensorthings"]
    assert len(series) == 8
    by_name = {f"{one.thing}.{one.name}": one for one in series}
    car = by_name["cz.icecars.iot4cps-wp5-CarFleet.Car1.Car1.temperature"]
    assert (car.unit.symbol, car.observed_property) == ("degC", "Air temperature")
    station = by_name["is.iceland.iot4cps-wp5-WeatherService.Stations.Station1.temperature"]
    assert station.location == (13.044, 47.8005)
    assert all(text.as_py() is None or "latitude" in text.as_py() for text in readings.parameters)


def test_everything_in_the_demo_is_understood():
    for simulator in demo_mix():
        assert decode(take(simulator, 700))


@pytest.mark.parametrize("form", ["flat", "value", "senml"])
def test_a_replayed_recording_is_understood(tmp_path: Path, form: str):
    path = tmp_path / "sea.csv"
    path.write_text(
        "time,temperature (Cel),depth (m)\n"
        + "".join(f"{1_704_110_400 + 60 * n},{4 + n / 8},{n}\n" for n in range(50))
    )
    replay = Replay(Recording(path), form=form, speed=None, shift_to_now=False)
    messages = take(replay, 1000)
    [(readings, series)] = decode(messages).values()
    found = {
        (series[at].name.rpartition("/")[2], time_us, number)
        for at, time_us, number in zip(
            readings.series.tolist(), readings.time_us.tolist(), readings.number, strict=True
        )
    }
    expected = {
        (name, (1_704_110_400 + 60 * n) * 1_000_000, value)
        for n in range(50)
        for name, value in (("temperature", 4 + n / 8), ("depth", float(n)))
    }
    assert found == expected
