from __future__ import annotations

import itertools
import json
from datetime import datetime

import pytest

from penstock.core.errors import ConfigError
from penstock.simulators.stations import Stations

START = 1_795_305_600_000_000


def take(stations: Stations, count: int):
    return list(itertools.islice(itertools.chain.from_iterable(stations.messages(START)), count))


def test_same_seed_and_start_give_the_same_messages():
    assert take(Stations(5), 600) == take(Stations(5), 600)
    assert take(Stations(5), 600) != take(Stations(6), 600)


def test_the_first_station_sends_what_the_homework_shows():
    message = next(m for m in take(Stations(), 6) if m.topic == "UPB/RPi_1")
    body = json.loads(message.payload)
    assert list(body) == ["BAT", "HUMID", "TMP", "PRJ", "status", "timestamp"]
    assert body["PRJ"] == "SPRC"
    moment = datetime.strptime(body["timestamp"], "%Y-%m-%dT%H:%M:%S%z")
    assert moment.timestamp() == message.time_us // 1_000_000
    assert body["timestamp"].endswith("+03:00")


def test_a_station_without_a_clock_sends_numbers_only():
    message = next(m for m in take(Stations(), 6) if m.topic == "Dorinel/Zeus")
    body = json.loads(message.payload)
    assert set(body) == {"Alarm", "AQI", "RSSI"}


def test_every_station_sends_at_its_rate():
    times = [m.time_us for m in take(Stations(count=40, rate=4), 4000) if m.device == "UPB-RPi_1"]
    assert {b - a for a, b in itertools.pairwise(times)} == {250_000}


def test_numbered_stations_have_topics_of_their_own():
    stations = Stations(count=500)
    assert len({message.topic for message in take(stations, 500)}) == 500
    assert len(set(stations.devices)) == 500


def test_batteries_drain_and_charge_and_say_so():
    bodies = [json.loads(m.payload) for m in take(Stations(count=1, rate=0.01), 5000)]
    charge = [body["BAT"] for body in bodies]
    assert 0 <= min(charge) <= 16
    assert max(charge) == 100
    assert {body["status"] for body in bodies} == {"OK", "LOW BATTERY", "CHARGING"}
    up = [
        b >= a
        for (a, b), body in zip(itertools.pairwise(charge), bodies[1:], strict=True)
        if body["status"] == "CHARGING"
    ]
    assert all(up)


def test_two_messages_of_a_second_have_different_timestamps():
    bodies = [json.loads(m.payload) for m in take(Stations(count=1, rate=3), 9)]
    assert len({body["timestamp"] for body in bodies}) == 9


@pytest.mark.parametrize("bad", [{"count": 0}, {"rate": 0.0}, {"rate": -1.0}])
def test_impossible_settings_are_refused(bad: dict[str, float]):
    with pytest.raises(ConfigError, match="not possible"):
        Stations(**bad)
