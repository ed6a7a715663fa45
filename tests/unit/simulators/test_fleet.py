from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from penstock.core.errors import ConfigError
from penstock.simulators.fleet import TRACKS, Climate, Fleet, Loop, _walked, distance_km

START = 1_795_344_944_780_710
CAR1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"


def take(fleet: Fleet, count: int):
    return list(itertools.islice(itertools.chain.from_iterable(fleet.messages(START)), count))


def test_same_seed_and_start_give_the_same_messages():
    assert take(Fleet(2), 200) == take(Fleet(2), 200)
    assert take(Fleet(2), 200) != take(Fleet(3), 200)


def test_a_car_sends_records_with_its_datastream_described_in_place():
    first = next(m for m in take(Fleet(), 20) if m.topic == f"{CAR1}.int/Car1")
    record = json.loads(first.payload)
    assert record["Datastream"]["name"] == f"{CAR1}.Car1.temperature"
    assert record["Datastream"]["unitOfMeasurement"]["symbol"] == "degC"
    assert record["Datastream"]["Thing"]["name"] == f"{CAR1}.Car1"
    assert record["phenomenonTime"] == record["resultTime"]
    assert {"latitude", "longitude"} <= set(record)
    assert isinstance(record["result"], float)


def test_cars_and_stations_report_as_often_as_in_the_original():
    times = {}
    for message in take(Fleet(), 400):
        times.setdefault(message.device.rpartition(".")[2], {})[message.time_us] = None
    steps = {thing: {b - a for a, b in itertools.pairwise(at)} for thing, at in times.items()}
    assert steps == {
        "Car1": {10_000_000},
        "Car2": {5_000_000},
        "Station1": {10_000_000},
        "Station2": {10_000_000},
    }


def test_cars_drive_their_speed_along_their_loop():
    messages = [m for m in take(Fleet(rate=1), 3000) if m.topic.endswith("/Car2")]
    places = [
        tuple(json.loads(m.payload)["result"].values())
        for m in messages
        if b"Car2.position" in m.payload
    ]
    legs = np.array([distance_km(a, b) for a, b in itertools.pairwise(places)]) * 3600
    assert legs.max() <= 35.5
    assert np.median(legs) == pytest.approx(35, abs=0.5)


@pytest.mark.parametrize("track", TRACKS)
def test_a_loop_ends_where_it_begins(track):
    loop = Loop(track)
    assert loop.at(0) == loop.at(loop.length_km)
    assert loop.at(0) == track[0]
    assert 3 < loop.length_km < 20


def test_temperature_swings_with_a_day_of_864_seconds():
    climate = Climate(5, -5, 2.5)
    seconds = np.arange(0, 864 * 4) + 1_795_344_944.0
    values = np.array([climate.at(second) for second in seconds])
    swing = (values.max() - values.min()) / 2
    assert swing == pytest.approx(5, abs=0.2)
    assert climate.at(seconds[0]) == pytest.approx(climate.at(seconds[0] + 864), abs=0.2)


def test_the_random_walk_is_held_back():
    random = np.random.default_rng(1)
    walk, seen = 0.0, []
    for _ in range(200_000):
        walk = _walked(walk, float(random.normal(0, 0.1)))
        seen.append(walk)
    assert max(np.abs(seen)) < 8.0
    assert np.std(seen) > 2


def test_accelerations_are_positive_and_smaller_for_careful_drivers():
    bodies = [json.loads(m.payload) for m in take(Fleet(rate=5), 6000)]
    pushes = {}
    for body in bodies:
        name = body["Datastream"]["name"]
        if name.endswith("acceleration"):
            pushes.setdefault(name[-17:-13], []).append(body["result"])
    assert min(map(min, pushes.values())) > 0
    assert np.mean(pushes["Car1"]) > np.mean(pushes["Car2"])


def test_more_things_have_names_of_their_own():
    assert len(set(Fleet(count=50).devices)) == 50


@pytest.mark.parametrize("bad", [{"count": 0}, {"rate": 0.0}])
def test_impossible_settings_are_refused(bad: dict[str, float]):
    with pytest.raises(ConfigError, match="not possible"):
        Fleet(**bad)
