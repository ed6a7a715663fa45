"""The promises of reading entities, kept by the catalog in SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.catalog.systems import add_systems
from tests.catalog.template import ON_POSTGRES, fresh_catalog

from penstock.catalog.entities import SqlEntities
from penstock.core.access import EVERYTHING
from penstock.core.entities import Query
from penstock.core.errors import InvalidInput, NotSupported
from penstock.core.expression import Apply, Literal
from penstock.testing.entities_contract import EntityReadingContract, apply, path, thing


class TestSqlEntities(EntityReadingContract):
    @pytest.fixture
    def entities(self, tmp_path: Path) -> Iterator[SqlEntities]:
        catalog = fresh_catalog(tmp_path)
        add_systems(catalog, 2, 3)
        yield SqlEntities(catalog.database)
        catalog.close()

    @pytest.mark.skipif(ON_POSTGRES, reason="PostgreSQL takes conditions of this length")
    def test_what_is_beyond_the_limits_of_the_database_is_refused(
        self, entities: SqlEntities
    ) -> None:
        many = [apply("eq", path("name"), f"{at}") for at in range(3_000)]
        with pytest.raises(NotSupported, match="asks more"):
            self.ids(entities, "Thing", Apply("or", tuple(many)))

    def test_lists_may_be_long(self, entities: SqlEntities) -> None:
        made = [self.make(entities, thing(name, {"v": v})).id for name, v in (("a", 7), ("b", "7"))]

        def among(name: str, *values: object) -> list[object]:
            where = Apply("in", (path(name), *(Literal(value) for value in values)))  # type: ignore[arg-type]
            return self.ids(entities, "Thing", where)

        assert among("name", "b", *map(str, range(100_000))) == made[1:]
        assert among("@iot.id", made[0], *range(10_000, 100_000)) == made[:1]
        assert among("properties/v", *range(20)) == made[:1]
        assert among("properties/v", *map(str, range(20))) == made
        assert among("name", *range(20)) == []

    def test_numbers_beyond_64_bits_and_odd_positions_find_nothing(
        self, entities: SqlEntities
    ) -> None:
        self.make(entities, thing("t"))
        for odd in (10**30, -(10**30), "x", 1e300):
            assert self.ids(entities, "Thing", apply("eq", path("@iot.id"), odd)) == []
            query = Query(type="Thing", scope=EVERYTHING, after=(odd,), limit=5)
            if isinstance(odd, str):
                with pytest.raises(InvalidInput, match="position"):
                    entities.find(query)
            else:
                assert len(entities.find(query)) == (odd == -(10**30))
        for odd in (10**30, -5, 0):
            assert entities.find(Query(type="Thing", scope=EVERYTHING, id=odd)) == []
        with pytest.raises(InvalidInput, match="Unicode"):
            self.ids(entities, "Thing", apply("eq", path("name"), "\ud800"))
        with pytest.raises(InvalidInput, match="position"):
            entities.find(Query(type="Thing", scope=EVERYTHING, after=(1, 2)))
