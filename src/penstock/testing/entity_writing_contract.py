"""What any catalog must do when SensorThings entities are written.

Derive from `EntityWritingContract` and give it an `entities` fixture: something empty that reads
and writes, and that knows the systems 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from penstock.core.access import EVERYTHING
from penstock.core.entities import (
    NOWHERE,
    EntityReader,
    EntityWriter,
    FeatureRecords,
    Identity,
    Made,
    MovedObservations,
    New,
    Query,
    Row,
    Step,
)
from penstock.core.entity_types import TYPES
from penstock.core.errors import Forbidden, InvalidInput, NotFound
from penstock.core.unfinished import UnfinishedWrites
from penstock.testing.entities_contract import (
    MEASUREMENT,
    NOW_US,
    multi,
    observed,
    place,
    plain,
    sensor,
    stream,
    thing,
)

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=3,
)
_OBJECT = st.dictionaries(_TEXT, _JSON, max_size=2)
_UNIT = st.fixed_dictionaries(
    {name: _TEXT | st.none() for name in ("name", "symbol", "definition")}
) | st.dictionaries(_TEXT, _JSON, max_size=2)
_NAMED = {
    "name": st.sampled_from(["a", "ä.b", "~2", "n" * 700]) | _TEXT.filter(bool),
    "description": _TEXT,
}
_ENCODED = {**_NAMED, "encodingType": _TEXT, "properties": _OBJECT}
_GEOMETRY = st.tuples(st.integers(-180, 180), st.integers(-90, 90)).map(
    lambda point: {"type": "Point", "coordinates": list(point)}
)


def _made_of(type_: str, **values: st.SearchStrategy[object]) -> st.SearchStrategy[New]:
    return st.fixed_dictionaries(values).map(lambda found: New(type=type_, values=found))


_SENSORS = _made_of(
    "Sensor", **_ENCODED, metadata=_TEXT | _JSON.filter(lambda one: one is not None)
)
_OBSERVED = _made_of("ObservedProperty", **_NAMED, definition=_TEXT, properties=_OBJECT)
_PLACES = _made_of("Location", **_ENCODED, location=_GEOMETRY | _OBJECT)
_VISITS = st.builds(
    lambda at, there: New(
        type="HistoricalLocation", values={"time": at}, links={"Locations": there}
    ),
    st.integers(0, NOW_US),
    st.lists(_PLACES, min_size=1, max_size=2),
)


@st.composite
def _streams(draw: st.DrawFn) -> New:
    values = {
        **draw(st.fixed_dictionaries(_NAMED)),
        "observationType": draw(st.sampled_from(["urn:other", MEASUREMENT]) | _TEXT.filter(bool)),
        "properties": draw(_OBJECT),
        "unitOfMeasurement": draw(_UNIT),
    }
    links = {"Sensor": [draw(_SENSORS)], "ObservedProperty": [draw(_OBSERVED)]}
    return New(type="Datastream", values=values, links=links)


@st.composite
def _multis(draw: st.DrawFn) -> New:
    properties = draw(st.lists(_OBSERVED, min_size=1, max_size=3))
    count = len(properties)
    values = {
        **draw(st.fixed_dictionaries(_NAMED)),
        "observationType": "urn:many",
        "properties": draw(_OBJECT),
        "multiObservationDataTypes": draw(st.lists(_TEXT, min_size=count, max_size=count)),
        "unitOfMeasurements": draw(st.lists(_UNIT, min_size=count, max_size=count)),
    }
    links = {"Sensor": [draw(_SENSORS)], "ObservedProperties": properties}
    return New(type="MultiDatastream", values=values, links=links)


@st.composite
def deep_things(draw: st.DrawFn) -> New:
    """Give Things with all that can be within one."""
    links = {
        "Locations": draw(st.lists(_PLACES, max_size=2)),
        "HistoricalLocations": draw(st.lists(_VISITS, max_size=2)),
        "Datastreams": draw(st.lists(_streams(), max_size=2)),
        "MultiDatastreams": draw(st.lists(_multis(), max_size=1)),
    }
    values = {**draw(st.fixed_dictionaries(_NAMED)), "properties": draw(_OBJECT)}
    return New(type="Thing", values=values, links={k: v for k, v in links.items() if v})


class Entities(
    EntityReader, EntityWriter, FeatureRecords, MovedObservations, UnfinishedWrites, Protocol
):
    """Reads and writes, and knows features and what moved."""


class EntityWritingContract:
    """Promises of `EntityWriter`, `FeatureRecords` and `MovedObservations`."""

    @pytest.fixture
    def entities(self) -> Iterator[Entities]:
        """Give something empty that reads and writes."""
        raise NotImplementedError

    def test_whatever_is_made_is_read_back_equal(self, entities: Entities) -> None:
        @settings(
            max_examples=30,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(new=deep_things())
        def check(new: New) -> None:
            assert_equal(entities, new, entities.create(new, 1, NOW_US))

        check()

    def test_names_may_come_again(self, entities: Entities) -> None:
        new = thing("a", Datastreams=[stream("x"), stream("x")])
        first, second = (entities.create(new, 1, NOW_US).id for _ in range(2))
        assert first != second
        assert _count(entities, "Datastream") == _count(entities, "Sensor") == 4

    def test_a_mistake_anywhere_makes_nothing(self, entities: Entities) -> None:
        lacking = New(type="Datastream", values=stream("x").values)
        wrong: list[New] = [
            thing("a", Datastreams=[stream("x"), lacking]),
            thing("a", Datastreams=[stream("x", Sensor=[99])]),
            thing("a", Locations=[place(1, 2), New(type="Location", values={"name": "l"})]),
            thing("a", Datastreams=[99]),
            thing("a", MultiDatastreams=[multi("m", observed("o"), 99)]),
            New(type="Thing", values={"name": "a", "description": 7}),
        ]
        for new in wrong:
            with pytest.raises((InvalidInput, NotFound)):
                entities.create(new, 1, NOW_US)
        kept = {name: _count(entities, name) for name in TYPES if name != "Observation"}
        assert not any(kept.values()), kept

    def test_what_belongs_to_another_system_is_not_there(self, entities: Entities) -> None:
        theirs = entities.create(thing("a"), 2, NOW_US).id
        for new in (stream("x", Thing=[theirs]), place(1, 2)):
            links = new.links if new.type == "Datastream" else {"Things": [theirs]}
            with pytest.raises(NotFound):
                entities.create(msgspec.structs.replace(new, links=links), 1, NOW_US)
        assert entities.system_of("Thing", theirs) == 2

    def test_locations_of_a_thing_make_its_history(self, entities: Entities) -> None:
        made = entities.create(thing("a", Locations=[place(1, 2)]), 1, NOW_US)
        other = entities.create(place(3, 4), 1, NOW_US).id
        move = New(type="Thing", links={"Locations": [other]})
        entities.update(made.id, move, None, NOW_US + 5)
        assert [row["@iot.id"] for row in _along(entities, "Thing", made.id, "Locations")] == [
            other
        ]
        history = _along(entities, "Thing", made.id, "HistoricalLocations")
        assert sorted(str(row["time"]) for row in history) == [str(NOW_US), str(NOW_US + 5)]

    def test_a_newer_history_moves_the_thing_and_an_older_does_not(
        self, entities: Entities
    ) -> None:
        made = entities.create(thing("a", Locations=[place(1, 2)]), 1, NOW_US)
        for at, name in ((NOW_US - 1, "at 1 2"), (NOW_US + 1, "at 5 6")):
            visit = New(
                type="HistoricalLocation",
                values={"time": at},
                links={"Thing": [made.id], "Locations": [place(5, 6)]},
            )
            entities.create(visit, 1, NOW_US)
            (here,) = _along(entities, "Thing", made.id, "Locations")
            assert here["name"] == name

    def test_update_changes_what_is_given_and_replace_sets_all(self, entities: Entities) -> None:
        made = entities.create(thing("a", {"b": 1}), 1, NOW_US).id
        entities.update(made, New(type="Thing", values={"description": "d"}), None, NOW_US)
        row = _one(entities, "Thing", made)
        assert (row["name"], row["description"], row["properties"]) == ("a", "d", {"b": 1})
        values = {"name": "c", "description": "e"}
        entities.replace(made, New(type="Thing", values=values), None, NOW_US)
        row = _one(entities, "Thing", made)
        assert (row["name"], row["description"], row["properties"]) == ("c", "e", {})
        with pytest.raises(InvalidInput):
            entities.replace(made, New(type="Thing", values={"name": "c"}), None, NOW_US)
        with pytest.raises(NotFound):
            entities.update(99, New(type="Thing", values={"name": "c"}), None, NOW_US)

    def test_links_lead_elsewhere_when_they_are_changed(self, entities: Entities) -> None:
        new = thing("a", Datastreams=[stream("x")], MultiDatastreams=[multi("m", observed("o"))])
        made = entities.create(new, 1, NOW_US)
        datastream, several = (
            made.nested["Datastreams"][0].id,
            made.nested["MultiDatastreams"][0].id,
        )
        other = entities.create(sensor("other"), 1, NOW_US).id
        entities.update(datastream, New(type="Datastream", links={"Sensor": [other]}), None, NOW_US)
        (row,) = _along(entities, "Datastream", datastream, "Sensor")
        assert row["name"] == "other"
        nothing = New(type="MultiDatastream", links={"ObservedProperties": []})
        with pytest.raises(InvalidInput):
            entities.update(several, nothing, None, NOW_US)
        brings_new = New(type="Datastream", links={"Sensor": [sensor("new")]})
        with pytest.raises(InvalidInput):
            entities.update(datastream, brings_new, None, NOW_US)

    @pytest.mark.parametrize(
        ("type_", "gone", "left"),
        [
            (
                "Thing",
                {"Thing", "Datastream", "MultiDatastream", "HistoricalLocation"},
                {"Location"},
            ),
            ("Sensor", {"Datastream"}, {"Thing", "MultiDatastream"}),
            ("ObservedProperty", {"Datastream"}, {"Thing", "Sensor", "MultiDatastream"}),
            ("Location", {"Location", "HistoricalLocation"}, {"Thing", "Datastream"}),
            ("Datastream", {"Datastream"}, {"Thing", "Sensor", "MultiDatastream"}),
        ],
    )
    def test_what_cannot_be_without_it_goes_too(
        self, entities: Entities, type_: str, gone: set[str], left: set[str]
    ) -> None:
        new = thing(
            "a",
            Locations=[place(1, 2)],
            Datastreams=[stream("x")],
            MultiDatastreams=[multi("m", observed("o"))],
        )
        made = entities.create(new, 1, NOW_US)
        (its,) = made.nested["Datastreams"]
        ids = {
            "Thing": made.id,
            "Location": made.nested["Locations"][0].id,
            "Datastream": its.id,
            "Sensor": its.nested["Sensor"][0].id,
            "ObservedProperty": its.nested["ObservedProperty"][0].id,
        }
        removed = entities.delete(type_, ids[type_])
        assert {name for name in gone if _count(entities, name)} == set()
        assert {name for name in left if not _count(entities, name)} == set()
        assert (its.id in removed.datastreams) == ("Datastream" in gone)
        with pytest.raises(NotFound):
            entities.delete(type_, ids[type_])

    def test_an_observed_property_takes_the_multi_datastreams_along(
        self, entities: Entities
    ) -> None:
        new = thing("a", MultiDatastreams=[multi("m", observed("o"), observed("p"))])
        made = entities.create(new, 1, NOW_US).nested["MultiDatastreams"][0]
        second = made.nested["ObservedProperties"][1].id
        assert entities.delete("ObservedProperty", second).datastreams == {made.id}
        assert _count(entities, "MultiDatastream") == 0

    def test_locations_are_taken_off_and_what_is_needed_is_not(self, entities: Entities) -> None:
        new = thing("a", Locations=[place(1, 2)], Datastreams=[stream("x")])
        made = entities.create(new, 1, NOW_US)
        there = made.nested["Locations"][0].id
        entities.unlink("Thing", made.id, "Locations", there)
        assert _along(entities, "Thing", made.id, "Locations") == []
        with pytest.raises(NotFound):
            entities.unlink("Thing", made.id, "Locations", there)
        with pytest.raises(InvalidInput):
            entities.unlink("Thing", made.id, "Datastreams", made.nested["Datastreams"][0].id)

    def test_the_own_feature_stays_and_new_observations_follow_the_thing(
        self, entities: Entities
    ) -> None:
        new = thing("a", Locations=[place(1, 2)], Datastreams=[stream("x"), stream("y")])
        made = entities.create(new, 1, NOW_US)
        first, second = (one.id for one in made.nested["Datastreams"])
        own = entities.own_features([first, second])
        assert own[first] == own[second]
        assert entities.datastreams_at(own[first]) == [first, second]
        assert entities.features_now([first]) == {first: 0}
        there = entities.create(place(7, 8), 1, NOW_US).id
        entities.update(made.id, New(type="Thing", links={"Locations": [there]}), None, NOW_US + 1)
        now = entities.features_now([first])[first]
        assert now not in (0, own[first])
        assert entities.own_features([first]) == {first: own[first]}
        entities.extend_areas({first: [0, now]})
        area = _one(entities, "Datastream", first)["observedArea"]
        assert isinstance(area, dict)
        assert area["type"] == "LineString"

    def test_a_thing_that_is_nowhere_gives_no_feature(self, entities: Entities) -> None:
        made = entities.create(thing("a", Datastreams=[stream("x")]), 1, NOW_US)
        datastream = made.nested["Datastreams"][0].id
        assert entities.own_features([datastream]) == {}
        assert entities.features_now([datastream]) == {}

    def test_nothing_is_removed_when_a_check_of_the_last_moment_raises(
        self, entities: Entities
    ) -> None:
        id_ = entities.create(thing("a"), 1, NOW_US).id
        seen: list[object] = []

        def refuse() -> None:
            seen.append(_one(entities, "Thing", id_)["name"])
            raise Forbidden("no")

        with pytest.raises(Forbidden):
            entities.delete("Thing", id_, refuse)
        assert seen == ["a"]
        assert _one(entities, "Thing", id_)["name"] == "a"
        entities.delete("Thing", id_, lambda: seen.append("asked"))
        assert seen == ["a", "asked"]
        with pytest.raises(NotFound):
            entities.delete("Thing", id_, lambda: seen.append("asked again"))
        assert seen == ["a", "asked"]

    def test_moved_observations_are_found_until_they_are_forgotten(
        self, entities: Entities
    ) -> None:
        new = thing("a", Locations=[place(1, 2)], Datastreams=[stream("x")])
        datastream = entities.create(new, 1, NOW_US).nested["Datastreams"][0].id
        there = Identity(datastream, -5, 0)
        assert not entities.has_moved()
        entities.move("17", there)
        assert entities.has_moved()
        entities.move("18", there)
        assert entities.moved(["17", "19"]) == {"17": there}
        entities.move("17", None)
        assert entities.moved(["17", "18"]) == {"18": there}
        assert entities.delete("Datastream", datastream).moved == {"18"}
        assert entities.moved(["18"])["18"].feature == NOWHERE, "its id is not another's"
        entities.forget(["17", "18"])
        assert entities.moved(["18"]) == {}

    def test_a_note_is_kept_with_what_is_made_or_nothing_is(self, entities: Entities) -> None:
        first = entities.begin(b"first")
        made = entities.create(thing("a"), 1, NOW_US, lambda made: f"thing {made.id}".encode())
        assert made.unfinished > first
        assert entities.create(thing("b"), 1, NOW_US).unfinished == 0
        notes = {first: b"first", made.unfinished: f"thing {made.id}".encode()}
        assert list(entities.unfinished().items()) == list(notes.items())

        def fail(_: Made) -> bytes:
            raise InvalidInput("it cannot be noted")

        before = entities.count(Query(type="Thing", scope=EVERYTHING))
        with pytest.raises(InvalidInput):
            entities.create(thing("c"), 1, NOW_US, fail)
        assert entities.count(Query(type="Thing", scope=EVERYTHING)) == before
        entities.finish(first)
        entities.finish(first)
        assert list(entities.unfinished()) == [made.unfinished]


def assert_equal(entities: EntityReader, new: New, made: Made) -> None:
    """Check that an entity, and all that was made with it, reads back as it was given."""
    row = _one(entities, new.type, made.id)
    for name, value in new.values.items():
        assert row[name] == value, (new.type, name)
    for name, some in new.links.items():
        linked = [row["@iot.id"] for row in _along(entities, new.type, made.id, name)]
        its = [one.id for one in made.nested[name]]
        if name == "HistoricalLocations":
            assert set(its) <= set(linked)
        elif name == "ObservedProperties":
            assert linked == its
        else:
            assert sorted(linked, key=str) == sorted(its, key=str)
        for one, inner in zip(some, made.nested[name], strict=True):
            if isinstance(one, New):
                assert_equal(entities, one, inner)


def _one(entities: EntityReader, type_: str, id_: int) -> Mapping[str, object]:
    (row,) = entities.find(Query(type=type_, scope=EVERYTHING, id=id_))
    return plain(row)


def _count(entities: EntityReader, type_: str) -> int:
    return entities.count(Query(type=type_, scope=EVERYTHING))


def _along(entities: EntityReader, type_: str, id_: int, link: str) -> list[Row]:
    known = TYPES[type_].link(link)
    assert known is not None
    step = Step(type_, (id_,), link)
    return list(entities.find(Query(type=known.target, scope=EVERYTHING, along=step)))
