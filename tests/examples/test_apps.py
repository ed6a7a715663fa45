"""The stream apps in `examples/apps`, on what the simulators send, against plain Python."""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from tests.examples.conftest import ROOT
from tests.examples.simulated import Recording, recorded
from tests.sql.running import comparable, connect, sliced, whole

from penstock.core.apps import AppSpec
from penstock.simulators.accelerometer import Accelerometers
from penstock.simulators.factory import Factory
from penstock.simulators.fleet import Fleet
from penstock.simulators.stations import Stations
from penstock.simulators.travellers import Travellers
from penstock.sql.apps.app_text import parse_apps
from penstock.sql.language import compile_query

FOLDER = ROOT / "examples" / "apps"
Row = dict[str, Any]


@cache
def vibration() -> Recording:
    return recorded(Accelerometers(0, rate=100), "measurements", 22, topics=".measurements")


@cache
def stations() -> Recording:
    return recorded(Stations(0, rate=1 / 60), "flat", 12 * 3600)


@cache
def factory() -> Recording:
    return recorded(Factory(0), "factory", 130)


@cache
def travellers() -> Recording:
    return recorded(Travellers(0, sensors=3, rate=0.4), "positions", 150)


@cache
def fleet() -> Recording:
    return recorded(Fleet(1), "sensorthings", 3600)


RECORDINGS: dict[str, Callable[[], Recording]] = {
    f.__name__: f for f in (vibration, stations, factory, travellers, fleet)
}


@cache
def app(name: str) -> AppSpec:
    found = [
        spec for file in FOLDER.rglob("*.sql") for spec in parse_apps(file.read_text())
        if spec.name == name
    ]  # fmt: skip
    assert len(found) == 1, name
    return found[0]


@cache
def answered(name: str, recording: str) -> list[Row]:
    """Run an app over all that was recorded, and the same in slices: the answers are equal."""
    spec = app(name)
    plan = compile_query(spec.sql, reach_us=round(spec.reach_s * 1_000_000))
    data = RECORDINGS[recording]()
    connection = connect()
    found = whole(connection, plan, data.rows, data.tables)
    parts = sliced(connection, plan, data.rows, data.tables, random.Random(name))
    assert comparable(parts) == comparable(found)
    names = [column.name for column in plan.meaning.columns]
    return [dict(zip(names, row[4:], strict=True)) for row in found]


@cache
def rows(recording: str) -> list[Row]:
    return RECORDINGS[recording]().rows.to_pylist()


