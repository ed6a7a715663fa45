from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from tests.catalog.template import fresh_catalog

from penstock.catalog.devices.tracks import SqlTracks
from penstock.catalog.models import HistoricalLocation, Location
from penstock.core.catalog import Policy
from penstock.core.series import Series

SECOND = 1_000_000
T0 = 1_700_000_040 * SECOND  # a whole minute


def move(catalog, name: str, seconds: list[int]) -> int:
    """Let a Thing be elsewhere at each of these seconds, and return its id."""
    series = [
        Series(
            thing=name,
            name="speed",
            location=(10 + second / 1e5, 47.0),
            located_us=T0 + second * SECOND,
        )
        for second in seconds
    ]
    (answer,) = set(catalog.enrol(series, Policy.AUTOMATIC, T0))
    return catalog.datastreams(ids=[answer.datastream])[0].thing_id


def seconds_of(tracks: SqlTracks, thing: int, limit: int = 100_000) -> list[int]:
    return [(p.time_us - T0) // SECOND for p in tracks.track(thing, None, None, limit)]


@pytest.mark.parametrize("limit", [2, 3, 7, 100])
def test_a_thinned_track_keeps_its_ends_and_even_steps(tmp_path: Path, limit: int) -> None:
    catalog = fresh_catalog(tmp_path)
    tracks = SqlTracks(catalog.database)
    thing = move(catalog, "car", list(range(20)))
    found = seconds_of(tracks, thing, limit)
    assert (found[0], found[-1]) == (0, 19)
    assert len(found) <= limit
    steps = {b - a for a, b in itertools.pairwise(found[:-1])}
    assert len(steps) <= 1
    catalog.close()


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sets(st.integers(0, 400), min_size=1, max_size=60),
    st.integers(0, 400),
    st.integers(0, 200),
)
def test_old_places_are_thinned_and_the_oldest_go(
    tmp_path_factory: pytest.TempPathFactory, seconds: set[int], before: int, oldest: int
) -> None:
    catalog = fresh_catalog(tmp_path_factory.mktemp("track"))
    tracks = SqlTracks(catalog.database)
    thing = move(catalog, "car", sorted(seconds))
    other = move(catalog, "still", [0])
    tracks.thin(before_us=T0 + before * SECOND, every_us=60 * SECOND, until_us=T0 + oldest * SECOND)
    newest = max(seconds)
    expected: list[int] = []
    minutes: set[int] = set()
    for second in sorted(seconds):
        is_old = second < before and second != newest
        is_first = second // 60 not in minutes
        if second < before:
            minutes.add(second // 60)
        if not is_old or (is_first and second >= oldest):
            expected.append(second)
    assert seconds_of(tracks, thing) == expected
    assert seconds_of(tracks, other) == [0]
    with catalog.database.read() as connection:
        places = connection.execute(select(func.count()).select_from(Location)).scalar_one()
        visits = connection.execute(
            select(func.count()).select_from(HistoricalLocation)
        ).scalar_one()
    assert places == visits == len(expected) + 1
    catalog.close()


def test_thinning_goes_on_where_one_step_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.catalog.devices.tracks.STEP", 7)
    monkeypatch.setattr("penstock.catalog.devices.tracks.MOST", 20)
    catalog = fresh_catalog(tmp_path)
    tracks = SqlTracks(catalog.database)
    thing = move(catalog, "car", list(range(120)))
    removed = tracks.thin(before_us=T0 + 1_000 * SECOND, every_us=60 * SECOND, until_us=0)
    assert removed == 117
    assert seconds_of(tracks, thing) == [0, 60, 119]
    catalog.close()
