"""Positions, SensorThings, SenML, line protocol and Arrow: what their specifications say."""

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from penstock.codecs import CodecSettings, make
from penstock.codecs.features import feature_of
from penstock.core.codec import Messages, Readings
from penstock.core.series import ObservationType, Series, Unit

ARRIVED = 1_700_000_000_000_000


def read(
    codec: str,
    *payloads: object,
    topic: str = "a/topic",
    fields: Mapping[str, str] | None = None,
    zone: str = "UTC",
) -> Readings:
    raw = [p if isinstance(p, bytes) else json.dumps(p).encode() for p in payloads]
    shared = fields or {}
    messages = Messages([topic] * len(raw), raw, np.full(len(raw), ARRIVED), [shared] * len(raw))
    return make(codec, CodecSettings(time_zone=zone)).decode(messages)


def series(codec: str, readings: Readings) -> list[Series]:
    """Return the series of each row."""
    described = [make(codec).describe(key) for key in readings.keys]
    return [described[at] for at in readings.series.tolist()]


def names(codec: str, readings: Readings) -> list[tuple[str, str]]:
    return [(one.thing, one.name) for one in series(codec, readings)]


def reason(readings: Readings) -> str:
    assert len(readings.series) == 0
    (failure,) = readings.failures
    return failure.reason


# -- positions -------------------------------------------------------------------------------

EVENT = {
    "sensor_id": 7,
    "traveler_id": "f1",
    "traveler_type": "bicyclist",
    "position": [0.5, 42.0],
    "timestamp": "2024-07-01T12:00:00.5",
}


def test_a_position_is_a_json_result_of_the_sensor_about_the_traveller():
    got = read("positions", EVENT)
    (one,) = series("positions", got)
    assert (one.thing, one.name, one.observation_type) == (
        "sensor-7",
        "position",
        ObservationType.COMPLEX,
    )
    assert got.text is not None
    assert got.parameters is not None
    assert got.feature is not None
    assert got.text.to_pylist() == ["[0.5,42.0]"]
    assert json.loads(got.parameters[0].as_py()) == {
        "traveler_id": "f1",
        "traveler_type": "bicyclist",
    }
    assert got.feature.tolist() == [feature_of("f1")]
    assert got.time_us.tolist() == [1_719_835_200_500_000]


def test_a_position_without_offset_is_in_the_configured_zone():
    got = read("positions", EVENT, zone="Europe/Vienna")
    assert got.time_us.tolist() == [1_719_835_200_500_000 - 7_200_000_000]


def test_the_feature_of_a_name_never_changes():
    assert feature_of("f1") == 7_017_083_878_988_790_411
    assert all(0 < feature_of(str(number)) < 2**63 for number in range(1_000))


# -- SensorThings ----------------------------------------------------------------------------


def test_a_record_of_panta_rhei_keeps_its_extra_attributes():
    got = read(
        "sensorthings",
        {
            "phenomenonTime": "2018-12-03T15:55:39.054752+00:00",
            "resultTime": "2018-12-03T15:55:40.084497+00:00",
            "Datastream": {"@iot.id": 2},
            "result": 2.97,
            "latitude": 47.8,
        },
    )
    (one,) = series("sensorthings", got)
    assert one.datastream_id == 2
    assert got.number.tolist() == [2.97]
    assert got.result_time_us is not None
    assert got.result_time_us.to_pylist() == [1_543_852_540_084_497]
    assert got.parameters is not None
    assert got.parameters.to_pylist() == ['{"latitude":47.8}']
    assert got.place is None


def test_a_record_with_latitude_and_longitude_says_where_its_thing_was():
    def at(latitude: object, longitude: object) -> dict[str, object]:
        record = {"Datastream": {"@iot.id": 2}, "result": 1}
        return record | {"latitude": latitude, "longitude": longitude}

    nowhere = [at(91, 13), at(47.8, -180.1), at("47.8", "13"), at(True, 13), at(None, None)]
    got = read("sensorthings", at(47.8, 13), *nowhere, at(-90, 180))
    assert got.place is not None
    assert got.place[[0, 6]].tolist() == [[13.0, 47.8], [180.0, -90.0]]
    assert np.isnan(got.place[1:6]).all()
    # Moving makes no new series, and nothing of what came is dropped.
    assert len(got.keys) == 1
    assert got.parameters is not None
    assert json.loads(got.parameters[0].as_py()) == {"latitude": 47.8, "longitude": 13}


