"""Pages join to the whole, whatever the order, the filter and the size of pieces."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.house import T0, House

from penstock.core.access import EVERYTHING, Scope
from penstock.core.errors import NotSupported
from penstock.core.observation import observations
from penstock.sensorthings import observations as reading_observations
from penstock.sensorthings import paging, reading, sizes, walking
from penstock.sensorthings.service import Service, Wanted

ROOT = "http://localhost/v1.1"
SECOND = 1_000_000
Identity = tuple[int, int, int]

_ROWS = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 6), st.sampled_from([0, 0, 5]), st.integers(-2, 4)),
    max_size=40,
)
_ORDERS = st.sampled_from(
    ["", "id asc", "id desc", "phenomenonTime asc", "phenomenonTime desc", "result asc,id desc"]
)
_SOME = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        assert house.enrol(("a", "x"), ("a", "y"), ("b", "x")) == [1, 2, 3]
        yield house
        house.passwords.close()
        house.catalog.close()


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read few rows at once, so that every border is met."""
    monkeypatch.setattr(walking, "LARGEST_PIECE", 5)
    monkeypatch.setattr(reading_observations, "LARGEST_PIECE", 5)
    monkeypatch.setattr(paging, "FIRST_PIECE", 2)
    monkeypatch.setattr(paging, "LARGEST_PIECE", 5)
    monkeypatch.setattr(paging, "FAR", 2)
    monkeypatch.setattr(paging, "NEAR_PIECES", 1)


def fill(house: House, rows: list[tuple[int, int, int, int]]) -> dict[Identity, int]:
    house.store._rows.clear()
    held = {(d, T0 + t * SECOND, f): number for d, t, f, number in rows}
    if held:
        ids = list(held)
        batch = observations(
            [d for d, _, _ in ids],
            [t for _, t, _ in ids],
            [float(number) for number in held.values()],
            feature=[f for _, _, f in ids],
        )
        house.store.append(batch)
    return held


def ask(house: House, address: str, scope: Scope = EVERYTHING) -> dict[str, Any]:
    service: Service = house.app.state.things.service
    path, _, query = address.partition("?")
    reply = service.get(Wanted(path=path, query=query, root=ROOT, scope=scope))
    found: dict[str, Any] = msgspec.json.decode(reply.body)
    return found


def follow(house: House, address: str) -> list[dict[str, Any]]:
    found = []
    for _ in range(200):
        page = ask(house, address)
        found += page["value"]
        if "@iot.nextLink" not in page:
            return found
        next_ = urlsplit(page["@iot.nextLink"])
        address = f"{next_.path.removeprefix('/v1.1/')}?{next_.query}"
    raise AssertionError("the pages do not end")


def expected(held: dict[Identity, int], order: str, least: int | None) -> list[int]:
    """Return the results in order."""
    rows = [(key, number) for key, number in held.items() if least is None or number > least]
    if order.startswith("phenomenonTime"):
        rows.sort(key=lambda row: (row[0][1], row[0][0], row[0][2]))
    else:
        rows.sort()
    if order.endswith("desc"):
        rows.reverse()
    if order.startswith("result"):
        rows.sort(key=lambda row: row[1])
    return [number for _, number in rows]


@_SOME
@given(
    rows=_ROWS,
    order=_ORDERS,
    least=st.one_of(st.none(), st.integers(-2, 3)),
    top=st.integers(1, 7),
    skip=st.integers(0, 12),
    within=st.sampled_from([0, 0, 1, 2, 3]),
)
@pytest.mark.usefixtures("pieces")
def test_pages_join_to_the_whole(
    house: House,
    rows: list[tuple[int, int, int, int]],
    order: str,
    least: int | None,
    top: int,
    skip: int,
    within: int,
) -> None:
    held = fill(house, rows)
    if within:
        held = {key: number for key, number in held.items() if key[0] == within}
    parts = [f"$top={top}", f"$skip={skip}", "$count=true"]
    parts += [f"$orderby={order}"] if order and not order.startswith("result") else []
    parts += ["$orderby=result"] if order.startswith("result") else []
    parts += [f"$filter=result gt {least}"] if least is not None else []
    place = f"Datastreams({within})/" if within else ""
    address = f"{place}Observations?" + "&".join(parts)
    wanted = expected(held, order, least)
    found = [one["result"] for one in follow(house, address)]
    if order.startswith("result"):
        assert found == sorted(wanted)[skip:]
    else:
        assert found == wanted[skip:]
    assert ask(house, address)["@iot.count"] == len(wanted)