def grouped(some: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in some:
        groups[key(row)].append(row)
    return groups


def floored(time: datetime, step: timedelta) -> datetime:
    return time - (time - EPOCH) % step


def same(found: list[Row], expected: dict[Any, dict[str, Any]], key: Callable[[Row], Any]) -> None:
    """The rows are those expected, one for each key."""
    assert expected
    assert len(found) == len(expected)
    for row in found:
        wanted = expected[key(row)]
        assert {name: row[name] for name in wanted} == pytest.approx(wanted, rel=1e-6, abs=1e-9)


EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 times in answers are UTC without a zone
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def test_every_app_has_a_test() -> None:
    names = {spec.name for file in FOLDER.rglob("*.sql") for spec in parse_apps(file.read_text())}
    assert names == TESTED


def test_vibration_each_second() -> None:
    groups = grouped(rows("vibration"), lambda r: (r["thing"], floored(r["time"], SECOND)))
    expected = {
        key: {
            "rms": math.sqrt(np.mean([r["result"] ** 2 for r in group])),
            "peak": max(abs(r["result"]) for r in group),
            "samples": len(group),
        }
        for key, group in groups.items()
    }
    found = answered("vibration-each-second", "vibration")
    same(found, expected, lambda r: (r["thing"], r["window_start"]))
    assert any(row["samples"] == 100 for row in found)


def test_vibration_spectrum() -> None:
    found = answered("vibration-spectrum", "vibration")
    by_thing = grouped(rows("vibration"), lambda r: r["thing"])
    full = 0
    for row in found:
        end = row["window_start"] + 10 * SECOND
        signal = np.array(
            [
                r["result"]
                for r in sorted(by_thing[row["thing"]], key=lambda r: r["time"])
                if row["window_start"] <= r["time"] < end
            ]
        )
        count = len(signal)
        weights = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(count) / count)
        # The transform by its definition.
        turns = np.outer(np.arange(count // 2 + 1), np.arange(count)) / count
        lines = np.exp(-2j * np.pi * turns) @ (signal * weights)
        amplitudes = np.abs(lines) * 2 / weights.sum()
        amplitudes[0] /= 2
        if count % 2 == 0:
            amplitudes[-1] /= 2
        spectrum = json.loads(row["spectrum"])
        assert spectrum["step"] == pytest.approx(100 / count)
        assert spectrum["amplitudes"] == pytest.approx(list(amplitudes), rel=1e-5, abs=1e-6)
        if count == 1000:
            full += 1
            # The signal of the simulator: waves of 5, 2.5 and 10 Hz; those above 50 Hz fold back.
            for frequency, amplitude in ((5, 1), (2.5, 0.6)):
                at = round(frequency / 0.1)
                assert amplitudes[at] == pytest.approx(amplitude, abs=0.15)
        power = np.abs(np.exp(-2j * np.pi * turns) @ signal) ** 2 * 2 / count**2
        wanted = [4 <= at * 100 / count <= 11 for at in range(len(power))]
        assert row["from_4_to_11_hz"] == pytest.approx(math.sqrt(power[wanted].sum()))
        rest = np.abs(np.exp(-2j * np.pi * turns) @ ((signal - signal.mean()) * weights))
        assert row["dominant"] == pytest.approx((1 + np.argmax(rest[1:])) * 100 / count)
    assert full >= 4


def test_battery() -> None:
    groups = grouped(
        (r for r in rows("stations") if r["name"].endswith(".BAT")),
        lambda r: (r["thing"], floored(r["time"], 15 * MINUTE)),
    )
    expected = {}
    for key, group in groups.items():
        values = [r["result"] for r in sorted(group, key=lambda r: r["time"])]
        expected[key] = {
            "last_value": values[-1], "lowest": min(values), "highest": max(values),
            "mean": sum(values) / len(values),
        }  # fmt: skip
    found = answered("battery", "stations")
    same(found, expected, lambda r: (r["thing"], r["window_start"]))
    assert any(row["lowest"] < row["last_value"] for row in found)


def test_stations_side_by_side() -> None:
    groups = grouped(
        (r for r in rows("stations") if r["thing"].startswith("UPB/")),
        lambda r: (r["thing"], floored(r["time"], SECOND)),
    )
    expected = {}
    for key, group in groups.items():
        by = grouped(group, lambda r: r["property"])
        expected[key] = {
            name: np.mean([r["result"] for r in by[name]]) if name in by else None
            for name in ("BAT", "TMP", "HUMID", "AQI")
        }
    found = answered("stations-side-by-side", "stations")
    assert len(found) == len(expected)
    for row in found:
        wanted = expected[row["thing"], row["window_start"]]
        for name, value in wanted.items():
            assert row[name] == (None if value is None else pytest.approx(value))
    assert any(row["TMP"] is None and row["AQI"] is not None for row in found)


def test_factory_unnested() -> None:
    found = answered("factory-unnested", "factory")
    expected = set()
    for r in rows("factory"):
        site, rest = r["name"].removeprefix("site-").split("/device-")
        device, sensor = rest.split(".sensor-")
        expected.add((r["time"], site, device, sensor, r["unit"], r["result"]))
    assert len(found) == len(rows("factory"))
    assert {
        (r["time"], r["site"], r["device"], r["sensor"], r["unit"], r["measurement"]) for r in found
    } == expected
    assert {row["site"] for row in found} >= {"101", "104", "106"}


def test_factory_each_minute() -> None:
    regions = {"101": "north", "104": "north", "102": "south", "105": "south",
               "103": "east", "106": "east"}  # fmt: skip
    groups = grouped(
        rows("factory"),
        lambda r: (
            regions[r["thing"].split("/")[0].removeprefix("site-")],
            r["property"], r["unit"], floored(r["time"], MINUTE),
        ),
    )  # fmt: skip
    expected = {}
    for key, group in groups.items():
        values = [r["result"] for r in group]
        expected[key] = {
            "readings": len(values), "mean": sum(values) / len(values),
            "lowest": min(values), "highest": max(values),
        }  # fmt: skip
    found = answered("factory-each-minute", "factory")
    same(found, expected, lambda r: (r["region"], r["property"], r["unit"], r["window_start"]))
    assert {row["region"] for row in found} == {"north", "south", "east"}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("travellers-by-sensor", ("thing",)),
        ("travellers-by-type", ("kind",)),
        ("travellers-by-sensor-and-type", ("thing", "kind")),
    ],
)
def test_travellers(name: str, keys: tuple[str, ...]) -> None:
    present: dict[Any, set[int]] = defaultdict(set)
    speeds: dict[Any, list[float]] = defaultdict(list)
    minutes: dict[int, set[datetime]] = defaultdict(set)
    for who, steps in grouped(rows("travellers"), lambda r: (r["thing"], r["feature"])).items():
        last = None
        for r in sorted(steps, key=lambda r: r["time"]):
            kind = json.loads(r["parameters"])["traveler_type"]
            known = {"thing": r["thing"], "kind": kind}
            minute = floored(r["time"], MINUTE)
            key = (*(known[one] for one in keys), minute)
            present[key].add(who[1])
            minutes[who[1]].add(minute)
            place = json.loads(r["text"])
            if last:
                seconds = (r["time"] - last[0]).total_seconds()
                speeds[key].append(math.dist(place, last[1]) / seconds)
            last = (r["time"], place)
    expected = {
        key: {
            "travellers": len(who), "average_speed": float(np.mean(speeds[key])),
            "lowest_speed": min(speeds[key]), "highest_speed": max(speeds[key]),
        }
        for key, who in present.items()
    }  # fmt: skip
    found = answered(name, "travellers")
    same(found, expected, lambda r: (*(r[one] for one in keys), r["window_start"]))
    # Somebody is there in more than one minute, and counts in each.
    assert any(len(seen) > 1 for seen in minutes.values())
    assert sum(row["travellers"] for row in found) == sum(map(len, minutes.values()))