@pytest.mark.parametrize(
    ("stamp", "us"),
    [
        (1_543_852_539, 1_543_852_539_000_000),
        (1_543_852_539_054, 1_543_852_539_054_000),
        (1_543_852_539_054_752, 1_543_852_539_054_752),
        (1_543_852_539_054_752_999, 1_543_852_539_054_752),
        ("1543852539054", 1_543_852_539_054_000),
        (None, ARRIVED),
    ],
)
def test_a_record_may_carry_an_epoch_of_any_unit_or_no_time(stamp: object, us: int):
    got = read("sensorthings", {"phenomenonTime": stamp, "result": 1}, fields={"datastream": "7"})
    assert got.time_us.tolist() == [us]


def test_results_of_every_kind_are_kept():
    results = [True, 3, "open", {"a": [1]}]
    got = read("sensorthings", *({"Datastream": {"@iot.id": 1}, "result": r} for r in results))
    assert got.number.tolist()[:2] == [1.0, 3.0]
    assert np.isnan(got.number[2:]).all()
    assert got.text is not None
    assert got.text.to_pylist() == [None, None, "open", '{"a":[1]}']


def test_an_interval_gives_start_and_end():
    stamp = "2024-05-01T12:00:00Z/2024-05-01T13:00:00+01:00"
    got = read("sensorthings", {"phenomenonTime": stamp, "result": 1}, fields={"datastream": "7"})
    assert got.end_time_us is not None
    assert (got.time_us.tolist(), got.end_time_us.to_pylist()) == (
        [1_714_564_800_000_000],
        [1_714_564_800_000_000],
    )


def test_a_datastream_described_in_place_can_be_enrolled():
    datastream = {
        "name": "Car1.Air Temperature",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"},
        "ObservedProperty": {"name": "Air Temperature"},
        "Sensor": {"name": "PT100"},
        "Thing": {
            "name": "Car1",
            "properties": {"owner": "icecars"},
            "Locations": [{"location": {"type": "Point", "coordinates": [13.0, 47.8]}}],
        },
    }
    (one,) = series("sensorthings", read("sensorthings", {"Datastream": datastream, "result": -1}))
    assert one == Series(
        thing="Car1",
        name="Air Temperature",
        observed_property="Air Temperature",
        unit=Unit("degree Celsius", "°C", "ucum:Cel"),
        sensor="PT100",
        location=(13.0, 47.8),
        thing_properties={"owner": "icecars"},
    )


@pytest.mark.parametrize(
    ("record", "part"),
    [
        ({"result": 1}, "no Datastream"),
        ({"Datastream": {"@iot.id": 1}}, "result is missing"),
        ({"Datastream": {"@iot.id": 0}, "result": 1}, "positive"),
        ({"Datastream": {"@iot.id": "1"}, "result": 1}, "positive"),
        ({"Datastream": {"name": "x"}, "result": 1}, "Thing"),
        ({"Datastream": [1], "result": 1}, "not an object"),
        ({"Datastream": {"@iot.id": 1}, "result": 10**400}, "too large"),
        ({"Datastream": {"@iot.id": 1}, "result": 1, "phenomenonTime": "2024"}, "time"),
        (
            {"Datastream": {"@iot.id": 1}, "result": 1, "phenomenonTime": "2024-05-02/2024-05-01"},
            "ends before",
        ),
        ({"Datastream": {"@iot.id": 1}, "result": 1, "FeatureOfInterest": 3}, "FeatureOfInterest"),
    ],
)
def test_a_wrong_observation_fails_with_a_reason(record: object, part: str):
    assert part in reason(read("sensorthings", record))


def test_topic_and_payload_must_name_the_same_datastream():
    record = {"Datastream": {"@iot.id": 8}, "result": 1}
    assert "topic says" in reason(read("sensorthings", record, fields={"datastream": "7"}))


# -- SenML: the examples of RFC 8428, section 5.1 --------------------------------------------


def test_quality_and_valid_time_are_kept_under_names_that_nobody_else_can_use():
    record = {
        "Datastream": {"@iot.id": 7},
        "result": 1,
        "resultQuality": {"code": "good"},
        "validTime": "2024-05-01T00:00:00Z/2024-05-02T00:00:00Z",
        "parameters": {"a": 1, "@iot.id": 5, "@iot.resultQuality": "forged"},
    }
    got = read("sensorthings", record)
    assert got.parameters is not None
    assert json.loads(got.parameters[0].as_py()) == {
        "a": 1,
        "@iot.resultQuality": {"code": "good"},
        "@iot.validTime": "2024-05-01T00:00:00Z/2024-05-02T00:00:00Z",
    }


