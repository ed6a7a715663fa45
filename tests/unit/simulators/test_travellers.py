from __future__ import annotations

import itertools
import json
from collections import defaultdict
from uuid import UUID

import numpy as np
import pytest

from penstock.core.errors import ConfigError
from penstock.simulators.travellers import SPEEDS, Crowd, Travellers

START = 1_795_344_944_780_710


def looks(travellers: Travellers, count: int):
    return list(itertools.islice(travellers.messages(START), count))


def test_same_seed_and_start_give_the_same_messages():
    assert looks(Travellers(2), 30) == looks(Travellers(2), 30)
    assert looks(Travellers(2), 30) != looks(Travellers(3), 30)


def test_an_event_has_the_members_of_the_original():
    message = looks(Travellers(sensors=5), 20)[-1][0]
    body = json.loads(message.payload)
    assert list(body) == ["sensor_id", "traveler_id", "traveler_type", "position", "timestamp"]
    assert message.topic == f"movements/{body['sensor_id']}"
    assert str(UUID(body["traveler_id"])) == body["traveler_id"]
    assert body["traveler_type"] in SPEEDS
    assert body["timestamp"] == "2026-11-22T10:55:46.680710"


def test_travellers_never_go_back_and_stay_in_sight():
    seen = defaultdict(list)
    for batch in looks(Travellers(sensors=3, rate=2), 300):
        for message in batch:
            body = json.loads(message.payload)
            seen[body["traveler_id"]].append(body["position"])
    assert len(seen) > 100
    for positions in seen.values():
        way = np.array(positions)
        assert (way >= 0).all()
        assert (way <= 100).all()
        assert (np.diff(way, axis=0) >= 0).all()
        assert way[0][0] < 1


def test_mean_speeds_are_those_of_the_types():
    crowd = Crowd(np.random.default_rng(1), 400, 10)
    crowd.step()
    before = crowd.x.copy(), crowd.y.copy(), crowd.kind.copy()
    crowd._move()
    distance = np.hypot(crowd.x - before[0], crowd.y - before[1]) / 0.1
    for number, speed in enumerate(SPEEDS.values()):
        of_kind = distance[before[2] == number]
        assert len(of_kind) > 80
        assert of_kind.mean() == pytest.approx(speed, rel=0.15)
        assert of_kind.max() <= 2 * speed


def test_arrivals_are_a_poisson_process():
    crowd = Crowd(np.random.default_rng(1), 1000, 10)
    crowd._arrive()
    arrivals = np.bincount(crowd.sensor, minlength=1000)
    assert arrivals.mean() == pytest.approx(1.0, abs=0.1)
    assert arrivals.var() == pytest.approx(1.0, abs=0.2)
    assert np.bincount(crowd.kind).min() > 270


def test_default_load_is_a_thousand_new_travellers_per_second():
    names = {
        json.loads(m.payload)["traveler_id"] for batch in looks(Travellers(), 20) for m in batch
    }
    assert 1800 < len(names) < 2200


@pytest.mark.parametrize("bad", [{"sensors": 0}, {"rate": 0.0}])
def test_impossible_settings_are_refused(bad: dict[str, float]):
    with pytest.raises(ConfigError, match="not possible"):
        Travellers(**bad)