@_SOME
@given(rows=_ROWS, order=_ORDERS, top=st.integers(1, 4), skip=st.integers(0, 3))
@pytest.mark.usefixtures("pieces")
def test_what_is_expanded_is_what_the_link_gives(
    house: House, rows: list[tuple[int, int, int, int]], order: str, top: int, skip: int
) -> None:
    fill(house, rows)
    options = [f"$top={top}", f"$skip={skip}", "$count=true", "$select=id,result"]
    options += [f"$orderby={order}"] if order else []
    address = f"Datastreams?$expand=Observations({';'.join(options)})"
    for stream in ask(house, address)["value"]:
        link = f"Datastreams({stream['@iot.id']})/Observations?{'&'.join(options)}"
        page = ask(house, link)
        assert stream["Observations"] == page["value"]
        assert stream["Observations@iot.count"] == page["@iot.count"]
        assert ("Observations@iot.nextLink" in stream) == ("@iot.nextLink" in page)
        if "Observations@iot.nextLink" in stream:
            next_ = urlsplit(stream["Observations@iot.nextLink"])
            rest = follow(house, f"{next_.path.removeprefix('/v1.1/')}?{next_.query}")
            assert page["value"] + rest == follow(house, link)


@_SOME
@given(rows=_ROWS)
def test_every_observation_is_found_by_its_id(
    house: House, rows: list[tuple[int, int, int, int]]
) -> None:
    held = fill(house, rows)
    found = ask(house, "Observations?$top=1000")["value"]
    assert len(found) == len(held)
    for one in found:
        address = one["@iot.selfLink"].removeprefix(f"{ROOT}/")
        assert ask(house, address) == one


@_SOME
@given(rows=_ROWS)
def test_what_is_expanded_is_shown_as_by_itself_but_for_links(
    house: House, rows: list[tuple[int, int, int, int]]
) -> None:
    fill(house, rows)
    alone = ask(house, "Observations?$top=1000")["value"]
    plain = [
        {k: v for k, v in one.items() if not k.endswith("Link") or k == "@iot.selfLink"}
        for one in alone
    ]
    streams = ask(house, "Datastreams?$expand=Observations")["value"]
    assert [one for stream in streams for one in stream["Observations"]] == plain


def test_a_datastream_tells_the_times_of_its_observations(house: House) -> None:
    fill(house, [(1, 0, 0, 1), (1, 6, 0, 1), (2, 3, 0, 1)])
    shown = ask(house, "Datastreams?$select=phenomenonTime,resultTime,id")["value"]
    assert shown == [
        {
            "@iot.id": 1,
            "phenomenonTime": "2023-11-14T22:13:20Z/2023-11-14T22:13:26Z",
        },
        {
            "@iot.id": 2,
            "phenomenonTime": "2023-11-14T22:13:23Z/2023-11-14T22:13:23Z",
        },
        {"@iot.id": 3},
    ]


@_SOME
@given(
    rows=_ROWS,
    low=st.integers(-3, 4),
    high=st.integers(-3, 4),
    names=st.tuples(st.sampled_from(["gt", "ge"]), st.sampled_from(["lt", "le"])),
)
def test_datastreams_are_found_by_the_results_they_hold(
    house: House,
    rows: list[tuple[int, int, int, int]],
    low: int,
    high: int,
    names: tuple[str, str],
) -> None:
    held = fill(house, rows)
    where = f"Observations/result {names[0]} {low} and Observations/result {names[1]} {high}"
    found = {one["@iot.id"] for one in ask(house, f"Datastreams?$filter={where}")["value"]}
    above = low + (names[0] == "gt")
    below = high - (names[1] == "lt")
    assert found == {key[0] for key, number in held.items() if above <= number <= below}
    where = f"Observations/result {names[0]} {low}"
    found = {one["@iot.id"] for one in ask(house, f"Datastreams?$filter={where}")["value"]}
    assert found == {key[0] for key, number in held.items() if above <= number}


@pytest.mark.usefixtures("pieces")
def test_datastreams_of_a_feature_are_found_beyond_one_piece(house: House) -> None:
    rows = [(1, at, 5, at) for at in range(12)] + [(2, 30, 5, 1), (3, 31, 6, 1)]
    fill(house, rows)
    assert walking.holders(house.store, [5]) == {1, 2}
    assert walking.holders(house.store, []) == set()


