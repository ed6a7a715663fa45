"""MQTT receive below the network: topics, what is told, and that nothing is done for nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update
from tests.any_store import empty_store
from tests.catalog.systems import add_systems
from tests.catalog.template import fresh_catalog

from penstock.catalog.entities.sql_entities import SqlEntities
from penstock.catalog.models import Thing
from penstock.core.access import Access
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.entities import New
from penstock.core.errors import PenstockError
from penstock.core.organisation import DEFAULT_SYSTEM, Company, Organisation, System
from penstock.core.series import Series
from penstock.ingest.live import LiveHub
from penstock.runtime.things import make_notifier, make_things
from penstock.sensorthings import mqtt_notifying
from penstock.sensorthings.mqtt_changes import Change, TellingWriter
from penstock.sensorthings.mqtt_topics import read_topic
from penstock.sensorthings.settings import ThingsSettings

NAMED = {"name": "oven", "description": "an oven"}


@pytest.mark.parametrize(
    ("topic", "type_", "system", "parent"),
    [
        ("v1.1/Things", "Thing", "", ""),
        ("v1.1/Things(1)/Datastreams(2)/Thing", "Thing", "", "Things(1)/Datastreams(2)"),
        ("a.b.c.d/v1.1/Datastreams(7)/Thing", "Thing", "a.b.c.d", "Datastreams(7)"),
        ("v1.1/Things(1)/properties/a/b", "Thing", "", ""),
        ("v1.1/Observations?$select=result,id", "Observation", "", ""),
    ],
)  # fmt: skip
def test_topics_are_read(topic: str, type_: str, system: str, parent: str) -> None:
    found = read_topic(topic)
    assert (found.type, found.system, found.parent) == (type_, system, parent)


@pytest.mark.parametrize(
    "topic",
    ["v1.1/Nothing", "v1.1/Things?$select=nothing", "v1.1/", "v1.1/Things/$count", "v1.1/$batch"],
)
def test_topics_that_lead_nowhere_are_refused(topic: str) -> None:
    with pytest.raises(PenstockError):
        read_topic(topic)


def test_what_is_made_within_is_told_and_what_is_linked_is_not(tmp_path: Path) -> None:
    catalog, clock = fresh_catalog(tmp_path), ManualClock()
    told: list[Change] = []
    writer = TellingWriter(SqlEntities(catalog.database, clock), told.extend)
    point = {"type": "Point", "coordinates": [8, 49]}
    place = New(
        type="Location",
        values={**NAMED, "encodingType": "application/geo+json", "location": point},
    )
    made = writer.create(
        New(type="Thing", values=NAMED, links={"Locations": [place]}), DEFAULT_SYSTEM, 1
    )
    inner = made.nested["Locations"][0].id
    assert [(one.type, one.id) for one in told] == [("Thing", made.id), ("Location", inner)]
    told.clear()
    change = New(type="Thing", values={"name": "stove"}, links={"Locations": [inner]})
    writer.update(made.id, change, None, 2)
    assert told == [Change("Thing", made.id, frozenset({"name"}), frozenset({"Locations"}))]
    catalog.close()


async def test_observations_are_watched_only_while_somebody_listens(tmp_path: Path) -> None:
    catalog, clock, live = fresh_catalog(tmp_path), ManualClock(), LiveHub()
    access = Access(Organisation(), clock)
    notifier = make_notifier(
        make_things(catalog, clock, ThingsSettings()),
        catalog=catalog,
        store=empty_store(),
        live=live,
        clock=clock,
        access=lambda: access,
        door=lambda: None,
        secret="",
        address=lambda: "http://localhost",
    )
    notifier.start()
    counts = []
    for topics in ({"v1.1/Things"}, {"v1.1/Things", "v1.1/Observations"}, {"v1.1/Things"}, set()):
        notifier._listen(frozenset(topics))
        await asyncio.sleep(0)
        counts.append((live.watchers, notifier.is_wanted("Thing")))
    assert counts == [(0, True), (1, True), (0, True), (0, False)]
    notifier.close()
    await asyncio.sleep(0)
    catalog.close()


def test_a_topic_is_about_the_system_that_its_subscribers_are_of(tmp_path: Path) -> None:
    catalog, clock, live = fresh_catalog(tmp_path), ManualClock(), LiveHub()
    systems = [
        System(id=DEFAULT_SYSTEM, company=1, name="default"),
        System(id=2, company=1, name="a.b.c.d", topics=["v1.1/#"]),
    ]
    companies = [Company(id=1, name="a.b")]
    access = Access(Organisation(accounts=True, companies=companies, systems=systems), clock)
    notifier = make_notifier(
        make_things(catalog, clock, ThingsSettings()),
        catalog=catalog,
        store=empty_store(),
        live=live,
        clock=clock,
        access=lambda: access,
        door=lambda: None,
        secret="",
        address=lambda: "http://localhost",
    )
    about = {
        topic: notifier._scope(read_topic(topic)).systems
        for topic in ("v1.1/Things", "a.b.c.d/v1.1/Things", "a.b.c.gone/v1.1/Things")
    }
    assert list(about.values()) == [{2}, {2}, frozenset()]
    catalog.close()


def test_the_system_of_a_datastream_is_asked_anew_when_the_organisation_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, clock, live = fresh_catalog(tmp_path), ManualClock(), LiveHub()
    add_systems(catalog, 2)
    for name in ("a", "b", "c"):
        catalog.enrol([Series(thing=name, name="t")], Policy.AUTOMATIC, 1)
    access = Access(Organisation(), clock)
    notifier = make_notifier(
        make_things(catalog, clock, ThingsSettings()),
        catalog=catalog,
        store=empty_store(),
        live=live,
        clock=clock,
        access=lambda: access,
        door=lambda: None,
        secret="",
        address=lambda: "http://localhost",
    )
    monkeypatch.setattr(mqtt_notifying, "MAX_SYSTEMS", 2)
    for datastream in (1, 2, 3, 1, 2):
        assert notifier._system_of(datastream) == DEFAULT_SYSTEM
        assert len(notifier._systems) <= 2
    with catalog._database.write() as connection:
        connection.execute(update(Thing).values(system_id=2))
    assert notifier._system_of(2) == DEFAULT_SYSTEM
    access = Access(Organisation(), clock)
    assert [notifier._system_of(one) for one in (1, 2, 3)] == [2, 2, 2]
    catalog.close()
