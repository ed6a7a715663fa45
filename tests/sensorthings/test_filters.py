"""The service finds across catalog and store what evaluating entity by entity finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any as Anything
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, select
from tests.any_store import empty_store
from tests.catalog.entities.plain_entities import entities
from tests.catalog.entities.world import World, load, worlds
from tests.catalog.systems import add_systems
from tests.catalog.template import fresh_catalog
from tests.sensorthings.expressions import OBSERVATION, START_US, Paths, conditions
from tests.sensorthings.naive import Naive
from tests.sensorthings.rows import MOVED, row_of, table_of

from penstock.catalog import SqlCatalog
from penstock.catalog.entities import SqlEntities
from penstock.catalog.tables import Base
from penstock.core.access import EVERYTHING
from penstock.core.clock import ManualClock
from penstock.core.entities import Identity
from penstock.core.errors import NotSupported
from penstock.core.expression import Any, Apply, Expression, Property, Span
from penstock.sensorthings.grammar import parse_expression, print_expression
from penstock.sensorthings.observation_ids import id_of
from penstock.sensorthings.observation_rows import Kind
from penstock.sensorthings.service import Service, Wanted
from penstock.sensorthings.sources import Sources

CLOCK = ManualClock(START_US + 1_000_000)
MANY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)

PATHS = {
    "Observation": Paths(
        text=["Datastream/name", "Datastream/Thing/name", "FeatureOfInterest/name"],
        number=["Datastream/@iot.id", "Datastream/Sensor/@iot.id", "FeatureOfInterest/@iot.id"],
        time=["phenomenonTime", "resultTime"],
        json=["result", "result/a", "parameters/a", "Datastream/properties/p"],
    ),
    "Datastream": Paths(
        text=["name", "Thing/name"],
        number=["@iot.id", "Observations/@iot.id"],
        time=["Observations/phenomenonTime", "Observations/resultTime", "phenomenonTime"],
        json=["Observations/result", "Observations/parameters/a", "properties/p"],
    ),
    "Thing": Paths(
        text=["name", "Datastreams/name"],
        number=["@iot.id", "Datastreams/@iot.id"],
        time=["Datastreams/Observations/phenomenonTime", "Datastreams/resultTime"],
        json=["Datastreams/Observations/result", "properties/p"],
    ),
    "FeatureOfInterest": Paths(
        text=["name"],
        number=["@iot.id"],
        time=["Observations/resultTime"],
        json=["Observations/result", "properties/p"],
    ),
    "Sensor": Paths(
        text=["name"],
        time=["Datastreams/Observations/phenomenonTime", "MultiDatastreams/phenomenonTime"],
        json=["Datastreams/Observations/result", "properties/p"],
    ),
}
SETS = {
    "Observation": "Observations",
    "Datastream": "Datastreams",
    "Thing": "Things",
    "FeatureOfInterest": "FeaturesOfInterest",
    "Sensor": "Sensors",
}


class Land:
    """A catalog and a store, and the same as entities that hold each other."""

    def __init__(self, catalog: SqlCatalog, world: World, data: st.DataObject) -> None:
        load(world, catalog)
        self.reader = SqlEntities(catalog.database, CLOCK)
        streams = world["datastream"]
        own = dict(self.reader.own_features([row["id"] for row in streams]))
        self.entities: dict[str, list[dict[str, Anything]]] = entities(
            _as_it_is_now(world, catalog)
        )
        self.store = empty_store()
        self.entities["Observation"] = []
        kinds = {
            row["id"]: Kind(row["observation_type"], row["multi"] is not None) for row in streams
        }
        features = [row["id"] for row in world["feature_of_interest"]]
        if streams:
            rows = st.lists(row_of(kinds, own, features), max_size=8)
            self._observe(data.draw(rows), kinds)
        self.service = Service(
            Sources(
                reader=self.reader,
                features=self.reader,
                moved=self.reader,
                store=self.store,
                readable=catalog.readable,
                clock=CLOCK,
            )
        )

    def _observe(
        self, rows: list[tuple[dict[str, Anything], dict[str, Anything]]], kinds: Anything
    ) -> None:
        by_identity = {(r["datastream"], r["time"], r["feature"]): (r, e) for r, e in rows}
        kept = [by_identity[key] for key in sorted(by_identity)]
        self._move([entity for _, entity in kept], sorted(by_identity))
        if kept:
            self.store.append(table_of([row for row, _ in kept]).to_batches()[0])
        by_id = {
            type_: {one["@iot.id"]: one for one in self.entities[type_]}
            for type_ in ("Datastream", "MultiDatastream", "FeatureOfInterest")
        }
        for all_of_type in by_id.values():
            for one in all_of_type.values():
                one["Observations"] = []
        for row, entity in kept:
            for link, all_of_type in by_id.items():
                there = entity[link] and all_of_type.get(entity[link]["@iot.id"])
                entity[link] = there or None
                if there:
                    there["Observations"].append(entity)
            self.entities["Observation"].append(entity)
            stream = entity["Datastream"] or entity["MultiDatastream"]
            end = row["time"] if row["end_time"] is None else row["end_time"]
            stream["phenomenonTime"] = _wider(stream.get("phenomenonTime"), row["time"], end)
            made = row["result_time"]
            if made is not None:
                stream["resultTime"] = _wider(stream.get("resultTime"), made, made)

    def _move(self, kept: list[dict[str, Anything]], places: list[tuple[int, int, int]]) -> None:
        """Remember the one that carries an id of its own; others that say so are not believed."""
        self.reader.move(str(MOVED), None)
        carrying = [at for at, entity in enumerate(kept) if entity["@iot.id"] == MOVED]
        for at in carrying[:1]:
            self.reader.move(str(MOVED), Identity(*places[at]))
        for at in carrying[1:]:
            kept[at]["@iot.id"] = id_of(Identity(*places[at]))

    def ask(self, type_: str, where: Expression) -> tuple[list[Anything], int]:
        """Return the ids that the service finds, and how many it counts."""
        query = f"$filter={quote(print_expression(where))}&$count=true&$top=1000&$select=id"
        reply = self.service.get(Wanted(SETS[type_], query, "", EVERYTHING))
        answer = json.loads(reply.body)
        return [one["@iot.id"] for one in answer["value"]], answer["@iot.count"]


def _wider(span: Span | None, start: int, end: int) -> Span:
    if span is None:
        return Span(start, end)
    return Span(min(span.start_us, start), max(span.end_us, end))


def _as_it_is_now(world: World, catalog: SqlCatalog) -> World:
    """Return a world with the features that came into being when they were asked for."""
    tables: dict[str, Table] = dict(Base.metadata.tables)
    fresh = {}
    with catalog.database.read() as connection:
        for name in ("feature_of_interest", "datastream", "location"):
            table = tables[name]
            rows = connection.execute(select(table).order_by(table.c.id)).mappings()
            fresh[name] = [dict(row) for row in rows]
    return {**world, **fresh}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlCatalog]:
    folder: Path = tmp_path_factory.mktemp("filters")
    catalog = fresh_catalog(folder)
    add_systems(catalog, 2, 3)
    yield catalog
    catalog.close()


@pytest.mark.parametrize("type_", sorted(PATHS))
@MANY
@given(data=st.data())
def test_the_service_finds_what_the_oracle_finds(
    catalog: SqlCatalog, type_: str, data: st.DataObject
) -> None:
    land = Land(catalog, data.draw(worlds), data)
    naive = Naive(type_, CLOCK.now_us())
    for _ in range(6):
        where = data.draw(conditions(PATHS[type_], depth=1))
        wanted = [one["@iot.id"] for one in land.entities[type_] if naive.holds(where, one)]
        try:
            found, count = land.ask(type_, where)
        except NotSupported:
            event("not supported")
            continue
        event(f"found some: {bool(wanted)}")
        assert found == wanted, print_expression(where)
        assert count == len(wanted), print_expression(where)


#: Comparisons that speak of the same linked entities or of others, on both sides of the border.
PARTS = {
    "Observation": [
        "result gt 2",
        "resultTime eq null",
        "Datastream/name eq 'a'",
        "Datastream/Thing/Locations/name eq 'a'",
        "Datastream/Thing/Locations/description ne 'b'",
        "MultiDatastream/name eq null",
        "FeatureOfInterest/id gt 1",
        "Datastream/Thing/Locations/any(l: l/name eq 'b')",
    ],
    "Datastream": [
        "Observations/result gt 2",
        "Observations/result ge 1",
        "Observations/resultTime eq null",
        "Observations/phenomenonTime gt 2023-11-14T22:13:21Z",
        "name eq 'a'",
        "Thing/Locations/name eq 'a'",
        "Observations/any(o: o/result lt 2)",
        "resultTime ne null",
    ],
    "Thing": [
        "Datastreams/Observations/result gt 2",
        "1 le Datastreams/Observations/result",
        "Datastreams/Observations/resultTime eq null",
        "Datastreams/name eq 'a'",
        "Datastreams/phenomenonTime ne null",
        "Locations/name eq 'a'",
        "name ne 'b'",
        "Datastreams/any(d: d/Observations/result lt 2 or d/name eq 'ab')",
    ],
}


def _arranged(type_: str) -> st.SearchStrategy[Expression]:
    parts = st.sampled_from([parse_expression(text, type_) for text in PARTS[type_]])
    return st.recursive(
        parts,
        lambda inner: st.one_of(
            st.builds(
                lambda word, sides: Apply(word, tuple(sides)),
                st.sampled_from(["and", "or"]),
                st.lists(inner, min_size=2, max_size=3),
            ),
            inner.map(lambda one: Apply("not", (one,))),
        ),
        max_leaves=6,
    )


@pytest.mark.parametrize("type_", sorted(PARTS))
@MANY
@given(data=st.data())
def test_comparisons_are_arranged_in_any_way(
    catalog: SqlCatalog, type_: str, data: st.DataObject
) -> None:
    land = Land(catalog, data.draw(worlds), data)
    naive = Naive(type_, CLOCK.now_us())
    arranged = _arranged(type_)
    for _ in range(6):
        where = data.draw(arranged)
        wanted = [one["@iot.id"] for one in land.entities[type_] if naive.holds(where, one)]
        event(f"found some: {bool(wanted)}")
        assert land.ask(type_, where) == (wanted, len(wanted)), print_expression(where)


CHOSEN = {
    "Thing": Any(
        ("Datastreams",),
        "d",
        Any(
            ("d", "Observations"),
            "o",
            Apply("gt", (Property(("o", "result")), Property(("d", "properties", "p")))),
        ),
    ),
    "Datastream": Apply(
        "and",
        (
            Apply("not", (Any(("Observations",), "o", Property(("o", "result"))),)),
            Apply("ne", (Property(("Observations", "result")), Property(("Thing", "name")))),
        ),
    ),
    "FeatureOfInterest": Any(
        ("Observations",),
        "o",
        Apply("eq", (Property(("o", "Datastream", "name")), Property(("name",)))),
    ),
}


@pytest.mark.parametrize("type_", sorted(CHOSEN))
@MANY
@given(data=st.data())
def test_items_are_compared_with_what_they_belong_to(
    catalog: SqlCatalog, type_: str, data: st.DataObject
) -> None:
    land = Land(catalog, data.draw(worlds), data)
    where = CHOSEN[type_]
    naive = Naive(type_, CLOCK.now_us())
    wanted = [one["@iot.id"] for one in land.entities[type_] if naive.holds(where, one)]
    event(f"found some: {bool(wanted)}")
    assert land.ask(type_, where) == (wanted, len(wanted))


def test_observations_alone_are_always_answered(catalog: SqlCatalog) -> None:
    @MANY
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        land = Land(catalog, data.draw(worlds), data)
        naive = Naive("Observation", CLOCK.now_us())
        where = data.draw(conditions(OBSERVATION, depth=1))
        wanted = [one["@iot.id"] for one in land.entities["Observation"] if naive.holds(where, one)]
        assert land.ask("Observation", where) == (wanted, len(wanted)), print_expression(where)

    check()
