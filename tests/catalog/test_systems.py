"""Things and Datastreams belong to systems, and no message of one reaches those of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.catalog.systems import add_systems, owners
from tests.catalog.template import fresh_catalog

from penstock.catalog import SqlCatalog
from penstock.catalog.models import Device, ObservedProperty, Sensor
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.registration import (
    DatastreamFacts,
    PropertyFacts,
    Registration,
    SensorFacts,
    ThingFacts,
)
from penstock.core.series import Series


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    made = fresh_catalog(tmp_path)
    add_systems(made, 2, 3)
    yield made
    made.close()


def test_equal_names_in_different_systems_are_different_things(catalog: SqlCatalog) -> None:
    series = [Series(thing="boiler", name="t", system=system) for system in (1, 2, 3, 2)]
    ids = [answer.datastream for answer in catalog.enrol(series, Policy.AUTOMATIC, 1)]
    assert len(set(ids)) == 3
    assert ids[1] == ids[3]
    assert owners(catalog) == {ids[0]: 1, ids[1]: 2, ids[2]: 3}


def test_an_id_of_another_system_is_as_good_as_none(catalog: SqlCatalog) -> None:
    (mine,) = catalog.enrol([Series(thing="boiler", name="t", system=2)], Policy.AUTOMATIC, 1)
    for system in (1, 3):
        given_ = [Series(datastream_id=mine.datastream, system=system, properties={"spoiled": 1})]
        (answer,) = catalog.enrol(given_, Policy.AUTOMATIC, 2)
        assert answer.datastream is None
        assert f"no datastream with id {mine.datastream} in the system" in answer.reason
    (info,) = catalog.datastreams(ids=[mine.datastream])
    assert info.properties == {}
    again = Series(datastream_id=mine.datastream, system=2)
    assert catalog.enrol([again], Policy.AUTOMATIC, 3) == [mine]


def test_devices_wait_for_each_system_apart(catalog: SqlCatalog) -> None:
    series = [Series(thing="boiler", name="t", system=system) for system in (1, 2)]
    for answer in catalog.enrol(series, Policy.APPROVAL, 1):
        assert answer.datastream is None
        assert "waits for approval" in answer.reason
    with catalog._database.read() as connection:
        rows = connection.execute(select(Device.system_id, Device.name, Device.status)).all()
    assert sorted(rows) == [
        (1, "boiler", DeviceStatus.PENDING),
        (2, "boiler", DeviceStatus.PENDING),
    ]


def test_what_is_registered_belongs_to_the_system_it_is_registered_for(catalog: SqlCatalog) -> None:
    wanted = Registration(
        system=2,
        things=[ThingFacts(name="boiler", properties={"site": 1})],
        datastreams=[DatastreamFacts(series=Series(thing="boiler", name="t", system=3))],
    )
    (id_,) = catalog.register(wanted, 1)
    assert owners(catalog) == {id_: 2}


def test_what_systems_share_by_name_is_changed_by_none_of_them(catalog: SqlCatalog) -> None:
    def register(system: int, text: str) -> None:
        series = Series(thing="car", name="t", sensor="PT100", observed_property="air")
        wanted = Registration(
            system=system,
            sensors=[SensorFacts(name="PT100", description=text, metadata=text)],
            observed_properties=[PropertyFacts(name="air", definition=text)],
            datastreams=[DatastreamFacts(series=series)],
        )
        catalog.register(wanted, 1)

    register(2, "first")
    register(2, "its own, told better")
    register(3, "somebody else's")
    with catalog._database.read() as connection:
        sensor = connection.execute(select(Sensor.description, Sensor.sensor_metadata)).one()
        definition = connection.execute(select(ObservedProperty.definition)).scalar_one()
    assert (*sensor, definition) == ("its own, told better",) * 3


@settings(max_examples=60, deadline=None)
@given(
    batches=st.lists(
        st.lists(
            st.one_of(
                st.builds(
                    Series,
                    thing=st.sampled_from(["a", "b"]),
                    name=st.sampled_from(["x", "y"]),
                    system=st.integers(1, 3),
                ),
                st.builds(Series, datastream_id=st.integers(1, 8), system=st.integers(1, 3)),
            ),
            max_size=5,
        ),
        max_size=6,
    )
)
def test_whatever_is_enrolled_a_series_gets_a_datastream_of_its_own_system_or_none(
    batches: list[list[Series]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    catalog = fresh_catalog(tmp_path_factory.mktemp("catalog"))
    add_systems(catalog, 2, 3)
    for batch in batches:
        answers = catalog.enrol(batch, Policy.AUTOMATIC, 1)
        held = owners(catalog)
        for series, answer in zip(batch, answers, strict=True):
            if answer.datastream is None:
                assert series.datastream_id is not None
            else:
                assert held[answer.datastream] == series.system
                assert series.datastream_id in (None, answer.datastream)
    catalog.close()