def test_senml_resolves_base_name_time_and_unit():
    got = read(
        "senml",
        [
            {"bn": "urn:dev:ow:10e2073a0108006:", "bt": 1.276020076001e09, "bu": "A", "bver": 5,
             "n": "voltage", "u": "V", "v": 120.1},
            {"n": "current", "t": -5, "v": 1.2},
            {"n": "current", "t": -4, "v": 1.3},
        ],
    )  # fmt: skip
    device = "urn:dev:ow:10e2073a0108006"
    assert names("senml", got) == [(device, "voltage"), (device, "current"), (device, "current")]
    assert [one.unit.symbol for one in series("senml", got)] == ["V", "A", "A"]
    assert got.time_us.tolist() == [
        1_276_020_076_001_000,
        1_276_020_071_001_000,
        1_276_020_072_001_000,
    ]


def test_senml_times_near_zero_are_relative_to_arrival():
    got = read(
        "senml", [{"n": "urn:dev:ow:1:t", "v": 1, "t": -60}, {"n": "urn:dev:ow:1:t", "v": 2}]
    )
    assert got.time_us.tolist() == [ARRIVED - 60_000_000, ARRIVED]


def test_senml_values_of_every_kind_are_kept():
    got = read(
        "senml",
        [
            {"bn": "urn:dev:ow:10e2073a01080063:", "n": "temp", "u": "Cel", "v": 23.1, "s": 5},
            {"n": "label", "vs": "Machine Room"},
            {"n": "open", "vb": False},
            {"n": "nfc-reader", "vd": "aGkgCg"},
        ],
    )
    assert [name for _, name in names("senml", got)] == [
        "temp",
        "temp:sum",
        "label",
        "open",
        "nfc-reader",
    ]
    assert got.text is not None
    assert got.text.to_pylist() == [None, None, "Machine Room", None, "aGkgCg"]
    assert got.number.tolist()[:2] == [23.1, 5.0]


def test_senml_base_value_is_added():
    got = read("senml", [{"bn": "urn:dev:ow:1:", "bv": 20, "n": "t", "v": 1.5}, {"n": "t", "v": 2}])
    assert got.number.tolist() == [21.5, 22.0]


def test_a_senml_name_that_is_a_device_is_the_thing():
    got = read("senml", [{"n": "urn:dev:ow:10e2073a01080063", "u": "Cel", "v": 23.1}])
    assert names("senml", got) == [("urn:dev:ow:10e2073a01080063", "value")]


@pytest.mark.parametrize(
    ("pack", "part"),
    [
        ([{"n": "a", "v": 1, "vs": "x"}], "more than one"),
        ([{"n": "a"}], "neither a value"),
        ([{"n": "-a", "v": 1}], "not allowed"),
        ([{"n": "a b", "v": 1}], "not allowed"),
        ([{"v": 1}], "not allowed"),
        ([{"n": "a", "v": 1, "bver": 11}], "version 11"),
        ([{"n": "a", "v": 1, "new_": 1}], "'new_'"),
        ([{"bn": "a", "bv": 1e308, "v": 1e308}], "too large"),
        ([{"n": "a", "v": "1"}], "Expected `float"),
        ({"n": "a", "v": 1}, "Expected `array`"),
    ],
)
def test_a_wrong_pack_fails_with_a_reason(pack: object, part: str):
    assert part in reason(read("senml", pack))


# -- line protocol ---------------------------------------------------------------------------


def test_line_protocol_gives_a_row_for_each_field():
    got = read("influx", b'cpu,host=b,dc=x user=1.5,n=3i,ok=T,s="a b" 1714557600123456789')
    assert names("influx", got) == [
        ("dc=x,host=b", f"cpu.{field}") for field in ("user", "n", "ok", "s")
    ]
    assert got.number.tolist()[:3] == [1.5, 3.0, 1.0]
    assert got.text is not None
    assert got.text.to_pylist()[3] == "a b"
    assert set(got.time_us.tolist()) == {1_714_557_600_123_456}
    assert series("influx", got)[0].thing_properties == {"dc": "x", "host": "b"}


