"""What any catalog's side of SensorThings must do.

Derive from `EntityReadingContract` and give it an `entities` fixture: something empty that reads
and writes, and that knows the systems 1, 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
import pytest

from penstock.core.access import EVERYTHING, Scope
from penstock.core.entities import (
    Columns,
    EntityReader,
    EntityWriter,
    Made,
    New,
    Query,
    Row,
    Step,
)
from penstock.core.errors import InvalidInput, NotFound, NotSupported
from penstock.core.expression import (
    Any,
    Apply,
    Expression,
    Literal,
    Members,
    Moment,
    Order,
    Property,
    Shape,
    Span,
    Value,
)

NOW_US = 1_700_000_000_000_000
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"
CELSIUS = {"name": "degree Celsius", "symbol": "°C", "definition": "http://qudt.org/DEG_C"}


class Entities(EntityReader, EntityWriter, Protocol):
    """Reads and writes."""


def path(text: str) -> Property:
    """Return a path written with slashes."""
    return Property(tuple(text.split("/")))


def apply(function: str, *arguments: Expression | Value) -> Apply:
    """Return a function or operator with paths (as texts with a slash in front) and values."""
    parts = [
        argument if isinstance(argument, (Property, Apply, Any, Literal)) else Literal(argument)
        for argument in arguments
    ]
    return Apply(function, tuple(parts))


def place(x: float, y: float, **more: object) -> New:
    """Return a Location at a point."""
    values = {
        "name": f"at {x} {y}",
        "description": "",
        "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": [x, y]},
        **more,
    }
    return New(type="Location", values=values)


def thing(
    name: str, properties: Mapping[str, object] | None = None, **links: Sequence[int | New]
) -> New:
    """Return a Thing."""
    values = {"name": name, "description": f"a {name}", "properties": properties or {}}
    return New(type="Thing", values=values, links=links)


def sensor(name: str, metadata: object = "none") -> New:
    """Return a Sensor."""
    values = {
        "name": name,
        "description": "measures",
        "encodingType": "text/plain",
        "metadata": metadata,
    }
    return New(type="Sensor", values=values)


def observed(name: str) -> New:
    """Return an ObservedProperty."""
    values = {"name": name, "definition": f"http://example.org/{name}", "description": name}
    return New(type="ObservedProperty", values=values)


def stream(name: str, **links: Sequence[int | New]) -> New:
    """Return a Datastream with a Sensor and ObservedProperty of its own unless they are given."""
    values = {
        "name": name,
        "description": f"the {name}",
        "observationType": MEASUREMENT,
        "unitOfMeasurement": CELSIUS,
        "properties": {"of": name},
    }
    ends: dict[str, Sequence[int | New]] = {
        "Sensor": (sensor(f"sensor of {name}"),),
        "ObservedProperty": (observed(name),),
    }
    return New(type="Datastream", values=values, links={**ends, **links})


def multi(name: str, *properties: New | int, **links: Sequence[int | New]) -> New:
    """Return a MultiDatastream of these ObservedProperties."""
    values = {
        "name": name,
        "description": f"the {name}",
        "observationType": COMPLEX,
        "multiObservationDataTypes": [MEASUREMENT] * len(properties),
        "unitOfMeasurements": [CELSIUS] * len(properties),
    }
    ends: dict[str, Sequence[int | New]] = {
        "Sensor": (sensor("multi"),),
        "ObservedProperties": properties,
    }
    return New(type="MultiDatastream", values=values, links={**ends, **links})


def plain(row: Row) -> dict[str, object]:
    """Return a row with its JSON decoded and without its sort keys."""
    return {
        name: msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
        for name, value in row.items()
        if name != "@sort"
    }


def told(found: Columns) -> list[dict[str, object]]:
    """Return columns as rows, as `plain` gives them."""
    rows: list[dict[str, object]] = [{"@iot.id": id_} for id_ in found.ids]
    if found.kinds:
        for row, kind in zip(rows, found.kinds, strict=True):
            row["@kind"] = kind
    for name, values in found.values.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = msgspec.json.decode(value) if isinstance(value, str) else value
    return rows


class EntityReadingContract:
    """The promises of `core.entities.EntityReader`, one test each."""

    @pytest.fixture
    def entities(self) -> Entities:
        """Return what is tested, empty. To be overridden."""
        raise NotImplementedError

    @staticmethod
    def make(entities: Entities, new: New, system: int = 1) -> Made:
        """Make an entity and those within it."""
        return entities.create(new, system, NOW_US)

    @staticmethod
    def ids(
        entities: Entities,
        type_: str,
        where: Expression | None = None,
        scope: Scope = EVERYTHING,
        **more: object,
    ) -> list[object]:
        """Return ids in the order of `find`, which agrees with `ids` and `count`."""
        query = Query(type=type_, scope=scope, where=where, **more)  # type: ignore[arg-type]
        rows = entities.find(query)
        found = [row["@iot.id"] for row in rows]
        columns = entities.columns(query)
        assert told(columns) == [plain(row) for row in rows]
        assert columns.next is None or columns.next == rows[-1]["@sort"]
        if query.limit is None and not query.skip and query.after is None:
            assert list(entities.ids(query)) == sorted(found)  # type: ignore[type-var]
            assert entities.count(query) == len(found)
        return found

    # Rows

    def test_a_thing_has_its_properties(self, entities: Entities) -> None:
        made = self.make(entities, thing("oven", {"site": {"name": "north", "floor": 2}}))
        (row,) = entities.find(Query(type="Thing", scope=EVERYTHING, id=made.id))
        assert plain(row) == {
            "@iot.id": made.id,
            "name": "oven",
            "description": "a oven",
            "properties": {"site": {"name": "north", "floor": 2}},
        }

    @pytest.mark.parametrize(
        "texts",
        [
            ('","', "\\", '"'),
            ("", "\n\x01\x7f", "°😀\u2028"),
            ('ends in ",', '\\",', '",","a":"b'),
            ('\\\\",', ","),
            (),
        ],
    )
    def test_columns_are_json_whatever_texts_hold(
        self, entities: Entities, texts: tuple[str, ...]
    ) -> None:
        for text in texts:
            self.make(entities, thing(f"oven {text}", {text: [text]}))
        assert len(self.ids(entities, "Thing")) == len(texts)
        found = entities.columns(Query(type="Thing", scope=EVERYTHING))
        assert [row["properties"] for row in told(found)] == [{text: [text]} for text in texts]
        assert [row["name"] for row in told(found)] == [f"oven {text}" for text in texts]

    @pytest.mark.parametrize("value", [5, 0, 1.5, -2, True, "5", [5], {"a": 5}])
    def test_json_is_what_was_given_also_where_it_is_a_number(
        self, entities: Entities, value: object
    ) -> None:
        heat = stream("heat", Sensor=(sensor("probe", value),))
        self.make(entities, thing("oven", Datastreams=(heat,)))
        self.ids(entities, "Sensor")
        found = entities.columns(Query(type="Sensor", scope=EVERYTHING))
        (text,) = found.values["metadata"]
        assert isinstance(text, str)
        assert msgspec.json.decode(text) == value

    def test_columns_tell_where_they_go_on(self, entities: Entities) -> None:
        ids = [self.make(entities, thing(str(at))).id for at in range(3)]
        query = Query(type="Thing", scope=EVERYTHING, limit=2)
        found = entities.columns(query)
        assert (list(found.ids), found.next) == (ids[:2], (ids[1],))
        rest = entities.columns(msgspec.structs.replace(query, after=found.next))
        assert (list(rest.ids), rest.next) == (ids[2:], None)

    def test_a_datastream_has_its_unit_and_the_full_name_of_its_kind(
        self, entities: Entities
    ) -> None:
        made = self.make(entities, thing("oven", Datastreams=(stream("heat"),)))
        query = Query(type="Datastream", scope=EVERYTHING, links=("Thing", "Sensor"))
        row = plain(entities.find(query)[0])
        assert row["unitOfMeasurement"] == CELSIUS
        assert row["observationType"] == MEASUREMENT
        assert row["observedArea"] is None
        assert row["properties"] == {"of": "heat"}
        assert row["Thing@iot.id"] == made.id
        assert isinstance(row["Sensor@iot.id"], int)

    def test_only_properties_that_are_needed_need_be_read(self, entities: Entities) -> None:
        self.make(entities, thing("oven"))
        (row,) = entities.find(Query(type="Thing", scope=EVERYTHING, properties=("name",)))
        assert row["name"] == "oven"

    def test_a_multi_datastream_has_the_parts_of_its_results(self, entities: Entities) -> None:
        self.make(
            entities, thing("oven", MultiDatastreams=(multi("wind", observed("u"), observed("v")),))
        )
        (row,) = entities.find(Query(type="MultiDatastream", scope=EVERYTHING))
        assert plain(row)["unitOfMeasurements"] == [CELSIUS, CELSIUS]
        assert plain(row)["multiObservationDataTypes"] == [MEASUREMENT, MEASUREMENT]
        assert self.ids(entities, "Datastream") == []

    def test_metadata_may_be_text_or_json(self, entities: Entities) -> None:
        for metadata in ("a text", {"type": "SensorML"}):
            self.make(entities, sensor("s", metadata))
        rows = entities.find(Query(type="Sensor", scope=EVERYTHING))
        assert [plain(row)["metadata"] for row in rows] == ["a text", {"type": "SensorML"}]

    # Along links

    def test_links_are_followed_both_ways(self, entities: Entities) -> None:
        made = self.make(
            entities,
            thing("oven", Locations=(place(1, 2),), Datastreams=(stream("a"), stream("b"))),
        )
        streams = self.ids(entities, "Datastream")
        along = Step("Thing", (made.id,), "Datastreams")
        assert self.ids(entities, "Datastream", along=along) == streams
        back = Step("Datastream", (streams[1],), "Thing")  # type: ignore[arg-type]
        assert self.ids(entities, "Thing", along=back) == [made.id]
        (location,) = self.ids(entities, "Location")
        there = Step("Location", (location,), "Things")  # type: ignore[arg-type]
        assert self.ids(entities, "Thing", along=there) == [made.id]
        (visit,) = self.ids(entities, "HistoricalLocation")
        when = Step("HistoricalLocation", (visit,), "Locations")  # type: ignore[arg-type]
        assert self.ids(entities, "Location", along=when) == [location]

    def test_each_parent_has_a_page_of_its_own(self, entities: Entities) -> None:
        parents = tuple(
            self.make(
                entities, thing(str(at), Datastreams=tuple(stream(f"{at}.{n}") for n in range(at)))
            ).id
            for at in range(4)
        )
        query = Query(
            type="Datastream",
            scope=EVERYTHING,
            along=Step("Thing", (*parents, 99_999), "Datastreams"),
            order=(Order(path("name"), descending=True),),
            limit=2,
            skip=1,
        )
        found = entities.columns_along(query)
        named = iter(told(found))
        names = {
            parent: [next(named)["name"] for _ in range(n)] for parent, n in found.sizes.items()
        }
        assert found.nexts == {}
        assert names == {
            parents[0]: [],
            parents[1]: [],
            parents[2]: ["2.0"],
            parents[3]: ["3.1", "3.0"],
            99_999: [],
        }
        counts = {**dict(zip(parents, range(4), strict=True)), 99_999: 0}
        assert entities.count_along(query) == counts

    def test_a_property_in_two_parts_of_a_multi_datastream_is_found_twice(
        self, entities: Entities
    ) -> None:
        speed = self.make(entities, observed("speed")).id
        other = self.make(entities, observed("a direction")).id
        parts = (speed, other, speed)
        self.make(entities, thing("oven", MultiDatastreams=(multi("wind", *parts),)))
        (id_,) = self.ids(entities, "MultiDatastream")
        along = Step("MultiDatastream", (id_,), "ObservedProperties")  # type: ignore[arg-type]
        query = Query(type="ObservedProperty", scope=EVERYTHING, along=along)
        for order, wanted in (
            ((), parts),
            ((Order(path("name")),), (other, speed, speed)),
            ((Order(path("name"), descending=True),), (speed, speed, other)),
        ):
            ordered = msgspec.structs.replace(query, order=order)
            assert tuple(entities.columns_along(ordered).ids) == wanted
            pages: list[object] = []
            page = msgspec.structs.replace(ordered, limit=1)
            while found := entities.find(page):
                along_one = entities.columns_along(page)
                assert list(along_one.ids) == [found[0]["@iot.id"]]
                is_last = len(pages) == len(wanted) - 1
                assert dict(along_one.nexts) == ({} if is_last else {id_: found[0]["@sort"]})
                pages.append(found[0]["@iot.id"])
                page = msgspec.structs.replace(page, after=found[0]["@sort"])
            assert tuple(pages) == wanted
        assert entities.count_along(query) == {id_: 3}
        assert entities.count(query) == 3
        assert list(entities.ids(query)) == sorted({speed, other})
        back = Step("ObservedProperty", (speed,), "MultiDatastreams")
        assert self.ids(entities, "MultiDatastream", along=back) == [id_]

    def test_properties_of_a_multi_datastream_are_in_the_order_of_its_parts(
        self, entities: Entities
    ) -> None:
        u, v, w = (self.make(entities, observed(name)).id for name in "uvw")
        self.make(entities, thing("oven", MultiDatastreams=(multi("wind", w, u, v),)))
        (id_,) = self.ids(entities, "MultiDatastream")
        along = Step("MultiDatastream", (id_,), "ObservedProperties")  # type: ignore[arg-type]
        query = Query(type="ObservedProperty", scope=EVERYTHING, along=along, limit=2)
        first = entities.find(query)
        assert [row["@iot.id"] for row in first] == [w, u]
        assert list(entities.columns_along(query).ids) == [w, u]
        rest = msgspec.structs.replace(query, after=first[-1]["@sort"])
        assert [row["@iot.id"] for row in entities.find(rest)] == [v]

    def test_a_datastream_is_no_multi_datastream(self, entities: Entities) -> None:
        self.make(entities, thing("oven", Datastreams=(stream("a"),)))
        (id_,) = self.ids(entities, "Datastream")
        along = Step("MultiDatastream", (id_,), "Thing")  # type: ignore[arg-type]
        assert self.ids(entities, "Thing", along=along) == []
        query = Query(type="Thing", scope=EVERYTHING, along=along)
        assert entities.columns_along(query).sizes == {id_: 0}

    # Pages

    @pytest.mark.parametrize("descending", [False, True])
    def test_pages_go_on_behind_the_last_row_also_where_keys_are_null_or_equal(
        self, entities: Entities, descending: bool
    ) -> None:
        for floor in (3, None, 1, 3, None, 2.5, "x", 3):
            self.make(entities, thing("t", {} if floor is None else {"floor": floor}))
        order = (Order(path("properties/floor"), descending=descending), Order(path("name")))
        query = Query(type="Thing", scope=EVERYTHING, order=order)
        whole = [row["@iot.id"] for row in entities.find(query)]
        keys = [row["@sort"][0] for row in entities.find(query)]  # type: ignore[index]
        rising = [None, None, 1, 2.5, 3, 3, 3, "x"]
        assert keys == (rising[::-1] if descending else rising)
        paged: list[object] = []
        after = None
        while rows := entities.find(msgspec.structs.replace(query, limit=3, after=after)):
            paged += [row["@iot.id"] for row in rows]
            after = rows[-1]["@sort"]
        assert paged == whole

    def test_without_order_ids_ascend_and_pages_go_on_by_id(self, entities: Entities) -> None:
        made = [self.make(entities, thing(str(at))).id for at in range(5)]
        assert self.ids(entities, "Thing", limit=2, after=(made[1],)) == made[2:4]
        assert self.ids(entities, "Thing", limit=2, skip=3) == made[3:]
        assert self.ids(entities, "Thing", limit=0) == []

    def test_sorting_goes_along_links_to_one_and_by_expressions(self, entities: Entities) -> None:
        for name in ("b", "a", "c"):
            self.make(entities, thing(name, {"n": ord(name)}, Datastreams=(stream("x" + name),)))
        by_thing = (Order(path("Thing/name"), descending=True),)
        rows = entities.find(Query(type="Datastream", scope=EVERYTHING, order=by_thing))
        assert [row["name"] for row in rows] == ["xc", "xb", "xa"]
        by_number = (Order(apply("mul", path("properties/n"), -1)),)
        rows = entities.find(Query(type="Thing", scope=EVERYTHING, order=by_number))
        assert [row["name"] for row in rows] == ["c", "b", "a"]

    def test_sorting_along_a_link_to_many_is_refused(self, entities: Entities) -> None:
        order = (Order(path("Datastreams/name")),)
        with pytest.raises(InvalidInput, match="Datastreams"):
            entities.find(Query(type="Thing", scope=EVERYTHING, order=order))

    # Conditions

    def test_json_numbers_compare_as_numbers_and_text_as_text(self, entities: Entities) -> None:
        values = [5, 10, "10", True, None, [1], {"a": 1}]
        made = [self.make(entities, thing("t", {"v": value})).id for value in values]
        made.append(self.make(entities, thing("t")).id)

        def chosen(function: str, value: object) -> list[object]:
            found = self.ids(entities, "Thing", apply(function, path("properties/v"), value))  # type: ignore[arg-type]
            return [values[made.index(id_)] for id_ in found]  # type: ignore[arg-type]

        assert chosen("gt", 4) == [5, 10]
        assert chosen("eq", 10) == [10]
        assert chosen("eq", "10") == [10, "10"]
        assert chosen("eq", True) == [True]
        assert chosen("ne", 5) == [10, "10", True, [1], {"a": 1}]
        assert self.ids(entities, "Thing", apply("eq", path("properties/v"), None)) == [
            made[4],
            made[7],
        ]

    def test_what_is_said_of_one_path_speaks_of_one_entity(self, entities: Entities) -> None:
        one = self.make(entities, thing("one", Datastreams=(stream("hot"), stream("cold")))).id
        where = apply(
            "and",
            apply("eq", path("Datastreams/name"), "hot"),
            apply("eq", path("Datastreams/description"), "the cold"),
        )
        assert self.ids(entities, "Thing", where) == []
        hot = apply("eq", path("Datastreams/name"), "hot")
        assert self.ids(entities, "Thing", hot) == [one]
        assert self.ids(entities, "Thing", apply("not", hot)) == [one]
        both = apply(
            "and",
            Any(("Datastreams",), "d", apply("eq", path("d/name"), "hot")),
            Any(("Datastreams",), "d", apply("eq", path("d/name"), "cold")),
        )
        assert self.ids(entities, "Thing", both) == [one]

    def test_any_sees_what_is_around_it(self, entities: Entities) -> None:
        same = self.make(entities, thing("same", Datastreams=(stream("same"), stream("x")))).id
        self.make(entities, thing("other", Datastreams=(stream("y"),)))
        where = Any(("Datastreams",), "d", apply("eq", path("d/name"), path("name")))
        assert self.ids(entities, "Thing", where) == [same]

    def test_where_nothing_is_linked_all_is_null(self, entities: Entities) -> None:
        bare = self.make(entities, thing("bare")).id
        self.make(entities, thing("full", Datastreams=(stream("a"),)))
        nothing = apply("eq", path("Datastreams/@iot.id"), None)
        assert self.ids(entities, "Thing", nothing) == [bare]
        assert self.ids(entities, "Thing", apply("ne", path("Datastreams/name"), "b")) != [bare]

    def test_conditions_go_along_links_to_any_depth(self, entities: Entities) -> None:
        self.make(entities, thing("far", Locations=(place(9, 9),), Datastreams=(stream("a"),)))
        near = stream("b")
        self.make(entities, thing("near", Locations=(place(1, 1),), Datastreams=(near,)))
        area = Shape("POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))")
        where = apply("st_within", path("Datastreams/Thing/Locations/location"), area)
        found = entities.find(Query(type="Sensor", scope=EVERYTHING, where=where))
        assert [row["name"] for row in found] == ["sensor of b"]

    def test_sets_of_ids_may_be_large_and_at_the_end_of_links(self, entities: Entities) -> None:
        one = self.make(entities, thing("one", Datastreams=(stream("a"),))).id
        self.make(entities, thing("two", Datastreams=(stream("b"),)))
        (first, _) = self.ids(entities, "Datastream")
        members = Members(frozenset({first, *range(1_000, 30_000)}))  # type: ignore[arg-type]
        where = apply("in", path("Datastreams/@iot.id"), members)
        assert self.ids(entities, "Thing", where) == [one]
        assert self.ids(entities, "Datastream", apply("in", path("@iot.id"), members)) == [first]

    def test_times_compare_with_points_and_intervals(self, entities: Entities) -> None:
        self.make(entities, thing("t", Locations=(place(1, 1),)))
        (visit,) = self.ids(entities, "HistoricalLocation")
        span = Span(NOW_US, NOW_US + 1)
        assert self.ids(entities, "HistoricalLocation", apply("during", path("time"), span)) == [
            visit
        ]
        assert (
            self.ids(entities, "HistoricalLocation", apply("lt", path("time"), Moment(NOW_US)))
            == []
        )
        assert self.ids(
            entities, "HistoricalLocation", apply("eq", apply("year", path("time")), 2023)
        ) == [visit]

    def test_unknown_paths_say_where_they_stand(self, entities: Entities) -> None:
        for wrong in (("nam",), ("Datastreams", "nam"), ("Datastreams",), ("name", "first")):
            where = Apply("eq", (Property(wrong, at=17), Literal(1)))
            with pytest.raises(InvalidInput, match="17"):
                entities.find(Query(type="Thing", scope=EVERYTHING, where=where))
        where = Apply("sinus", (Property(("name",)),), at=23)
        with pytest.raises(InvalidInput, match="23"):
            entities.count(Query(type="Thing", scope=EVERYTHING, where=where))

    def test_what_is_with_observations_is_answered_elsewhere(self, entities: Entities) -> None:
        for beyond in ("Observations/result", "phenomenonTime"):
            where = apply("gt", path(beyond), 5)
            with pytest.raises(NotSupported):
                entities.find(Query(type="Datastream", scope=EVERYTHING, where=where))
        with pytest.raises(NotSupported):
            entities.find(Query(type="Observation", scope=EVERYTHING))

    # Who may see it

    def test_what_is_out_of_scope_does_not_exist(self, entities: Entities) -> None:
        ours = self.make(
            entities, thing("ours", Locations=(place(1, 1),), Datastreams=(stream("a"),)), 2
        ).id
        theirs = self.make(
            entities, thing("theirs", Locations=(place(2, 2),), Datastreams=(stream("b"),)), 3
        ).id
        scope = Scope(systems=frozenset({2}))
        for type_, count in (
            ("Thing", 1), ("Location", 1), ("HistoricalLocation", 1), ("Datastream", 1),
            ("Sensor", 1), ("ObservedProperty", 1),
        ):  # fmt: skip
            assert len(self.ids(entities, type_, scope=scope)) == count, type_
            assert len(self.ids(entities, type_, scope=Scope())) == 0, type_
        assert self.ids(entities, "Thing", scope=scope) == [ours]
        assert self.ids(entities, "Thing", scope=scope, id=theirs) == []
        step = Step("Thing", (ours, theirs), "Datastreams")
        query = Query(type="Datastream", scope=scope, along=step)
        assert entities.columns_along(query).sizes == {ours: 1, theirs: 0}
        assert entities.count_along(query) == {ours: 1, theirs: 0}

    def test_conditions_see_nothing_that_is_out_of_scope(self, entities: Entities) -> None:
        shared = self.make(entities, sensor("shared")).id
        for system, name in ((2, "ours"), (3, "theirs")):
            new = thing(name, Datastreams=(stream(name, Sensor=(shared,)),))
            self.make(entities, new, system)
        scope = Scope(systems=frozenset({2}))

        def found(name: str) -> Sequence[object]:
            where = apply("eq", path("Datastreams/name"), name)
            return self.ids(entities, "Sensor", where, scope)

        assert found("ours") == [shared]
        assert found("theirs") == []
        other = apply("ne", path("Datastreams/name"), "ours")
        assert self.ids(entities, "Sensor", other, scope) == []

    def test_a_datastream_shared_by_itself_shows_its_thing_and_place_alone(
        self, entities: Entities
    ) -> None:
        new = thing("t", Locations=(place(1, 1),), Datastreams=(stream("a"), stream("b")))
        made = self.make(entities, new, 3)
        first, _ = self.ids(entities, "Datastream")
        scope = Scope(datastreams=frozenset({first}))  # type: ignore[arg-type]
        assert self.ids(entities, "Thing", scope=scope) == [made.id]
        assert self.ids(entities, "Datastream", scope=scope) == [first]
        assert len(self.ids(entities, "Location", scope=scope)) == 1
        assert self.ids(entities, "HistoricalLocation", scope=scope) == []
        assert len(self.ids(entities, "Sensor", scope=scope)) == 1

    def test_what_nothing_is_linked_to_is_seen_by_the_system_it_was_made_for(
        self, entities: Entities
    ) -> None:
        lonely = self.make(entities, sensor("lonely"), 2).id
        assert self.ids(entities, "Sensor", scope=Scope(systems=frozenset({2}))) == [lonely]
        assert self.ids(entities, "Sensor", scope=Scope(systems=frozenset({3}))) == []

    def test_the_system_of_an_entity_is_that_of_its_thing(self, entities: Entities) -> None:
        made = self.make(
            entities, thing("t", Locations=(place(1, 1),), Datastreams=(stream("a"),)), 2
        )
        assert entities.system_of("Thing", made.id) == 2
        (id_,) = self.ids(entities, "Datastream")
        assert entities.system_of("Datastream", id_) == 2  # type: ignore[arg-type]
        (visit,) = self.ids(entities, "HistoricalLocation")
        assert entities.system_of("HistoricalLocation", visit) == 2  # type: ignore[arg-type]
        (location,) = self.ids(entities, "Location")
        assert entities.system_of("Location", location) is None  # type: ignore[arg-type]
        for type_ in ("Thing", "MultiDatastream", "Sensor"):
            with pytest.raises(NotFound):
                entities.system_of(type_, 99_999)
