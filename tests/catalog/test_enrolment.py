"""Enrolment against the naive catalog: any batches, policies and decisions in any order."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.catalog.naive import NaiveCatalog
from tests.catalog.template import fresh_catalog

from penstock.catalog import CatalogSettings, SqlCatalog
from penstock.catalog.models import (
    HistoricalLocation,
    Location,
    Thing,
    historical_location_location,
    thing_location,
)
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.errors import InvalidInput
from penstock.core.series import ObservationType, Series, Unit

THINGS = ["a", "a.b", "ä", "c"]
small = st.dictionaries(
    st.sampled_from(["k", "l"]), st.one_of(st.integers(0, 2), st.none(), st.text(max_size=2))
)
texts = st.sampled_from(["", "x", "y"])
named = st.builds(
    Series,
    thing=st.sampled_from(THINGS),
    name=st.sampled_from(["b.x", "x", "y"]),
    observed_property=texts,
    observation_type=st.sampled_from(ObservationType),
    unit=st.builds(Unit, texts, texts, texts),
    sensor=texts,
    location=st.none() | st.tuples(st.integers(0, 2).map(float), st.just(1.0)),
    located_us=st.none() | st.integers(0, 5),
    thing_properties=small,
    properties=small,
)
by_id = st.builds(
    Series, datastream_id=st.integers(0, 4), unit=st.builds(Unit, texts), properties=small
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("enrol"), st.lists(named | by_id, max_size=6), st.sampled_from(Policy)),
        st.tuples(
            st.just("decide"),
            st.sampled_from(THINGS),
            st.sampled_from([DeviceStatus.ENROLLED, DeviceStatus.REFUSED]),
        ),
    ),
    max_size=8,
)


def history(catalog: SqlCatalog) -> dict[str, dict[int, tuple[float, ...]]]:
    """Return when each Thing came where."""
    query = (
        select(Thing.name, HistoricalLocation.time_us, Location.location)
        .join(HistoricalLocation, HistoricalLocation.thing_id == Thing.id)
        .join(
            historical_location_location,
            historical_location_location.c.historical_location_id == HistoricalLocation.id,
        )
        .join(Location, Location.id == historical_location_location.c.location_id)
    )
    found: dict[str, dict[int, tuple[float, ...]]] = {}
    with catalog._database.read() as connection:
        for name, time_us, place in connection.execute(query):
            assert place["type"] == "Point"
            found.setdefault(name, {})[time_us] = tuple(place["coordinates"])
    return found


def current(catalog: SqlCatalog) -> dict[str, tuple[float, ...]]:
    """Return the Location that each Thing is linked to."""
    query = (
        select(Thing.name, Location.location)
        .join(thing_location, thing_location.c.thing_id == Thing.id)
        .join(Location, Location.id == thing_location.c.location_id)
    )
    with catalog._database.read() as connection:
        rows = connection.execute(query).all()
    assert len({name for name, _ in rows}) == len(rows)
    return {name: tuple(place["coordinates"]) for name, place in rows}


@settings(max_examples=40, deadline=None)
@given(steps)
def test_any_history_of_enrolments_ends_like_the_naive_catalog(
    tmp_path_factory: pytest.TempPathFactory, story: list[Any]
) -> None:
    catalog = fresh_catalog(tmp_path_factory.mktemp("catalog"))
    naive = NaiveCatalog()
    ids: dict[int, int] = {}
    for at, (verb, what, how) in enumerate(story, start=1):
        if verb == "decide":
            if what in naive.devices:
                naive.devices[what] = how
                catalog.decide(what, how)
            continue
        # Within a batch, ids mean what was there before it; names may be new.
        known = {ours: theirs for theirs, ours in ids.items()}
        batch = [s for s in what if s.datastream_id is None or s.datastream_id in known]
        theirs = [
            Series(datastream_id=known[s.datastream_id], unit=s.unit, properties=s.properties)
            if s.datastream_id is not None
            else s
            for s in batch
        ]
        expected = naive.enrol(batch, how, at * 100)
        answers = catalog.enrol(theirs, how, at * 100)
        assert [a.datastream is None for a in answers] == [e is None for e in expected]
        assert all(bool(a.reason) == (a.datastream is None) for a in answers)
        for answer, id_ in zip(answers, expected, strict=True):
            if answer.datastream is not None and id_ is not None:
                assert ids.setdefault(answer.datastream, id_) == id_
    infos = {ids[info.id]: info for info in catalog.datastreams(limit=1000)}
    assert len(infos) == len(naive.streams)
    for stream in naive.streams:
        info, thing = infos[stream.id], naive.things[stream.thing]
        assert info.thing == stream.thing
        assert info.name.startswith(f"{stream.thing}.{stream.name}")
        assert info.observed_property == stream.observed_property
        assert info.observation_type is stream.observation_type
        assert (info.unit, info.sensor) == (stream.unit, stream.sensor)
        assert info.properties == stream.properties
        assert info.thing_properties == thing.properties
        assert info.location == thing.location
        for word in (stream.name, stream.unit.name, stream.observed_property, *stream.properties):
            assert info.id in [i.id for i in catalog.datastreams(word.upper(), limit=1000)]
    assert {d.name: d.status for d in catalog.devices()} == naive.devices
    assert history(catalog) == {n: t.positions for n, t in naive.things.items() if t.positions}
    assert current(catalog) == {n: t.location for n, t in naive.things.items() if t.location}
    catalog.close()


def test_many_threads_enrol_and_read_at_once(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path)
    found: list[list[int | None]] = []
    problems: list[BaseException] = []
    start = threading.Barrier(6)

    def work(at: int) -> None:
        try:
            start.wait()
            for turn in range(10):
                batch = [Series(thing=f"t{n}", name=f"n{turn}") for n in range(20)]
                found.append([a.datastream for a in catalog.enrol(batch, Policy.AUTOMATIC, at)])
                assert catalog.count_datastreams() >= 20
                assert len(catalog.datastreams(f"n{turn}")) == 20
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert catalog.count_datastreams() == 200
    assert len({tuple(ids) for ids in found}) == 10
    catalog.close()


def test_no_more_devices_wait_than_are_allowed(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path, CatalogSettings(max_pending_devices=3))
    batch = [Series(thing=f"t{n}", name="x") for n in range(5)]
    for _ in range(2):
        answers = catalog.enrol(batch, Policy.APPROVAL, 1)
        assert all(answer.datastream is None and answer.reason for answer in answers)
        assert len(catalog.devices(DeviceStatus.PENDING)) == 3
    catalog.decide("t0", DeviceStatus.ENROLLED)
    catalog.enrol(batch, Policy.APPROVAL, 2)
    assert [d.name for d in catalog.devices(DeviceStatus.PENDING)] == ["t1", "t2", "t3"]
    catalog.close()


def test_a_device_cannot_be_made_to_wait_again(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path)
    catalog.enrol([Series(thing="t", name="x")], Policy.AUTOMATIC, 1)
    with pytest.raises(InvalidInput):
        catalog.decide("t", DeviceStatus.PENDING)
    catalog.close()


def test_names_that_look_alike_keep_their_numbers(tmp_path: Path) -> None:
    catalog = fresh_catalog(tmp_path)
    pairs = [("a", "b.c.d"), ("a.b", "c.d"), ("a.b.c", "d"), ("a", "b.c.d~2")]
    for _ in range(2):
        for thing, name in pairs:
            catalog.enrol([Series(thing=thing, name=name)], Policy.AUTOMATIC, 1)
    names = [info.name for info in catalog.datastreams()]
    assert names == ["a.b.c.d", "a.b.c.d~2", "a.b.c.d~3", "a.b.c.d~2~2"]
    catalog.close()


def test_of_several_of_one_name_the_oldest_is_meant_and_an_id_means_its_own(
    tmp_path: Path,
) -> None:
    catalog = fresh_catalog(tmp_path)
    first = catalog.enrol([Series(thing="a", name="x")], Policy.AUTOMATIC, 1)[0].datastream
    with catalog.database.write() as connection:
        for table in ("sensor", "observed_property", "thing"):
            connection.exec_driver_sql(f"CREATE TEMP TABLE copy_{table} AS SELECT * FROM {table}")
            connection.exec_driver_sql(f"UPDATE copy_{table} SET id = id + 10")
            connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM copy_{table}")
        connection.exec_driver_sql("CREATE TEMP TABLE copied AS SELECT * FROM datastream")
        connection.exec_driver_sql("UPDATE copied SET id = id + 10, thing_id = thing_id + 10")
        connection.exec_driver_sql("INSERT INTO datastream SELECT * FROM copied")
    both = [
        Series(datastream_id=11, properties={"seen": True}),
        Series(thing="a", name="x", location=(1.0, 2.0)),
        Series(thing="a", name="new"),
    ]
    answers = [one.datastream for one in catalog.enrol(both, Policy.AUTOMATIC, 2)]
    assert answers[:2] == [11, first]
    known = {info.id: info for info in catalog.datastreams()}
    assert known[11].properties == {"seen": True}
    assert known[first or 0].location == (1.0, 2.0)
    assert known[answers[2] or 0].thing_id == known[first or 0].thing_id
    assert known[11].location is None
    catalog.close()
