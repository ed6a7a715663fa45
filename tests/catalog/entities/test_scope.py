"""A scope answers as a catalog would that holds nothing but what is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.catalog.entities.paths import PATHS, wheres
from tests.catalog.entities.world import load, scopes, within, worlds
from tests.catalog.systems import add_systems
from tests.catalog.template import fresh_catalog

from penstock.catalog import SqlCatalog
from penstock.catalog.entities import SqlEntities
from penstock.core.access import EVERYTHING, Scope
from penstock.core.clock import ManualClock
from penstock.core.entities import Query, Step
from penstock.core.entity_types import TYPES
from penstock.core.expression import Order
from penstock.testing.entities_contract import path, plain

CLOCK = ManualClock()
LINKS = [
    (type_, link)
    for type_ in sorted(PATHS)
    for link in TYPES[type_].links
    if link.target != "Observation"
]


@dataclass(frozen=True)
class Side:
    """A catalog and its reader, whose statements stay compiled from example to example."""

    catalog: SqlCatalog
    reader: SqlEntities


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    catalogs = [fresh_catalog(tmp_path_factory.mktemp("scope")) for _ in range(2)]
    for catalog in catalogs:
        add_systems(catalog, 2, 3)
    full, cut = (Side(one, SqlEntities(one.database, CLOCK)) for one in catalogs)
    yield full, cut
    for catalog in catalogs:
        catalog.close()


def answers(reader: SqlEntities, query: Query) -> list[object]:
    """Return all that a reader says to a query."""
    said: list[object] = [[plain(row) for row in reader.find(query)], reader.count(query)]
    said += [list(reader.ids(query)), reader.columns(query)]
    if query.along is not None:
        said += [reader.columns_along(query), dict(reader.count_along(query))]
    return said


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds, scope=scopes, data=st.data())
def test_what_is_out_of_scope_neither_comes_out_nor_has_influence(
    sides: tuple[Side, Side],
    world: Mapping[str, list[dict[str, object]]],
    scope: Scope,
    data: st.DataObject,
) -> None:
    full, cut = sides[0].reader, sides[1].reader
    load(world, sides[0].catalog)
    load(within(world, scope), sides[1].catalog)
    for type_ in data.draw(st.lists(st.sampled_from(sorted(PATHS)), max_size=3)):
        query = Query(type=type_, scope=scope, limit=3)
        assert answers(full, query) == answers(cut, replace(query, scope=EVERYTHING))
    for type_, link in data.draw(st.lists(st.sampled_from(LINKS), max_size=5)):
        along = Step(type_, (1, 2, 3, 4, 5), link.name)
        query = Query(type=link.target, scope=scope, along=along, limit=2)
        assert answers(full, query) == answers(cut, replace(query, scope=EVERYTHING))
    type_ = data.draw(st.sampled_from(sorted(PATHS)))
    order = (Order(path("Thing/name")),) if type_ in {"Datastream", "HistoricalLocation"} else ()
    query = Query(type=type_, scope=scope, where=data.draw(wheres(type_)), order=order)
    assert answers(full, query) == answers(cut, replace(query, scope=EVERYTHING))
