"""A device with a topic of its own: what names that topic is its own, and nobody else's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalog.systems import add_systems
from tests.catalog.template import fresh_catalog

from penstock.catalog import SqlCatalog
from penstock.catalog.devices.records import SqlDevices
from penstock.catalog.devices.tasks import SqlTasks
from penstock.core.access import Scope
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.clock import SystemClock
from penstock.core.commands import DeviceType
from penstock.core.devices import Device, DeviceFacts
from penstock.core.series import Series

ALL = Scope(everything=True)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    made = fresh_catalog(tmp_path)
    add_systems(made, 2, 3)
    yield made
    made.close()


def fleet(catalog: SqlCatalog) -> SqlDevices:
    return SqlDevices(catalog._database, 100, SystemClock())


def register(catalog: SqlCatalog, name: str, topic: str, system: int = 1) -> Device:
    facts = DeviceFacts(name=name, system=system, topic=topic)
    return fleet(catalog).register([facts], Policy.AUTOMATIC, 1)[0]


def enrol(catalog: SqlCatalog, *series: Series, policy: Policy = Policy.AUTOMATIC) -> list[str]:
    """Return the full name of each Datastream, or the reason why there is none."""
    answers = catalog.enrol(series, policy, 2)
    names = {one.id: one.name for one in catalog.datastreams(limit=1000)}
    return [names[a.datastream] if a.datastream else a.reason for a in answers]


def names(catalog: SqlCatalog) -> list[str]:
    return [one.name for one in fleet(catalog).devices(ALL)]


def temperature(thing: str, system: int = 1) -> Series:
    return Series(thing=thing, name="temperature", system=system)


@pytest.mark.parametrize("policy", Policy)
def test_a_number_below_the_topic_of_a_device_is_its_own(
    catalog: SqlCatalog, policy: Policy
) -> None:
    register(catalog, "boiler-7", "plant/boiler-7")
    found = enrol(catalog, temperature("plant/boiler-7"), temperature("boiler-7"), policy=policy)
    assert found == ["boiler-7.temperature"] * 2
    assert names(catalog) == ["boiler-7"]


@pytest.mark.parametrize("topic", ["a.b.c.s2/plant/boiler-7", "plant/boiler-7"])
def test_the_topic_may_or_may_not_begin_with_the_name_of_the_system(
    catalog: SqlCatalog, topic: str
) -> None:
    register(catalog, "a.b.c.s2.boiler-7", topic, system=2)
    found = enrol(catalog, temperature("a.b.c.s2.plant/boiler-7", 2))
    assert found == ["a.b.c.s2.boiler-7.temperature"]


def test_a_topic_of_another_systems_device_means_nothing(catalog: SqlCatalog) -> None:
    register(catalog, "boiler-7", "plant/boiler-7", system=2)
    enrol(catalog, temperature("plant/boiler-7", 1), temperature("plant/boiler-7", 3))
    owned = {(one.system, one.name) for one in fleet(catalog).devices(ALL)}
    assert owned == {(2, "boiler-7"), (1, "plant/boiler-7"), (3, "plant/boiler-7")}


def test_a_device_or_thing_of_that_very_name_is_meant_first(catalog: SqlCatalog) -> None:
    enrol(catalog, temperature("plant/boiler-7"))
    register(catalog, "boiler-7", "plant/boiler-7")
    assert enrol(catalog, temperature("plant/boiler-7")) == ["plant/boiler-7.temperature"]


def test_what_a_deleted_device_left_behind_is_not_meant(catalog: SqlCatalog) -> None:
    enrol(catalog, temperature("plant/boiler-7"))
    fleet(catalog).remove(1, "plant/boiler-7", with_data=False)
    register(catalog, "boiler-7", "plant/boiler-7")
    assert enrol(catalog, temperature("plant/boiler-7")) == ["boiler-7.temperature"]


def test_a_device_that_leaves_still_keeps_its_name(catalog: SqlCatalog) -> None:
    enrol(catalog, temperature("plant/boiler-7"))
    register(catalog, "boiler-7", "plant/boiler-7")
    fleet(catalog).remove(1, "plant/boiler-7", with_data=True)
    (answer,) = catalog.enrol([temperature("plant/boiler-7")], Policy.AUTOMATIC, 2)
    assert answer.is_late
    fleet(catalog).left([(1, "plant/boiler-7")])
    assert enrol(catalog, temperature("plant/boiler-7")) == ["boiler-7.temperature"]


def test_a_deleted_devices_topic_means_nothing(catalog: SqlCatalog) -> None:
    register(catalog, "boiler-7", "plant/boiler-7")
    fleet(catalog).remove(1, "boiler-7", with_data=False)
    assert enrol(catalog, temperature("plant/boiler-7")) == ["plant/boiler-7.temperature"]


def test_a_refused_device_is_refused_by_its_topic_too(catalog: SqlCatalog) -> None:
    register(catalog, "boiler-7", "plant/boiler-7")
    fleet(catalog).decide(1, "boiler-7", DeviceStatus.REFUSED)
    (answer,) = catalog.enrol([temperature("plant/boiler-7")], Policy.AUTOMATIC, 2)
    assert (answer.datastream, answer.device) == (None, "boiler-7")
    assert names(catalog) == ["boiler-7"]


@pytest.mark.parametrize(
    ("template", "topic", "own"),
    [
        ("plant/{name}", "plant/boiler-7", True),
        ("plant/{name}/main", "plant/boiler-7/main", True),
        ("plant/{name}", "plant/boiler-8", False),
        ("plant/{name}", "plant/", False),
        ("{name}", "plant/boiler-7", False),
    ],
)
@pytest.mark.parametrize("system", [1, 2])
def test_a_number_below_the_topic_of_a_devices_type_is_its_own(
    catalog: SqlCatalog, template: str, topic: str, system: int, *, own: bool
) -> None:
    label = "a.b.c.s2." if system == 2 else ""
    SqlTasks(catalog._database).declare(DeviceType(name="boiler", topic=template))
    facts = DeviceFacts(name=f"{label}boiler-7", system=system, type="boiler")
    fleet(catalog).register([facts], Policy.AUTOMATIC, 1)
    elsewhere = DeviceFacts(name=f"{label}boiler-8", system=system, type="boiler", topic="x")
    fleet(catalog).register([elsewhere], Policy.AUTOMATIC, 1)
    found = enrol(catalog, temperature(f"{label}{topic}", system))
    assert found == [f"{label}{'boiler-7' if own else topic}.temperature"]
    # Another system's device is another one.
    other = 3 if system == 2 else 2
    (name,) = enrol(catalog, temperature(topic, other))
    assert name.removesuffix("~2") == f"{topic}.temperature"


@given(
    st.lists(st.sampled_from(["boiler-7", "plant/boiler-7", "other", "plant/other"]), min_size=1),
    st.lists(st.integers(0, 8), max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_any_batching_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, things: Sequence[str], cuts: Sequence[int]
) -> None:
    catalog = fresh_catalog(tmp_path_factory.mktemp("batches"))
    register(catalog, "boiler-7", "plant/boiler-7")
    found: list[str] = []
    bounds = [0, *sorted(cuts), len(things)]
    for start, end in itertools.pairwise(bounds):
        found += enrol(catalog, *map(temperature, things[start:end]))
    meant = ["boiler-7" if thing == "plant/boiler-7" else thing for thing in things]
    assert found == [f"{thing}.temperature" for thing in meant]
    assert set(names(catalog)) == {"boiler-7", *meant}
    catalog.close()
