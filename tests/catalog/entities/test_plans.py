"""How the database goes about usual questions: it never reads whole tables that grow large."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from tests.catalog.systems import add_systems
from tests.catalog.template import ON_POSTGRES, fresh_catalog

from penstock.catalog import SqlCatalog
from penstock.catalog.entities import SqlEntities
from penstock.core.access import EVERYTHING, Scope
from penstock.core.entities import Query, Step
from penstock.core.entity_types import TYPES
from penstock.core.expression import Members, Order
from penstock.testing.entities_contract import apply, path

pytestmark = pytest.mark.skipif(ON_POSTGRES, reason="how SQLite plans")

SCOPES = {
    "everything": EVERYTHING,
    "a system": Scope(systems=frozenset({2})),
    "a datastream": Scope(datastreams=frozenset({3})),
}
LINKS = [
    (type_.name, link)
    for type_ in TYPES.values()
    for link in type_.links
    if "Observation" not in (type_.name, link.target)
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlCatalog]:
    catalog = fresh_catalog(tmp_path_factory.mktemp("plans"))
    add_systems(catalog, 2)
    yield catalog
    catalog.close()


def plan(catalog: SqlCatalog, query: Query, method: str) -> list[str]:
    """Return the steps of the statement that a method of the reader runs."""
    steps: list[str] = []

    def explain(connection, cursor, statement, parameters, context, executemany) -> None:
        if statement.startswith("SELECT"):
            driver = connection.connection.driver_connection
            rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps.extend(row[3] for row in rows)

    from sqlalchemy import event

    event.listen(catalog.database.engine, "before_cursor_execute", explain)
    try:
        getattr(SqlEntities(catalog.database), method)(query)
    finally:
        event.remove(catalog.database.engine, "before_cursor_execute", explain)
    assert steps
    return steps


def scans(steps: list[str]) -> list[str]:
    """Return the steps that read a whole table; not those over what was given or found before."""
    return [
        step
        for step in steps
        if step.startswith("SCAN") and "VIRTUAL TABLE" not in step and step != "SCAN page"
    ]


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize(("type_", "link"), LINKS, ids=lambda given: getattr(given, "name", given))
def test_links_are_followed_by_indexes(
    catalog: SqlCatalog, scope: Scope, type_: str, link: object
) -> None:
    for method in ("find", "columns", "count", "ids", "columns_along", "count_along"):
        for parents in ((1,), (1, 2, 3)):
            query = Query(
                type=link.target,  # type: ignore[attr-defined]
                scope=scope,
                along=Step(type_, parents, link.name),  # type: ignore[attr-defined]
                limit=10,
            )
            assert scans(plan(catalog, query, method)) == []


@pytest.mark.parametrize(
    ("type_", "where"),
    [
        ("Thing", apply("eq", path("name"), "x")),
        ("Thing", apply("eq", path("@iot.id"), 5)),
        ("Thing", apply("eq", path("Locations/@iot.id"), 5)),
        ("Datastream", apply("eq", path("Thing/name"), "x")),
        ("Datastream", apply("in", path("@iot.id"), Members(frozenset(range(1_000))))),
        ("Datastream", apply("in", path("Thing/@iot.id"), Members(frozenset({1, 2})))),
        ("Sensor", apply("eq", path("Datastreams/Thing/@iot.id"), 5)),
        ("HistoricalLocation", apply("eq", path("Thing/name"), "x")),
    ],
)
def test_narrow_conditions_are_answered_by_indexes(
    catalog: SqlCatalog, type_: str, where: object
) -> None:
    query = Query(type=type_, scope=EVERYTHING, where=where, limit=10)  # type: ignore[arg-type]
    for method in ("find", "count", "ids"):
        assert scans(plan(catalog, query, method)) == []


def test_a_long_history_is_read_page_by_page(catalog: SqlCatalog) -> None:
    along = Step("Thing", (1,), "HistoricalLocations")
    by_id = Query(type="HistoricalLocation", scope=EVERYTHING, along=along, limit=10)
    for method in ("find", "columns_along"):
        # The one sort that may be is of the page that was found, not of what it is chosen from.
        steps = plan(catalog, by_id, method)
        chosen = steps[: steps.index(next(s for s in steps if " i " in s or " e " in s)) + 1]
        assert not any("TEMP B-TREE" in step for step in chosen)
    order = (Order(path("time"), descending=True),)
    by_time = Query(type="HistoricalLocation", scope=EVERYTHING, order=order, limit=10)
    steps = plan(catalog, by_time, "find")
    assert "SCAN i USING COVERING INDEX ix_historical_location_time_us" in steps


def test_a_scope_of_many_things_is_not_gone_through_for_each_location(catalog: SqlCatalog) -> None:
    along = Step("Thing", (1, 2), "Locations")
    query = Query(type="Location", scope=SCOPES["a system"], along=along, limit=10)
    for method in ("columns_along", "count_along", "find"):
        steps = plan(catalog, query, method)
        assert not any("thing_id=? AND location_id=?" in step for step in steps)


def test_pages_in_an_order_go_on_in_the_index(catalog: SqlCatalog) -> None:
    query = Query(
        type="Thing", scope=EVERYTHING, order=(Order(path("name")),), after=("m", 7), limit=10
    )
    steps = plan(catalog, query, "find")
    assert any(step.startswith("SEARCH i USING COVERING INDEX ix_thing_name") for step in steps)


def test_the_tables_are_as_the_statements_expect(catalog: SqlCatalog) -> None:
    with catalog.database.read() as connection:
        names = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'index'")
        ).scalars()
        assert {"ix_historical_location_thing_id", "ix_thing_location_location_id"} <= set(names)
