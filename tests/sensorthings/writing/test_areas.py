"""The catalog is told of features for all who wait at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.sensorthings.writing.bodies import FEATURE, datastream, thing
from tests.sensorthings.writing.site import Site

from penstock.core.errors import NotFound, PenstockError
from penstock.sensorthings.writing.areas import Areas


class Told:
    """Features that notes what it is told, and fails when it is asked to."""

    def __init__(self) -> None:
        self.calls: list[dict[int, list[int]]] = []
        self.fails = False

    def extend_areas(self, seen: dict[int, list[int]]) -> None:
        if self.fails:
            raise PenstockError("the catalog is away")
        self.calls.append({id_: sorted(some) for id_, some in seen.items()})


async def _later(call: Callable[..., Any], *args: Any) -> Any:
    await asyncio.sleep(0.001)
    return call(*args)


def _areas(site: Site, told: Told) -> Areas:
    parts = site.writing._parts
    return Areas(replace(parts, features=told, blocking=_later))  # type: ignore[arg-type]


async def _many(areas: Areas) -> None:
    await asyncio.gather(*(areas.note([(1, n % 3), (2, n)]) for n in range(6)))


def test_all_who_come_while_the_catalog_writes_share_the_next_transaction(site: Site) -> None:
    told = Told()
    areas = _areas(site, told)
    asyncio.run(_many(areas))
    assert len(told.calls) == 2
    merged: dict[int, set[int]] = {}
    for call in told.calls:
        for id_, some in call.items():
            merged.setdefault(id_, set()).update(some)
    assert merged == {1: {0, 1, 2}, 2: set(range(6))}
    asyncio.run(areas.note([(1, 2), (2, 5)]))
    assert len(told.calls) == 2


def test_what_could_not_be_told_is_told_again(site: Site) -> None:
    told = Told()
    areas = _areas(site, told)
    told.fails = True
    with pytest.raises(PenstockError):
        asyncio.run(areas.note([(1, 1)]))
    told.fails = False
    asyncio.run(areas.note([(1, 1)]))
    assert told.calls == [{1: [1]}]


def test_an_observation_names_a_feature_that_is_there(site: Site) -> None:
    site.post("Things", thing(datastream(), Locations=[]))
    feature = site.post("FeaturesOfInterest", FEATURE)
    body = {"result": 1, "FeatureOfInterest": {"@iot.id": feature}}
    site.post("Datastreams(1)/Observations", body)
    assert [one["@feature"] for one in site.observations(1)] == [feature]
    site.ask("delete", f"FeaturesOfInterest({feature})")
    with pytest.raises(NotFound, match="FeatureOfInterest"):
        site.post("Datastreams(1)/Observations", body)
    assert site.observations(1) == []
