"""Things that move: what their messages say of places gets into the catalog, thinned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest

from penstock.catalog.devices.tracks import SqlTracks
from penstock.codecs import make
from penstock.simulators.fleet import Fleet

SECOND = 1_000_000
T0 = 1_700_000_040 * SECOND
CAR = "at.mill.hall.North.Car"


@pytest.fixture
def road(plant: Any) -> Any:
    """Return a plant that reads SensorThings records, and counts what the catalog is told."""
    plant.codecs["sensorthings"] = lambda: make("sensorthings")
    plant.told = []
    return plant


def start(road: Any, **settings: object) -> None:
    ingest = road.open(("#", "sensorthings"), **settings)
    enrol = road.catalog.enrol

    def told(series: Sequence[Any], *rest: Any) -> Any:
        road.told.append(sum(one.location is not None for one in series))
        return enrol(series, *rest)

    ingest._enrolment._catalog = type("Told", (), {"enrol": staticmethod(told)})()


def record(us: int, place: tuple[float, float] | None, name: str = "t") -> tuple[str, str]:
    said = {} if place is None else {"longitude": place[0], "latitude": place[1]}
    datastream = {"name": f"{CAR}.{name}", "Thing": {"name": CAR}}
    whole = {"phenomenonTime": us, "Datastream": datastream, "result": 1, **said}
    return "x.int/car", json.dumps(whole)


def track(road: Any, name: str = CAR) -> list[tuple[int, tuple[float, ...]]]:
    (one, *_) = road.catalog.datastreams(thing=name)
    found = SqlTracks(road.catalog.database).track(one.thing_id, None, None, 1000)
    return [(place.time_us, place.position) for place in found]


def where(road: Any) -> object:
    return road.catalog.datastreams(thing=CAR)[0].location


def test_the_simulated_cars_draw_the_track_that_they_drive(road: Any) -> None:
    messages = list(islice((m for batch in Fleet(1).messages(T0) for m in batch), 200))
    start(road)
    road.ingested(*((message.topic, message.payload) for message in messages))
    driven: dict[str, dict[int, tuple[float, float]]] = {}
    for message in messages:
        said = json.loads(message.payload)
        if "latitude" in said:
            name = said["Datastream"]["Thing"]["name"]
            place = (said["longitude"], said["latitude"])
            driven.setdefault(name, {})[message.time_us] = place
    assert len(driven) == 2
    for name, places in driven.items():
        assert track(road, name) == sorted(places.items())
        # Three records say the same place; it is told once.
        assert road.catalog.datastreams(thing=name)[0].location == places[max(places)]
    assert sum(road.told) == sum(map(len, driven.values())) + 2  # and two stations


def test_a_thing_is_placed_once_per_interval_however_often_it_says_where_it_is(road: Any) -> None:
    start(road, place_every_s=5.0)
    steps = [record(T0 + at * SECOND // 10, (10 + at / 1e4, 47.0)) for at in range(200)]
    road.ingested(*steps[:70])
    road.ingested(*steps[70:])
    assert [us for us, _ in track(road)] == [T0 + at * 5 * SECOND for at in range(4)]


def test_standing_still_is_told_once_and_coming_back_again(road: Any) -> None:
    start(road)
    here, there = (10.0, 47.0), (11.0, 47.0)
    for at, place in enumerate([here, here, here, there, there, here]):
        road.ingested(record(T0 + at * SECOND, place))
    assert [(us - T0) // SECOND for us, _ in track(road)] == [0, 3, 5]
    assert where(road) == here
    assert sum(road.told) == 3


def test_a_late_place_is_history_and_does_not_move_the_thing(road: Any) -> None:
    start(road)
    road.ingested(record(T0 + 60 * SECOND, (11.0, 47.0)))
    road.ingested(record(T0, (10.0, 47.0)))
    assert where(road) == (11.0, 47.0)
    assert track(road) == [(T0, (10.0, 47.0)), (T0 + 60 * SECOND, (11.0, 47.0))]
    road.ingested(record(T0 + 120 * SECOND, (11.0, 47.0)))
    assert len(track(road)) == 2


def test_a_clock_that_is_ahead_does_not_nail_the_thing_down(road: Any) -> None:
    start(road)
    ahead = road.clock.now_us() + 86_400 * SECOND
    road.ingested(record(ahead, (10.0, 47.0)))
    road.ingested(record(ahead + SECOND, (10.5, 47.0)))
    road.ingested(record(road.clock.now_us() + 10, (11.0, 47.0), "other"))
    assert where(road) == (11.0, 47.0)


def test_records_without_a_place_and_of_a_refused_device_tell_nothing(road: Any) -> None:
    start(road, enrolment="approval")
    road.ingested(record(T0, (10.0, 47.0)))
    assert sum(road.told) == 0
    assert "approv" in road.ingest.dead_letters()[0].reason
    road.close()
    start(road)
    road.ingested(record(T0, None))
    assert sum(road.told) == 0


def test_what_was_read_twice_is_on_the_track_once(road: Any) -> None:
    start(road)
    road.ingested(*(record(T0 + at * SECOND, (10 + at, 47.0)) for at in range(5)))
    before = track(road)
    road.close()
    road.store.crash()
    start(road)
    road.wait_until(lambda: len(road.store.rows) == 5)
    assert track(road) == before
