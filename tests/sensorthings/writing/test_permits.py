"""Who may write what: the same decisions as everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.catalog.systems import add_systems
from tests.sensorthings.writing.bodies import (
    FEATURE,
    LOCATION,
    PROPERTY,
    SENSOR,
    datastream,
    thing,
)
from tests.sensorthings.writing.site import Site

from penstock.core.access import ANYONE, Access, Action, Kind, Principal, Resource
from penstock.core.errors import Forbidden, InvalidInput, NotFound, Unauthenticated
from penstock.core.organisation import Client, Company, Grant, Organisation, System, User

ADMINISTRATOR, TWO, THREE, BOTH = (Principal(Kind.USER, id_) for id_ in (1, 2, 3, 4))
CLIENT, READER = Principal(Kind.CLIENT, 1), Principal(Kind.CLIENT, 2)

ORGANISATION = Organisation(
    accounts=True,
    users=[
        User(id=1, name="root", administrator=True),
        User(id=2, name="two"),
        User(id=3, name="three"),
        User(id=4, name="both"),
    ],
    companies=[Company(id=1, name="c")],
    systems=[
        System(id=1, company=1, name="default"),
        System(id=2, company=1, name="a.b.c.s2", agents=frozenset({2, 4})),
        System(id=3, company=1, name="a.b.c.s3", agents=frozenset({3, 4})),
    ],
    clients=[
        Client(id=1, system=2, name="writes"),
        Client(id=2, system=2, name="reads", may_write=False),
    ],
    grants=[Grant(id=1, owner=2, reader=3)],
)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Site]:
    """A Thing of system 2 that system 3 may read."""
    site = Site(tmp_path, ORGANISATION)
    add_systems(site.catalog, 2, 3)
    site.ask("post", "Things", thing(datastream()), who=TWO)
    yield site
    site.close()


def test_what_is_made_belongs_to_the_system_of_who_makes_it(shared: Site) -> None:
    assert shared.entities.system_of("Datastream", 1) == 2
    shared.ask("post", "Things", thing(name="by a client"), who=CLIENT)
    assert shared.entities.system_of("Thing", 2) == 2
    with pytest.raises(InvalidInput, match=r"a\.b\.c\.s2, a\.b\.c\.s3"):
        shared.ask("post", "Things", thing(), who=BOTH)
    shared.ask("post", "Things?system=a.b.c.s3", thing(), who=BOTH)
    assert shared.entities.system_of("Thing", 3) == 3
    shared.ask("post", "Datastreams(1)/Observations", {"result": 1}, who=CLIENT)
    assert shared.published[-1][0] == "a.b.c.s2/import/sensorthings"
    assert [row["result"] for row in shared.observations(1)] == [1]


@pytest.mark.parametrize(
    ("who", "method", "url", "body", "problem"),
    [
        (ANYONE, "post", "Things", thing(), Unauthenticated),
        (ANYONE, "post", "Datastreams(1)/Observations", {"result": 1}, Unauthenticated),
        (READER, "post", "Things", thing(), Forbidden),
        (READER, "post", "Datastreams(1)/Observations", {"result": 1}, Forbidden),
        (THREE, "post", "Datastreams(1)/Observations", {"result": 1}, Forbidden),
        (THREE, "post", "Things(1)/Datastreams", datastream(), Forbidden),
        (THREE, "patch", "Things(1)", {"name": "mine"}, Forbidden),
        (THREE, "delete", "Things(1)", None, Forbidden),
        (THREE, "patch", "Sensors(1)", {"name": "mine"}, Forbidden),
        (THREE, "delete", "Locations(1)", None, Forbidden),
        (THREE, "delete", "ObservedProperties(1)", None, Forbidden),
        (THREE, "delete", "Things?$filter=name%20eq%20'Boiler'", None, Forbidden),
        (THREE, "post", "Things(1)/Locations/$ref", {"@iot.id": 1}, Forbidden),
        (THREE, "post", "Things?system=a.b.c.s2", thing(), Forbidden),
        (THREE, "post", "Things?system=default", thing(), NotFound),
        (CLIENT, "delete", "Things(1)", None, Forbidden),
        (TWO, "post", "Things?system=no", thing(), NotFound),
        (BOTH, "post", "Things?system=a.b.c.s3", thing({**datastream(), "Thing": None}), None),
    ],
)
def test_what_may_not_be_written_stays_as_it_is(
    shared: Site,
    who: Principal,
    method: str,
    url: str,
    body: object,
    problem: type[Exception] | None,
) -> None:
    if problem is None:
        assert shared.ask(method, url, body, who=who).status == 201
        return
    with pytest.raises(problem):
        shared.ask(method, url, body, who=who)
    assert shared.row("Thing", 1)["name"] == "Boiler"
    assert shared.row("Sensor", 1)["name"] == "DS18B20"
    assert (shared.count("Thing"), shared.count("Datastream")) == (1, 1)
    assert shared.observations(1) == []


def test_what_cannot_be_read_cannot_be_linked_nor_written_to(shared: Site) -> None:
    shared.ask("post", "Things", thing(datastream(), name="theirs"), who=THREE)
    with pytest.raises(NotFound):
        shared.ask("post", "Datastreams(2)/Observations", {"result": 1}, who=TWO)
    with pytest.raises(NotFound):
        shared.ask("patch", "Things(2)", {"name": "x"}, who=TWO)
    body = datastream(Thing={"@iot.id": 1}, Sensor={"@iot.id": 2})
    with pytest.raises(NotFound, match="Sensor"):
        shared.ask("post", "Datastreams", body, who=TWO)
    arrays = [{"Datastream": {"@iot.id": 2}, "components": ["result"], "dataArray": [[1]]}]
    answer = shared.ask("post", "CreateObservations", arrays, who=TWO)
    assert answer.body.startswith(b'["error')
    assert shared.observations(2) == []


def test_nobody_changes_what_others_see_too(shared: Site) -> None:
    for set_name, body in (("Sensors", SENSOR), ("ObservedProperties", PROPERTY)):
        shared.ask("post", set_name, {**body, "name": "own"}, who=THREE)
        shared.ask("patch", f"{set_name}(2)", {"name": "changed"}, who=THREE)
    mine = datastream(Thing={"@iot.id": 1}, Sensor={"@iot.id": 1}, ObservedProperty={"@iot.id": 1})
    shared.ask("post", "Things?system=a.b.c.s3", thing(name="t3"), who=BOTH)
    shared.ask("post", "Datastreams", {**mine, "Thing": {"@iot.id": 2}}, who=BOTH)
    for who in (TWO, THREE):
        with pytest.raises(Forbidden):
            shared.ask("patch", "Sensors(1)", {"name": "changed"}, who=who)
    shared.ask("patch", "Sensors(1)", {"name": "changed"}, who=BOTH)
    shared.ask("patch", "Sensors(1)", {"name": "again"}, who=ADMINISTRATOR)


def test_a_feature_is_changed_by_those_whose_observations_are_of_it(shared: Site) -> None:
    body = {"result": 1, "FeatureOfInterest": FEATURE}
    shared.ask("post", "Datastreams(1)/Observations", body, who=TWO)
    with pytest.raises(Forbidden):
        shared.ask("delete", "FeaturesOfInterest(1)", who=THREE)
    assert len(shared.observations(1)) == 1
    shared.ask("delete", "FeaturesOfInterest(1)", who=TWO)
    assert shared.observations(1) == []
    shared.ask("post", "Locations", LOCATION, who=TWO)


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("post", "Sensors(2)/Datastreams/$ref", {"@iot.id": 1}),
        ("patch", "Sensors(2)", {"Datastreams": [{"@iot.id": 1}]}),
        ("patch", "ObservedProperties(2)", {"Datastreams": [{"@iot.id": 1}]}),
        ("post", "Locations(2)/Things/$ref", {"@iot.id": 1}),
        ("patch", "Locations(2)", {"Things": [{"@iot.id": 1}]}),
        ("patch", "Locations(2)", {"HistoricalLocations": [{"@iot.id": 1}]}),
    ],
)
def test_what_others_have_is_not_linked_to_ones_own(
    shared: Site, method: str, url: str, body: object
) -> None:
    for set_name, own in (
        ("Sensors", SENSOR),
        ("ObservedProperties", PROPERTY),
        ("Locations", LOCATION),
    ):
        shared.ask("post", set_name, own, who=THREE)
    with pytest.raises(Forbidden):
        shared.ask(method, url, body, who=THREE)
    row = shared.row("Datastream", 1, "Sensor", "ObservedProperty")
    assert (row["Sensor@iot.id"], row["ObservedProperty@iot.id"]) == (1, 1)


def test_who_may_write_and_not_delete_has_a_group_taken_back(shared: Site) -> None:
    requests = [
        {"id": "1", "atomicityGroup": "g", "method": "post", "url": "Things", "body": thing()},
        {"id": "2", "atomicityGroup": "g", "method": "post", "url": "Things", "body": {}},
        {"id": "3", "method": "get", "url": "Things(1)"},
    ]
    answer = shared.ask("post", "$batch", {"requests": requests}, who=CLIENT)
    found = msgspec.json.decode(answer.body)["responses"]
    assert [one["status"] for one in found] == [424, 400, 200]
    assert shared.count("Thing") == 1


@pytest.mark.parametrize(
    ("made", "body", "link", "target"),
    [
        ("Locations", LOCATION, "Things", "Thing"),
        ("Sensors", SENSOR, "Datastreams", "Datastream"),
        ("ObservedProperties", PROPERTY, "Datastreams", "Datastream"),
    ],
)
def test_who_may_only_read_something_cannot_link_it_to_what_is_theirs(
    shared: Site, made: str, body: dict[str, object], link: str, target: str
) -> None:
    own = shared.ask("post", made, body, who=THREE).headers["Location"].rpartition("/")[2]
    with pytest.raises(Forbidden):
        shared.ask("patch", own, {link: [{"@iot.id": 1}]}, who=THREE)
    with pytest.raises(Forbidden):
        shared.ask("post", f"{own}/{link}/$ref", {"@iot.id": 1}, who=THREE)
    # Nothing is linked to it, so it is its maker's alone.
    with pytest.raises(NotFound):
        shared.ask("patch", own, {link: [{"@iot.id": 1}]}, who=TWO)
    assert shared.entities.system_of(target, 1) == 2


class WritesOnly(Access):
    """Lets nobody command anything."""

    def allows(self, who: Principal, action: Action, what: Resource) -> bool:
        return action is not Action.COMMAND and super().allows(who, action, what)


def test_a_task_is_changed_by_who_may_command(shared: Site) -> None:
    capability = {
        "name": "open",
        "description": "",
        "taskingParameters": {"type": "DataRecord", "field": []},
        "Actuator": {**SENSOR, "name": "valve"},
        "Thing": {"@iot.id": 1},
    }
    shared.ask("post", "TaskingCapabilities", capability, who=TWO)
    task = {"taskingParameters": {"by": 1}, "TaskingCapability": {"@iot.id": 1}}
    shared.ask("post", "Tasks", task, who=TWO)
    shared.access = WritesOnly(ORGANISATION, shared.clock)
    for method in ("patch", "put"):
        with pytest.raises(Forbidden):
            shared.ask(method, "Tasks(1)", {**task, "taskingParameters": {"by": 2}}, who=TWO)
    assert shared.row("Task", 1)["taskingParameters"] == {"by": 1}
