"""Examples exactly as the five existing systems send them."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from penstock.codecs import make
from penstock.core.codec import Messages, Readings
from penstock.core.series import ObservationType

ARRIVED = 1_700_000_000_000_000


def us(text: str) -> int:
    """Return the microseconds of a time with whole microseconds."""
    passed = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def read(codec: str, topic: str, fields: dict[str, str], *payloads: object) -> Readings:
    """Decode payloads of one topic; objects become JSON."""
    raw = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in payloads]
    messages = Messages([topic] * len(raw), raw, np.full(len(raw), ARRIVED), [fields] * len(raw))
    return make(codec).decode(messages)


def rows(codec: str, readings: Readings) -> list[tuple[str, str, int, float]]:
    """Return (thing, name, time, number) of every row."""
    described = [make(codec).describe(key) for key in readings.keys]
    return [
        (described[series].thing, described[series].name, time, number)
        for series, time, number in zip(
            readings.series.tolist(),
            readings.time_us.tolist(),
            readings.number.tolist(),
            strict=True,
        )
    ]


STATION = {"location": "UPB", "station": "RPi_1"}


def test_a_station_gives_one_result_per_number_at_its_timestamp():
    got = read(
        "flat",
        "UPB/RPi_1",
        STATION,
        b'{"BAT":99,"HUMID":40,"PRJ":"SPRC","TMP":25.3,"status":"OK",'
        b'"timestamp":"2019-11-26T03:54:20+03:00"}',
    )
    time = us("2019-11-26T00:54:20+00:00")
    assert rows("flat", got) == [
        ("UPB/RPi_1", "BAT", time, 99.0),
        ("UPB/RPi_1", "HUMID", time, 40.0),
        ("UPB/RPi_1", "TMP", time, 25.3),
    ]
    assert make("flat").describe(got.keys[0]).thing_properties == STATION


def test_a_station_without_timestamp_counts_from_arrival():
    got = read(
        "flat",
        "Dorinel/Zeus",
        {"location": "Dorinel", "station": "Zeus"},
        b'{"Alarm":0,"AQI":12,"RSSI":1500}',
    )
    assert rows("flat", got) == [
        ("Dorinel/Zeus", "Alarm", ARRIVED, 0.0),
        ("Dorinel/Zeus", "AQI", ARRIVED, 12.0),
        ("Dorinel/Zeus", "RSSI", ARRIVED, 1500.0),
    ]


def test_a_station_passes_true_and_false_as_numbers():
    got = read("flat", "UPB/RPi_1", STATION, {"on": True, "off": False})
    assert got.number.tolist() == [1.0, 0.0]
    assert make("flat").describe(got.keys[0]).observation_type is ObservationType.TRUTH


def test_a_station_without_numbers_gives_nothing_and_no_failure():
    got = read("flat", "UPB/RPi_1", STATION, {"status": "OK", "list": [1], "none": None})
    assert len(got.series) == 0
    assert not got.failures


@pytest.mark.parametrize(
    "payload",
    [
        b'{"BAT":99,"timestamp":"yesterday"}',
        b'{"BAT":99,"timestamp":{"at":1}}',
        b'{"BAT":99',
        b"[1,2]",
        b"",
        b'{"BAT":1e999}',
        b'{"BAT":1' + b"0" * 400 + b"}",
        b'{"":1}',
    ],
)
def test_a_wrong_station_message_fails_with_a_reason(payload: bytes):
    got = read("flat", "UPB/RPi_1", STATION, b'{"BAT":1}', payload, b'{"BAT":2}')
    assert got.number.tolist() == [1.0, 2.0]
    assert got.message.tolist() == [0, 2]
    assert [failure.message for failure in got.failures] == [1]
    assert got.failures[0].reason


SITE = {"region": "north", "site": "101"}


@pytest.mark.parametrize(
    ("more", "properties", "location"),
    [
        ({}, {}, None),
        (
            {
                "ts_human": "2024-10-15T08:00:00.000000",
                "location": {"latitude": -26.195246, "longitude": 28.034088},
            },
            {},
            (28.034088, -26.195246),
        ),
        (
            {
                "ts_human": "2024-10-15T08:00:00.000000",
                "location": {"latitude": -26.195246, "longitude": 28.034088},
                "deviceType": "Oil Pump",
            },
            {"device_type": "Oil Pump"},
            (28.034088, -26.195246),
        ),
    ],
)
def test_a_factory_reading_is_understood_in_each_of_its_three_shapes(more, properties, location):
    payload = {
        "ts": 1728979200123,
        "metadata": {"siteId": 101, "deviceId": 1001, "sensorId": 10011, "unit": "Bar"} | more,
        "measurement": 12.3456,
    }
    got = read("factory", "factory_iot/north/101", SITE, payload)
    assert rows("factory", got) == [
        ("site-101/device-1001", "sensor-10011", 1728979200123000, 12.3456)
    ]
    series = make("factory").describe(got.keys[0])
    expected = {"site": 101, "device": 1001, "region": "north"} | properties
    assert series.thing_properties == expected
    assert series.location == location
    assert series.unit.symbol == "Bar"


def test_a_factory_reading_may_keep_its_time_as_text():
    metadata = {"siteId": 104, "deviceId": 1, "sensorId": 2, "unit": "A"}
    payload = {"ts": "2024-10-15T08:00:00.250000", "metadata": metadata, "measurement": 1}
    got = read("factory", "factory_iot/north/104", SITE, payload)
    assert got.time_us.tolist() == [us("2024-10-15T08:00:00.250+00:00")]


def test_an_array_of_measurements_gives_one_row_per_sample():
    got = read(
        "measurements",
        "sensor.AAD-1123.measurements",
        {"serial": "AAD-1123"},
        b'[{"SerialNumber":"AAD-1123","Timestamp":"2024-10-15T08:00:00.123456789Z","Value":-0.25},'
        b'{"SerialNumber":"AAD-1123","Timestamp":"2024-10-15T10:00:01+02:00","Value":3}]',
    )
    assert rows("measurements", got) == [
        ("AAD-1123", "acceleration", us("2024-10-15T08:00:00.123456+00:00"), -0.25),
        ("AAD-1123", "acceleration", us("2024-10-15T08:00:01+00:00"), 3.0),
    ]


def test_an_array_of_measurements_fails_whole_when_one_time_is_wrong():
    good = {"SerialNumber": "A", "Timestamp": "2024-10-15T08:00:00Z", "Value": 1.0}
    got = read("measurements", "t", {}, [good, good | {"Timestamp": "soon"}], [good])
    assert got.message.tolist() == [1]
    assert "soon" in got.failures[0].reason


@pytest.mark.parametrize(
    ("topic", "thing", "name"),
    [
        ("home/kitchen/temperature", "home/kitchen", "temperature"),
        ("temperature", "temperature", "value"),
        ("/a//b", "a", "b"),
    ],
)
def test_a_plain_number_takes_its_names_from_the_topic(topic: str, thing: str, name: str):
    got = read("number", topic, {}, b"21.5", b" -3 ", b"+.5", b"TRUE", b"false")
    assert got.number.tolist() == [21.5, -3.0, 0.5, 1.0, 0.0]
    assert {row[:2] for row in rows("number", got)} == {(thing, name)}
    kinds = [make("number").describe(key).observation_type for key in got.keys]
    assert kinds == [ObservationType.MEASUREMENT, ObservationType.TRUTH]


def test_an_object_with_one_value_is_read_with_its_time_and_unit():
    got = read(
        "number",
        "lab/t1",
        {},
        {"value": 21.5, "unit": "°C", "ts": 1728979200},
        {"value": "open", "time": "2024-10-15T08:00:00Z"},
    )
    assert got.time_us.tolist() == [1728979200_000_000, us("2024-10-15T08:00:00+00:00")]
    assert got.text is not None
    assert got.text.to_pylist() == [None, "open"]
    series = make("number").describe(got.keys[0])
    assert (series.unit.name, series.observed_property) == ("degree Celsius", "Temperature")
