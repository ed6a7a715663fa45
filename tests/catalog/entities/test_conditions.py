"""A condition in SQL chooses what evaluating it entity by entity chooses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.catalog.entities.paths import PATHS, wheres
from tests.catalog.entities.plain_entities import entities
from tests.catalog.entities.world import World, load, worlds
from tests.catalog.systems import add_systems
from tests.catalog.template import fresh_catalog
from tests.sensorthings.naive import Naive

from penstock.catalog import SqlCatalog
from penstock.catalog.entities import SqlEntities
from penstock.core.access import EVERYTHING
from penstock.core.clock import ManualClock
from penstock.core.entities import Query
from penstock.core.expression import Order
from penstock.testing.entities_contract import path

CLOCK = ManualClock()
MANY = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlCatalog]:
    catalog = fresh_catalog(tmp_path_factory.mktemp("conditions"))
    add_systems(catalog, 2, 3)
    yield catalog
    catalog.close()


@pytest.mark.parametrize("type_", sorted(PATHS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_find_chooses_what_the_oracle_chooses(
    catalog: SqlCatalog, type_: str, data: st.DataObject
) -> None:
    world = data.draw(worlds)
    load(world, catalog)
    reader = SqlEntities(catalog.database, CLOCK)
    everything = entities(world)
    naive = Naive(type_, CLOCK.now_us())
    for _ in range(5):
        where = data.draw(wheres(type_))
        query = Query(type=type_, scope=EVERYTHING, where=where)
        wanted = [one["@iot.id"] for one in everything[type_] if naive.holds(where, one)]
        assert [row["@iot.id"] for row in reader.find(query)] == wanted
        assert reader.count(query) == len(wanted)


ORDERS = {
    "Thing": ("name", "description", "@iot.id", "properties/p", "properties/q/0"),
    "Datastream": ("Thing/name", "ObservedProperty/properties/p", "name", "observationType"),
    "HistoricalLocation": ("time", "Thing/name", "Thing/properties/r"),
}


@settings(max_examples=60, deadline=None)
@given(
    world=worlds,
    type_=st.sampled_from(sorted(ORDERS)),
    which=st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=3),
    size=st.integers(1, 3),
)
def test_pages_put_together_are_the_whole_in_order(
    catalog: SqlCatalog,
    world: World,
    type_: str,
    which: list[tuple[int, bool]],
    size: int,
) -> None:
    load(world, catalog)
    reader = SqlEntities(catalog.database, CLOCK)
    paths = ORDERS[type_]
    order = tuple(Order(path(paths[at % len(paths)]), descending) for at, descending in which)
    query = Query(type=type_, scope=EVERYTHING, order=order)
    whole = reader.find(query)
    assert _is_sorted([row["@sort"] for row in whole], order)
    assert sorted(row["@iot.id"] for row in whole) == list(reader.ids(query))
    paged: list[object] = []
    page = replace(query, limit=size)
    while rows := reader.find(page):
        paged += rows
        page = replace(page, after=rows[-1]["@sort"])
    assert [row["@iot.id"] for row in paged] == [row["@iot.id"] for row in whole]


def _is_sorted(keys: list[tuple[object, ...]], order: tuple[Order, ...]) -> bool:
    """Tell whether keys ascend as asked: null, then numbers, then texts; the id at last."""

    def rank(value: object) -> tuple[int, object]:
        if value is None:
            return (0, 0)
        return (2, value.encode()) if isinstance(value, str) else (1, value)

    def is_before(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
        for key, left, right in zip((*order, None), one, other, strict=True):
            if rank(left) != rank(right):
                is_less = rank(left) < rank(right)
                return is_less is not (key is not None and key.descending)
        return False

    return all(is_before(one, other) for one, other in itertools.pairwise(keys))
