from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from penstock.core.errors import ConfigError
from penstock.simulators.accelerometer import WAVES, Accelerometers, measurements, signal

START = 1_795_344_944_780_710


def take(sensors: Accelerometers, count: int):
    return list(itertools.islice(itertools.chain.from_iterable(sensors.messages(START)), count))


def test_same_seed_and_start_give_the_same_messages():
    assert take(Accelerometers(2), 60) == take(Accelerometers(2), 60)
    assert take(Accelerometers(2), 60) != take(Accelerometers(3), 60)


def test_a_sensor_boots_registers_and_then_measures():
    messages = take(Accelerometers(count=1, rate=50), 11)
    assert [m.topic for m in messages] == [
        *["sensor.AAD-1123.logs"] * 8,
        "sensor.AAD-1123.registry.created",
        *["sensor.AAD-1123.measurements"] * 2,
    ]
    logs = [json.loads(m.payload) for m in messages[:8]]
    assert {log["Level"] for log in logs} == {"INFO"}
    assert messages[7].time_us - messages[0].time_us == 1_600_000
    assert json.loads(messages[8].payload) == {"SerialNumber": "AAD-1123", "SampleFrequency": 50.0}
    assert [m.retain for m in messages] == [False] * 9 + [True] * 2


@pytest.mark.parametrize("rate", [1.0, 100.0, 3000.0, 25000.0, 333.3])
def test_a_message_holds_one_second_of_samples(rate: float):
    arrays = [
        json.loads(m.payload)
        for m in take(Accelerometers(count=1, rate=rate), 13)
        if m.topic.endswith(".measurements")
    ]
    samples = [sample for array in arrays for sample in array]
    assert abs(len(samples) - 4 * rate) <= 1
    times = np.array([np.datetime64(s["Timestamp"].removesuffix("Z"), "ns") for s in samples])
    steps = np.diff(times.astype(np.int64))
    assert abs(steps - 1e9 / rate).max() <= 1
    assert {s["SerialNumber"] for s in samples} == {"AAD-1123"}


def test_timestamps_have_no_trailing_zeros():
    payload = measurements(
        "A-1", np.array([0, 100_000_000, 123_456_789, 1_000_000_000, 1_000_000_001]), np.zeros(5)
    )
    assert [sample["Timestamp"] for sample in json.loads(payload)] == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00.1Z",
        "1970-01-01T00:00:00.123456789Z",
        "1970-01-01T00:00:01Z",
        "1970-01-01T00:00:01.000000001Z",
    ]


def test_signal_is_the_waves_and_noise():
    seconds = np.arange(100_000) / 25_000
    values = signal(seconds, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(values)) * 2 / len(values)
    for amplitude, frequency, _ in WAVES:
        assert spectrum[round(frequency * 4)] == pytest.approx(amplitude, abs=0.02)
    clean = sum(a * np.sin(2 * np.pi * f * seconds + p) for a, f, p in WAVES)
    # U(0,1) x N(0,1) has mean 0 and variance E[U^2] = 1/3.
    assert (values - clean).mean() == pytest.approx(0, abs=0.01)
    assert (values - clean).var() == pytest.approx(1 / 3, rel=0.03)


def test_serial_numbers_are_unique_and_valid():
    serials = Accelerometers(count=300).devices
    assert list(serials[:2]) == ["AAD-1123", "BBB-3423"]
    assert len(set(serials)) == 300
    for serial in serials:
        assert len(serial) <= 8
        assert any(c.isalpha() for c in serial)


@pytest.mark.parametrize("bad", [{"count": 0}, {"rate": 0.0}, {"rate": 2e6}])
def test_impossible_settings_are_refused(bad: dict[str, float]):
    with pytest.raises(ConfigError, match="not possible"):
        Accelerometers(**bad)