@pytest.mark.parametrize("together", [1_000_000, 0])
def test_what_is_expanded_is_refused_before_it_is_made(
    house: House, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    fill(house, [(d, at, 0, at) for d in (1, 2, 3) for at in range(6)])
    made: list[int] = []
    monkeypatch.setattr(sizes, "MAX_ENTITIES", 10)
    monkeypatch.setattr(reading_observations, "MAX_TOGETHER", together)
    monkeypatch.setattr(reading, "ObservationTexts", lambda table, *_: made.append(table.num_rows))
    with pytest.raises(NotSupported, match="more than 10"):
        ask(house, "Datastreams?$expand=Observations")
    assert made == []


def test_a_row_does_not_take_the_id_of_another(house: House) -> None:
    """Parameters may come from anywhere: an id in them counts when the row was moved there."""
    claim = '{"@iot.id":7,"a":1}'
    house.store.append(observations([1], [T0 + 77 * 1_000_000], [1.0], parameters=[claim]))
    for address in (
        "Datastreams(1)/Observations",
        "Datastreams(1)?$expand=Observations",
    ):
        found = ask(house, address)
        rows = found.get("value") or found["Observations"]
        (row,) = (row for row in rows if row.get("parameters") == {"a": 1})
        assert row["@iot.id"] != 7
        assert ask(house, f"Observations({row['@iot.id']})")["parameters"] == {"a": 1}


@pytest.mark.parametrize("given", ["1.5", "[1]", "null", "{}"])
def test_what_cannot_be_an_id_is_none(house: House, given: str) -> None:
    fill(house, [(1, 0, 0, 1)])
    claim = f'{{"@iot.id":{given},"a":1}}'
    house.store.append(observations([1], [T0 + 77 * SECOND], [1.0], parameters=[claim]))
    for address in ("Observations", "Datastreams(1)?$expand=Observations"):
        found = ask(house, address)
        rows = found.get("value") or found["Observations"]
        (row,) = (row for row in rows if row.get("parameters") == {"a": 1})
        assert ask(house, f"Observations({row['@iot.id']})")["parameters"] == {"a": 1}


@pytest.mark.parametrize(
    "select",
    [
        "parameters,Datastream",
        "validTime,parameters",
        "resultQuality,result",
        "parameters,resultQuality,validTime",
    ],
)
def test_observations_lack_what_is_shown_first(house: House, select: str) -> None:
    fill(house, [(1, 0, 0, 1)])
    texts = ['{"a":1}', '{"@iot.validTime":"2023-11-14T22:13:21Z"}', '{"@iot.resultQuality":2}']
    times = [T0 + at * SECOND for at in (1, 2, 3)]
    house.store.append(observations([1] * 3, times, [1.0] * 3, parameters=texts))
    rows = ask(house, f"Observations?$select={select}")["value"]
    assert [row.get("parameters") for row in rows] == [
        None if "parameters" not in select or at != 1 else {"a": 1} for at in range(4)
    ]
    within = ask(house, f"Datastreams(1)?$expand=Observations($select={select})")["Observations"]
    assert len(within) == 4


@pytest.mark.parametrize(
    "options",
    [
        "$select=phenomenonTime&$expand=Observations($top=1)",
        "$select=phenomenonTime,Thing",
        "$select=phenomenonTime,name",
    ],
)
def test_datastreams_lack_what_is_shown_first(house: House, options: str) -> None:
    fill(house, [(1, 0, 0, 1), (3, 0, 0, 1)])
    streams = ask(house, f"Datastreams?{options}")["value"]
    assert [("phenomenonTime" in one) for one in streams] == [True, False, True]
    within = ask(house, f"Things?$expand=Datastreams({options.replace('&', ';')})")["value"]
    assert sum(len(thing["Datastreams"]) for thing in within) == 3


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("streams", [1, 2])
def test_matches_near_the_end_are_found_within_the_rows_that_may_be_read(
    house: House, monkeypatch: pytest.MonkeyPatch, streams: int
) -> None:
    rows = [(d, at, 0, at) for d in range(1, streams + 1) for at in range(60)]
    fill(house, rows)
    things = house.app.state.things.service
    monkeypatch.setattr(things, "_sources", replace(things._sources, max_scan_rows=40))
    address = "Observations?$filter=result add 0 lt 52&$orderby=phenomenonTime desc&$top=1"
    assert [one["result"] for one in ask(house, address)["value"]] == [51]