def test_car_temperatures_below_30() -> None:
    expected = [
        (r["time"], r["thing"], r["result"])
        for r in rows("fleet")
        if r["name"].endswith((".Car1.temperature", ".Car2.temperature")) and r["result"] < 30
    ]
    found = answered("car-temperatures-below-30", "fleet")
    assert sorted((r["time"], r["thing"], r["result"]) for r in found) == sorted(expected)
    assert found


def test_road_could_be_slippery() -> None:
    expected = [
        (r["time"], r["thing"], r["result"])
        for r in rows("fleet")
        if r["name"].endswith(".temperature") and r["result"] < 0
    ]
    found = answered("road-could-be-slippery", "fleet")
    assert sorted((r["time"], r["thing"], r["temperature"]) for r in found) == sorted(expected)
    assert 0 < len(found) < len([r for r in rows("fleet") if r["name"].endswith(".temperature")])


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """By the angle between vectors; latitude and longitude in degrees."""

    def vector(place: tuple[float, float]) -> np.ndarray:
        lat, lon = np.radians(place)
        return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])

    a, b = vector(one), vector(other)
    return 6371008.8 * math.atan2(float(np.linalg.norm(np.cross(a, b))), float(a @ b))


def neighbours(left: list[Row], right: list[Row], within_s: float) -> list[tuple[Row, Row]]:
    """The time-series join by its definition; rows of a side with one time go by datastream."""

    def place(row: Row) -> tuple[datetime, int]:
        return row["time"], row["datastream"]

    found: dict[tuple[int, int], tuple[Row, Row]] = {}
    for mine, others, is_left in ((left, right, True), (right, left, False)):
        for one in mine:
            before = [o for o in others if o["time"] <= one["time"]]
            behind = [o for o in others if o["time"] >= one["time"]]
            partners = [max(before, key=place)] if before else []
            partners += [min(behind, key=place)] if behind else []
            for other in partners:
                pair = (one, other) if is_left else (other, one)
                if abs((pair[0]["time"] - pair[1]["time"]).total_seconds()) <= within_s:
                    found[id(pair[0]), id(pair[1])] = pair
    return list(found.values())


def position(text: str) -> tuple[float, float]:
    place = json.loads(text)
    return place["latitude"], place["longitude"]


def test_car1_near_car2() -> None:
    cars = [[r for r in rows("fleet") if r["name"].endswith(f".Car{n}.position")] for n in (1, 2)]
    pairs = neighbours(*cars, 10)
    expected = {}
    for left, right in pairs:
        far = distance_m(position(left["text"]), position(right["text"]))
        if far < 1230:
            expected[max(left["time"], right["time"]), round(far, 3)] = left["thing"]
    found = answered("car1-near-car2", "fleet")
    assert {(r["time"], round(r["distance"], 3)): r["thing"] for r in found} == expected
    assert len(found) == len(expected)
    assert 0 < len(found) < len(pairs)


def test_frost_near_a_car() -> None:
    warm = [r for r in rows("fleet") if r["name"].endswith(".temperature")]
    pairs = neighbours(
        [r for r in warm if r["name"].startswith("is.iceland.")],
        [r for r in warm if r["name"].startswith("cz.icecars.")],
        30,
    )
    expected = set()
    for station, car in pairs:
        far = distance_m((station["latitude"], station["longitude"]), position(car["parameters"]))
        if station["result"] < 0 and far < 5000:
            time = max(station["time"], car["time"])
            expected.add((time, station["thing"], car["thing"], station["result"], car["result"]))
    found = answered("frost-near-a-car", "fleet")
    assert len(found) == len(expected)
    assert {
        (r["time"], r["station"], r["car"], r["at_station"], r["at_car"]) for r in found
    } == expected
    assert 0 < len(expected) < len(pairs)


TESTED = {
    "vibration-each-second", "vibration-spectrum", "battery", "stations-side-by-side",
    "factory-unnested", "factory-each-minute", "travellers-by-sensor", "travellers-by-type",
    "travellers-by-sensor-and-type", "car-temperatures-below-30", "road-could-be-slippery",
    "car1-near-car2", "frost-near-a-car",
}  # fmt: skip
