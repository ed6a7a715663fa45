"""Messages that each codec reads, of every shape that it knows."""

import json

import pyarrow as pa

from penstock.testing.codec_contract import Example


def _json(topic: str, value: object, **fields: str) -> Example:
    return Example(topic, json.dumps(value).encode(), fields)


def _arrow(**columns: object) -> Example:
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return Example("bulk", sink.getvalue().to_pybytes())


_METADATA = {"siteId": 101, "deviceId": 1001, "sensorId": 10011, "unit": "Bar"}
_PLACE = {"latitude": -26.195246, "longitude": 28.034088}
_SAMPLE = {"SerialNumber": "AAD-1123", "Timestamp": "2024-10-15T08:00:00.123456789Z", "Value": 0.5}

EXAMPLES: dict[str, list[Example]] = {
    "arrow": [
        _arrow(
            thing=pa.array(["a", "b", "a"]).dictionary_encode(),
            name=["x", "x", "x"],
            time=pa.array([1, None, 3], pa.timestamp("ns", tz="Europe/Vienna")),
            number=[1.5, None, -2.0],
            text=[None, "open", None],
            unit=["°C", None, "°C"],
            longitude=[13.0, None, 13.0],
            latitude=[47.8, None, 47.8],
            feature=[0, 5, None],
            end_time=pa.array([2, None, None], pa.timestamp("s")),
            result_time=pa.array([None, 7, None], pa.int64()),
            parameters=['{"a":1}', None, None],
        ),
        _arrow(datastream=[7, 8], time=pa.array([1, 2], pa.int64()), number=[True, False]),
    ],
    "factory": [
        _json(
            f"factory_iot/{region}/101",
            {"ts": ts, "metadata": _METADATA | more, "measurement": 12.3456},
            region=region,
            site="101",
        )
        for region, ts, more in [
            ("north", 1728979200123, {}),
            ("south", 1728979200123, {"ts_human": "2024-10-15T08:00:00.1", "location": _PLACE}),
            ("east", "2024-10-15T08:00:00.1", {"location": _PLACE, "deviceType": "Oil Pump"}),
        ]
    ],
    "flat": [
        Example(
            "UPB/RPi_1",
            b'{"BAT":99,"HUMID":40,"PRJ":"SPRC","TMP":25.3,"status":"OK",'
            b'"timestamp":"2019-11-26T03:54:20+03:00"}',
            {"location": "UPB", "station": "RPi_1"},
        ),
        Example(
            "Dorinel/Zeus",
            b'{"Alarm":true,"AQI":12,"RSSI":1500}',
            {"location": "Dorinel", "station": "Zeus"},
        ),
    ],
    "measurements": [
        _json("sensor.AAD-1123.measurements", [_SAMPLE], serial="AAD-1123"),
        _json(
            "sensor.BBB-3423.measurements",
            [
                {"SerialNumber": "BBB-3423", "Timestamp": f"2024-10-15T08:00:0{i}.5Z", "Value": i}
                for i in range(5)
            ],
        ),
    ],
    "number": [
        Example("home/kitchen/temperature", b"21.5"),
        Example("home/door", b"TRUE"),
        Example("level", b"+.5"),
        _json("lab/t1", {"value": 21.5, "unit": "°C", "ts": 1728979200.25}),
        _json("lab/t2", {"value": "open", "time": "2024-10-15T08:00:00Z"}),
    ],
    "positions": [
        _json(
            "movements",
            {
                "sensor_id": 7,
                "traveler_id": "0a41c1de-9d5c-4b3e-8f3f-0a41c1de9d5c",
                "traveler_type": "bicyclist",
                "position": [0.25, 42.5],
                "timestamp": "2024-05-01T12:00:00.123456",
            },
        ),
        _json("movements", {"sensor_id": "8", "traveler_id": "\u00e4\n", "position": [1, 2, 3]}),
    ],
    "sensorthings": [
        _json(
            "cz.icecars.iot4cps-wp5-CarFleet.Car1.int",
            {
                "phenomenonTime": "2018-12-03T15:55:39.054752+00:00",
                "resultTime": "2018-12-03T15:55:40.084497+00:00",
                "Datastream": {"@iot.id": 2},
                "result": 2.9698054997459593,
                "longitude": 13.06,
            },
        ),
        _json(
            "cz.icecars.iot4cps-wp5-CarFleet.Car1.int",
            {"Datastream": {"@iot.id": 2}, "result": 3, "latitude": 47.8, "longitude": 13.06},
        ),
        _json("v1.1/Datastreams(7)/Observations", {"result": True}, datastream="7"),
        _json(
            "v1.1/Observations",
            {
                "phenomenonTime": "2024-05-01T12:00:00Z/2024-05-01T13:00:00Z",
                "result": {"p": [1, 2]},
                "FeatureOfInterest": {"name": "lake"},
                "Datastream": {
                    "name": "Car1.profile",
                    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
                    "OM_ComplexObservation",
                    "unitOfMeasurement": {"name": None, "symbol": "°C"},
                    "ObservedProperty": {"name": "Temperature"},
                    "Sensor": {"name": "T1"},
                    "Thing": {
                        "name": "Car1",
                        "Locations": [{"location": {"type": "Point", "coordinates": [13.0, 47.8]}}],
                    },
                },
            },
        ),
    ],
    "senml": [
        Example("senml", b'[{"n":"urn:dev:ow:10e2073a01080063","u":"Cel","v":23.1}]'),
        Example(
            "senml",
            b'[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,'
            b'"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},'
            b'{"n":"label","vs":"Machine Room"},{"n":"open","vb":false},{"n":"raw","vd":"aGkg"},'
            b'{"n":"current","t":-4,"v":1.3,"s":12}]',
        ),
        Example("plant/line-1", b'[{"n":"temp","v":1}]'),
    ],
    "influx": [
        Example(
            "influx", b"weather,station=north,kind=mast temp=21.5,count=3i 1714557600000000000"
        ),
        Example(
            "influx",
            b'# both\nmy\\ room,a\\=b=c\\,d ok=t,text="say \\"hi\\"\n, a=b",n=18446744073709551615u'
            b"\n\n"
            b"plain v=-1e3 1714557600123\r\n",
        ),
        Example("influx/s", b"plain v=1 1714557600", {"precision": "s"}),
    ],
}
