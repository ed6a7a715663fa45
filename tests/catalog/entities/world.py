"""Small catalogs for tests: rows of all tables, drawn, loaded, and cut down to a scope."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Table, delete, insert
from tests.catalog.template import ON_POSTGRES

from penstock.catalog import SqlCatalog
from penstock.catalog.dialects.postgresql import continue_ids
from penstock.catalog.tables import Base
from penstock.core.access import Scope

Rows = list[dict[str, Any]]
#: Rows by the name of their table.
World = Mapping[str, Rows]

#: In the order in which rows can be made.
TABLES = (
    "feature_of_interest",
    "thing",
    "location",
    "thing_location",
    "historical_location",
    "historical_location_location",
    "sensor",
    "observed_property",
    "datastream",
    "datastream_observed_property",
    "datastream_feature",
    "actuator",
    "tasking_capability",
    "task",
)
SYSTEMS = (1, 2, 3)
KINDS = ("Measurement", "Count", "Truth", "Category", "Complex")

_NAMES = ("a", "b", "ab", "Ab", "ä", "", "10")
_SCALARS = (
    None, True, False, 0, 1, 2, 5, 10, -1, 2.5, 10.0, "a", "b", "10", "2023-11-14T22:13:20Z", "",
)  # fmt: skip
_TIMES_US = tuple(1_700_000_000_000_000 + step * 250_000 for step in (-4, 0, 1, 2, 3, 400_000))


class _Maker:
    """Makes rows at random; drawing every one of them would take longer than what is tested."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.world: dict[str, Rows] = {table: [] for table in TABLES}

    def pick(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def many(self, most: int) -> range:
        return range(1, self._random.randint(0, most) + 1)

    def one_of(self, table: str) -> int:
        return int(self.pick(*self.world[table])["id"])

    def value(self, depth: int = 2) -> Any:
        kind = self._random.randint(0, 5) if depth else 5
        if kind == 0:
            return [self.value(depth - 1) for _ in self.many(2)]
        if kind == 1:
            return {self.pick("x", "y"): self.value(depth - 1) for _ in self.many(2)}
        return self.pick(*_SCALARS)

    def properties(self) -> dict[str, Any]:
        return {self.pick("p", "q", "r"): self.value() for _ in self.many(4)}

    def place(self) -> dict[str, Any]:
        point = {"type": "Point", "coordinates": [self.pick(0, 1, 2), self.pick(0, 1, 2)]}
        return self.pick(
            point,
            {"type": "Feature", "geometry": point, "properties": {}},
            {"type": "LineString", "coordinates": [[0, 0], [3, 4]]},
            {"no": "geometry"},
        )

    def named(self, id_: int, **more: Any) -> dict[str, Any]:
        text = {"name": self.pick(*_NAMES), "description": self.pick(*_NAMES)}
        return {"id": id_, **text, "properties": self.properties(), **more}

    def shared(self, id_: int, **more: Any) -> dict[str, Any]:
        return self.named(id_, home_id=self.pick(None, *SYSTEMS), **more)

    def pair(self, table: str, ours: str, theirs: str, left: str, right: str) -> None:
        both = [
            (one["id"], other["id"]) for one in self.world[ours] for other in self.world[theirs]
        ]
        chosen = self._random.sample(both, min(len(both), self._random.randint(0, 5)))
        self.world[table] = [{left: one, right: other} for one, other in sorted(chosen)]

    def some_feature(self) -> int | None:
        return self.pick(None, *(row["id"] for row in self.world["feature_of_interest"]))

    def make(self) -> World:
        world = self.world
        encoded = {"encoding_type": "application/geo+json"}
        described = {"encoding_type": "text/plain", "metadata_json": None}
        world["feature_of_interest"] = [
            self.shared(at, feature=self.place(), **encoded) for at in self.many(2)
        ]
        world["thing"] = [
            self.named(at, system_id=self.pick(*SYSTEMS), position=None, located_us=None)
            for at in self.many(4)
        ]
        world["location"] = [
            self.shared(at, location=self.place(), feature_id=self.some_feature(), **encoded)
            for at in self.many(3)
        ]
        self.pair("thing_location", "thing", "location", "thing_id", "location_id")
        world["sensor"] = [
            self.shared(at, metadata=self.pick(*_NAMES), **described) for at in self.many(2)
        ]
        world["observed_property"] = [
            self.shared(at, definition=self.pick(*_NAMES)) for at in self.many(2)
        ]
        world["actuator"] = [self.shared(at, metadata="", **described) for at in self.many(2)]
        if world["thing"]:
            world["historical_location"] = [
                {"id": at, "thing_id": self.one_of("thing"), "time_us": self.pick(*_TIMES_US)}
                for at in self.many(3)
            ]
            self.pair(
                "historical_location_location", "historical_location", "location",
                "historical_location_id", "location_id",
            )  # fmt: skip
            if world["sensor"] and world["observed_property"]:
                self.streams()
            if world["actuator"]:
                self.tasks()
        self.pair(
            "datastream_feature", "datastream", "feature_of_interest", "datastream_id", "feature_id"
        )
        return world

    def streams(self) -> None:
        for at in self.many(5):
            parts = self.pick(0, 0, 1, 2)
            self.world["datastream"].append(
                self.named(
                    at,
                    full_name=f"d{at}",
                    thing_id=self.one_of("thing"),
                    sensor_id=self.one_of("sensor"),
                    observed_property_id=self.one_of("observed_property"),
                    observation_type=self.pick(*KINDS),
                    observation_type_uri=self.pick("", "http://x.org/own"),
                    unit_name=self.pick(*_NAMES),
                    unit_symbol=self.pick(*_NAMES),
                    unit_definition="",
                    unit_verbatim=self.pick(None, {"name": None, "symbol": "b"}),
                    multi=_multi(parts),
                    observed_area=self.pick(None, self.place()),
                    feature_id=self.some_feature(),
                    retention_s=None,
                    search="",
                )
            )
            self.world["datastream_observed_property"] += [
                {
                    "datastream_id": at,
                    "position": position,
                    "observed_property_id": self.one_of("observed_property"),
                }
                for position in range(parts)
            ]

    def tasks(self) -> None:
        self.world["tasking_capability"] = [
            self.named(
                at,
                tasking_parameters={"type": "DataRecord"},
                thing_id=self.one_of("thing"),
                actuator_id=self.one_of("actuator"),
            )
            for at in self.many(2)
        ]
        if self.world["tasking_capability"]:
            self.world["task"] = [
                {
                    "id": at,
                    "key": f"k{at}",
                    "tasking_capability_id": self.one_of("tasking_capability"),
                    "tasking_parameters": self.properties(),
                    "creation_time_us": self.pick(*_TIMES_US),
                    "state": "sent",
                    "expires_us": 0,
                    "message": "",
                    "made_by": "",
                }
                for at in self.many(2)
            ]


#: Rows of a few entities of each type, linked at random.
worlds = st.integers(0, 10**9).map(lambda seed: _Maker(seed).make())


def _multi(parts: int) -> dict[str, Any] | None:
    if not parts:
        return None
    return {"multiObservationDataTypes": ["x"] * parts, "unitOfMeasurements": [{}] * parts}


_few = st.frozensets(st.integers(1, 4), max_size=2)
#: What somebody may read; never everything.
scopes = st.builds(
    Scope,
    systems=st.frozensets(st.sampled_from(SYSTEMS), max_size=2),
    things=_few,
    datastreams=_few,
)


def load(world: World, catalog: SqlCatalog) -> None:
    """Replace all that a catalog holds by these rows."""
    tables: Mapping[str, Table] = Base.metadata.tables
    with catalog.database.write(durable=False) as connection:
        for name in reversed(TABLES):
            connection.execute(delete(tables[name]))
        for name in TABLES:
            if world[name]:
                connection.execute(insert(tables[name]), world[name])
        if ON_POSTGRES:
            continue_ids(connection)


def within(world: World, scope: Scope) -> World:
    """Return the rows that somebody may read."""
    whole = {
        row["id"]
        for row in world["thing"]
        if row["system_id"] in scope.systems or row["id"] in scope.things
    }
    streams = [
        row
        for row in world["datastream"]
        if row["thing_id"] in whole or row["id"] in scope.datastreams
    ]
    seen = {row["id"] for row in streams}
    things = whole | {row["thing_id"] for row in streams}
    visits = [row for row in world["historical_location"] if row["thing_id"] in whole]
    seen_visits = {row["id"] for row in visits}
    capabilities = [row for row in world["tasking_capability"] if row["thing_id"] in whole]
    seen_capabilities = {row["id"] for row in capabilities}
    here = [row for row in world["thing_location"] if row["thing_id"] in things]
    once = [
        row
        for row in world["historical_location_location"]
        if row["historical_location_id"] in seen_visits
    ]
    parts = [row for row in world["datastream_observed_property"] if row["datastream_id"] in seen]

    features = [row for row in world["datastream_feature"] if row["datastream_id"] in seen]

    def linked(column: str, *tables: str) -> set[int]:
        return {row[column] for table in tables for row in world[table]}

    def kept(table: str, ids: set[int], all_linked: set[int]) -> Rows:
        return [
            row
            for row in world[table]
            if row["id"] in ids or (row["id"] not in all_linked and row["home_id"] in scope.systems)
        ]

    def ids_of(rows: Rows, column: str) -> set[int]:
        return {row[column] for row in rows}

    places = kept(
        "location",
        ids_of(here, "location_id") | ids_of(once, "location_id"),
        linked("location_id", "thing_location", "historical_location_location"),
    )
    return {
        **world,
        "thing": [row for row in world["thing"] if row["id"] in things],
        "location": places,
        "thing_location": here,
        "historical_location": visits,
        "historical_location_location": once,
        "sensor": kept("sensor", ids_of(streams, "sensor_id"), linked("sensor_id", "datastream")),
        "observed_property": kept(
            "observed_property",
            ids_of(streams, "observed_property_id") | ids_of(parts, "observed_property_id"),
            linked("observed_property_id", "datastream", "datastream_observed_property"),
        ),
        "datastream": streams,
        "datastream_observed_property": parts,
        "feature_of_interest": kept(
            "feature_of_interest",
            ids_of(streams, "feature_id")
            | ids_of(places, "feature_id")
            | ids_of(features, "feature_id"),
            linked("feature_id", "datastream", "location", "datastream_feature"),
        ),
        "datastream_feature": features,
        "actuator": kept(
            "actuator",
            ids_of(capabilities, "actuator_id"),
            linked("actuator_id", "tasking_capability"),
        ),
        "tasking_capability": capabilities,
        "task": [row for row in world["task"] if row["tasking_capability_id"] in seen_capabilities],
    }
