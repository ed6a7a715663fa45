from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from penstock.core.errors import ConfigError
from penstock.simulators.factory import Factory, Signal
from penstock.simulators.plan import Device, Sensor, load_plan

START = 1_795_305_600_000_000  # 2026-11-22T00:00:00Z, 02:00 at the sites


def take(factory: Factory, count: int, start: int = START):
    batches = factory.messages(start)
    return list(itertools.islice(itertools.chain.from_iterable(batches), count))


def device(**changes) -> Device:
    fields = {
        "device_id": 1,
        "device_type": "Pump",
        "stability_factor": 80,
        "sfd_start_time": "23:00",
        "sfd_end_time": "01:00",
        "sensors": [],
    }
    return Device(**fields | changes)


def sensor(**changes) -> Sensor:
    fields = {
        "sensor_id": 1,
        "sensor_type": "temperature",
        "unit": "C",
        "min_range": 0.0,
        "max_range": 100.0,
        "mean": 60.0,
        "sd": 2.0,
    }
    return Sensor(**fields | changes)


def test_plan_has_the_sites_devices_and_sensors_of_the_original():
    sites = {site.site_id: site for site in load_plan()}
    counts = {
        number: (len(site.devices), sum(len(d.sensors) for d in site.devices), site.sleeptime)
        for number, site in sites.items()
    }
    assert counts == {
        101: (5, 23, 3000),
        102: (6, 26, 2000),
        103: (3, 13, 8000),
        104: (5, 23, 500),
        105: (2, 11, 1000),
        106: (7, 29, 4000),
    }
    assert [site.reccap for site in sites.values()] == [300, 200, 500, 1500, 1000, 600]
    assert sites[106].historic_start_us == 1_654_063_200_000_000  # 2022-06-01T08:00+02:00


def test_plan_sensors_have_a_mean_in_their_range():
    for site in load_plan():
        for machine in site.devices:
            assert 25 <= machine.stability_factor <= 98
            for one in machine.sensors:
                assert one.min_range < one.mean < one.max_range


def test_same_seed_and_start_give_the_same_messages():
    assert take(Factory(3), 3000) == take(Factory(3), 3000)
    assert take(Factory(3), 300) != take(Factory(4), 300)


def test_a_site_sends_the_same_with_and_without_the_other_sites():
    alone = take(Factory(3, sites=[104]), 200)
    among = [m for m in take(Factory(3), 2000) if m.device == "factory_104"]
    assert among[:200] == alone


def test_messages_come_in_the_order_of_time():
    times = [message.time_us for message in take(Factory(), 5000)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("site", "members"),
    [
        (101, {"siteId", "deviceId", "sensorId", "unit"}),
        (102, {"siteId", "deviceId", "sensorId", "unit", "ts_human", "location"}),
        (
            103,
            {"siteId", "deviceId", "sensorId", "unit", "ts_human", "location", "deviceType"},
        ),
    ],
)
def test_each_region_has_its_shape(site: int, members: set[str]):
    message = take(Factory(sites=[site]), 1)[0]
    body = json.loads(message.payload)
    assert set(body) == {"ts", "metadata", "measurement"}
    assert set(body["metadata"]) == members
    assert body["ts"] == START // 1000
    assert body["metadata"].get("ts_human", "2026-11-22T02:00:00.000000") == (
        "2026-11-22T02:00:00.000000"
    )


def test_topics_are_region_and_site():
    topics = {message.topic for message in take(Factory(), 500)}
    assert topics == {
        "factory_iot/north/101",
        "factory_iot/south/102",
        "factory_iot/east/103",
        "factory_iot/north/104",
        "factory_iot/east/106",
    }  # 105 is closed at 02:00


def test_a_site_is_silent_outside_its_operating_hours():
    opening = START + 4 * 3_600_000_000  # 06:00 local
    assert take(Factory(sites=[105]), 1)[0].time_us == opening


def test_values_stay_in_range_for_a_day_and_start_at_the_mean():
    plan = load_plan()
    sensors = [s for site in plan for d in site.devices for s in d.sensors]
    signal = Signal([d for site in plan for d in site.devices], np.random.default_rng(1))
    day = np.array([signal.at(second) for second in range(0, 86_400, 30)])
    assert (day[0] == np.round([s.mean for s in sensors], 4)).all()
    assert (day >= np.array([s.min_range for s in sensors])).all()
    assert (day <= np.array([s.max_range for s in sensors])).all()
    assert (day == day.round(4)).all()
    assert (day.std(axis=0) > 0).all()


def test_a_step_in_normal_hours_is_at_most_a_hundredth_of_the_range():
    signal = Signal([device(sensors=[sensor(sd=50.0)])], np.random.default_rng(1))
    values = np.array([signal.at(43_200) for _ in range(2000)])[:, 0]
    assert 0 < np.abs(np.diff(values)).max() <= 1.0001


@pytest.mark.parametrize(("weight", "end"), [(10, 100.0), (0, 0.0)])
def test_an_unstable_sensor_runs_to_the_end_that_its_weight_says(weight: float, end: float):
    signal = Signal([device(sensors=[sensor(deviation_weight=weight)])], np.random.default_rng(1))
    values = [signal.at(0.0)[0] for _ in range(60)]
    assert abs(values[-1] - end) < 5


def test_an_unstable_sensor_jumps_further_but_never_beyond_its_cap():
    signal = Signal([device(sensors=[sensor(deviation_weight=10)])], np.random.default_rng(1))
    steps = np.abs(np.diff([signal.at(0.0)[0] for _ in range(60)]))
    assert 1.0 < steps.max() <= 15.0001


def test_the_base_swings_a_tenth_of_the_range_with_the_day():
    signal = Signal(
        [device(stability_factor=100, sensors=[sensor(sd=0.0)])], np.random.default_rng(1)
    )
    assert [signal.at(12 * 3600)[0] for _ in range(400)][-1] == pytest.approx(70, abs=0.1)
    assert [signal.at(2 * 3600)[0] for _ in range(400)][-1] == pytest.approx(
        60 - 10 * (1 - 4 / 12), abs=0.1
    )


def test_history_comes_first_and_goes_on_live_without_a_gap():
    factory = Factory(sites=[101], historic_from_us=START - 9_000_000)
    times = sorted({message.time_us for message in take(factory, 23 * 5)})
    assert times == [START + step * 3_000_000 for step in range(-3, 2)]


def test_history_as_in_the_original_skips_every_other_step():
    factory = Factory(sites=[101], historic_from_us=START - 12_000_000, double_step=True)
    times = sorted({message.time_us for message in take(factory, 23 * 3)})
    assert times == [START - 12_000_000, START - 6_000_000, START]


def test_the_live_phase_as_in_the_original_ends_after_reccap_steps():
    messages = list(
        itertools.chain.from_iterable(Factory(sites=[102], reccap=True).messages(START))
    )
    assert len(messages) == 200 * 26
    assert messages[-1].time_us == START + 199 * 2_000_000


def test_unknown_site_is_refused_with_those_known():
    with pytest.raises(ConfigError, match=r"no site \[999\]; the plan has 101, 102"):
        Factory(sites=[999])


def test_a_broken_plan_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text('[{"siteId": "x"}]')
    with pytest.raises(ConfigError, match=r"plan\.json cannot be read"):
        load_plan(path)