@pytest.mark.parametrize(
    ("precision", "us"),
    [
        ("s", 1_714_557_600_000_000),
        ("ms", 1_714_557_600_000),
        ("us", 1_714_557_600),
        ("ns", 1_714_557),
    ],
)
def test_line_protocol_takes_the_precision_of_the_route(precision: str, us: int):
    got = read("influx", b"cpu v=1 1714557600", fields={"precision": precision})
    assert got.time_us.tolist() == [us]


def test_line_protocol_unescapes_names_and_texts():
    got = read("influx", rb'my\ room\,1,a\=b=c\ d f\,1="say \"hi\" \\ \n",g=1')
    (one, _) = series("influx", got)
    assert (one.thing, one.name) == ("a=b=c d", "my room,1.f,1")
    assert got.text is not None
    assert got.text.to_pylist() == ['say "hi" \\ \\n', None]


def test_line_protocol_without_tags_is_about_the_measurement():
    got = read("influx", b"# comment\n\npower watts=12\r\n")
    assert (names("influx", got), got.time_us.tolist()) == ([("power", "watts")], [ARRIVED])


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"# only a comment",
        b"cpu",
        b"cpu v=",
        b"cpu v=1 2 3",
        b"cpu v=abc",
        b"cpu v=1e999",
        b"cpu v=9223372036854775808i",
        b"cpu v=-1u",
        b"cpu,host= v=1",
        b'cpu v="open',
        b"cpu v=1\ncpu",
        b"\xff v=1",
    ],
)
def test_a_wrong_line_fails_the_message_with_a_reason(payload: bytes):
    assert reason(read("influx", payload))


# -- Arrow -----------------------------------------------------------------------------------


def stream(**columns: object) -> bytes:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_an_arrow_stream_gives_its_rows():
    got = read(
        "arrow",
        stream(
            thing=["a", "b", "a"],
            name=["t", "t", "t"],
            unit=["°C", "V", "°C"],
            time=pa.array([1_999, -1, None], pa.timestamp("ns", tz="UTC")),
            number=[1.5, 2, 3],
        ),
    )
    assert names("arrow", got) == [("a", "t"), ("b", "t"), ("a", "t")]
    assert got.time_us.tolist() == [1, -1, ARRIVED]
    assert got.number.tolist() == [1.5, 2.0, 3.0]
    assert series("arrow", got)[0].observed_property == "Temperature"


def test_an_arrow_time_without_zone_is_in_the_configured_one():
    local = pa.array([1_719_835_200], pa.timestamp("s"))
    payload = stream(thing=["a"], name=["t"], time=local, number=[1])
    got = read("arrow", payload, zone="Europe/Vienna")
    assert got.time_us.tolist() == [1_719_828_000_000_000]


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"thing": ["a"], "number": [1.0]}, "missing"),
        ({"thing": ["a"], "name": ["b"]}, "missing"),
        ({"thing": ["a"], "name": ["b"], "number": ["x"]}, "column number"),
        ({"thing": [1], "name": ["b"], "number": [1.0]}, "column thing"),
        ({"thing": [None], "name": ["b"], "number": [1.0]}, "thing is empty"),
        ({"thing": ["a"], "name": ["b"], "number": [float("inf")]}, "infinite"),
        ({"thing": ["a"], "name": ["b"], "number": [float("nan")]}, "row 0"),
        ({"thing": ["a"], "name": ["b"], "number": [1.0], "text": ["x"]}, "row 0"),
        ({"thing": ["a"], "name": ["b"], "number": [1.0], "extra": [1]}, "extra"),
        ({"thing": ["a"], "name": ["b"], "number": [1.0], "time": ["x"]}, "column time"),
        ({"thing": ["a"], "name": ["b"], "number": [1.0], "time": [2**62]}, "1 to 9999"),
        ({"thing": ["a"], "name": ["b"], "number": [1.0], "parameters": ["[1]"]}, "parameters"),
        ({"thing": ["a"], "name": ["b"], "number": [1.0], "feature": [-1]}, "feature"),
        ({"thing": ["a"], "name": ["b"], "number": [1.0], "latitude": [91.0]}, "latitude"),
        ({"thing": ["a"], "name": ["b"], "text": ["x"], "observation_type": ["Count"]}, "text"),
        ({"thing": ["a"], "name": ["b"], "text": ["x"], "observation_type": ["Odd"]}, "Odd"),
        ({"datastream": [0], "number": [1.0]}, "positive"),
    ],
)
def test_a_wrong_arrow_stream_fails_with_a_reason(columns: dict[str, object], part: str):
    assert part in reason(read("arrow", stream(**columns)))
