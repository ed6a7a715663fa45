"""Reading entities. See `core.entities.EntityReader`."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, null, select

from penstock.catalog.database import Database
from penstock.catalog.entities.reading_asked import Asked
from penstock.catalog.entities.reading_columns import columns_of, sort_of
from penstock.catalog.entities.reading_shapes import MAX_INTEGER
from penstock.catalog.entities.reading_statements import Builder, Statement
from penstock.catalog.entities.reading_tables import SOURCES
from penstock.core.clock import Clock, SystemClock
from penstock.core.entities import Columns, ColumnsAlong, Query, Row
from penstock.core.errors import NotFound, NotSupported

#: Shapes of statements kept compiled; each costs some kilobytes.
STATEMENTS = 1_000

Rows = Sequence[tuple[Any, ...]]
_PARENT = itemgetter(-1)


class EntityReading:
    """Reads entities from a database.

    Args:
        database: Where they are.
        clock: Tells what `now()` is.
    """

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._statements: OrderedDict[Hashable, Statement] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, query: Query) -> Sequence[Row]:
        """Return the rows chosen, in order, each with its `@iot.id` and all properties."""
        asked = self._ask(query)
        if asked.is_empty:
            return []
        statement = self._statement("find", asked)
        return _named(statement, self._run(statement, asked.values))

    def count(self, query: Query) -> int:
        """Return how many entities `find` would give without limit, skip and after."""
        asked = self._ask(_whole(query))
        if asked.is_empty:
            return 0
        return int(self._run(self._statement("count", asked), asked.values)[0][0])

    def ids(self, query: Query) -> Sequence[int]:
        """Return the ids that `find` would give, ascending and all of them."""
        asked = self._ask(_whole(query))
        if asked.is_empty:
            return []
        return [row[0] for row in self._run(self._statement("ids", asked), asked.values)]

    def columns(self, query: Query) -> Columns:
        """Return what `find` does, as columns."""
        asked = self._ask(_one_more(query))
        if asked.is_empty:
            return Columns(ids=[], values={})
        statement = self._statement("columns", asked)
        rows, next_ = self._run(statement, asked.values), None
        if query.limit is not None and len(rows) > query.limit:
            rows = rows[: query.limit]
            next_ = sort_of(statement, rows[-1])
        return Columns(**columns_of(statement, rows), next=next_)

    def columns_along(self, query: Query) -> ColumnsAlong:
        """Answer `columns` for each id of `query.along.ids` by itself."""
        asked = self._ask(_one_more(query), one_by_one=True)
        if asked.is_empty or not asked.parents:
            return ColumnsAlong(ids=[], values={}, sizes=dict.fromkeys(asked.parents, 0))
        statement = self._statement("columns_along", asked)
        rows = list(self._run(statement, asked.values))
        rows.sort(key=_PARENT)
        limit = MAX_INTEGER if query.limit is None else query.limit
        kept: list[tuple[Any, ...]] = []
        nexts: dict[int, tuple[Any, ...]] = {}
        sizes: dict[int, int] = {}
        for parent, group in groupby(rows, _PARENT):
            some = list(group)
            if len(some) > limit:
                some = some[:limit]
                nexts[parent] = sort_of(statement, some[-1])
            sizes[parent] = len(some)
            kept += some
        for parent in asked.parents:
            sizes.setdefault(parent, 0)
        return ColumnsAlong(**columns_of(statement, kept), sizes=sizes, nexts=nexts)

    def count_along(self, query: Query) -> Mapping[int, int]:
        """Return for each id of `query.along.ids` how many entities there are."""
        asked = self._ask(_whole(query), one_by_one=True)
        found = dict.fromkeys(asked.parents, 0)
        if not asked.is_empty and found:
            found.update(self._run(self._statement("count_along", asked), asked.values))
        return found

    def system_of(self, type_: str, id_: int) -> int | None:
        """Return the system an entity belongs to through its Thing; None when it has none.

        Raises:
            NotFound: It does not exist.
        """
        if type_ not in SOURCES:
            msg = f"entities of type {type_} are not kept in the catalog"
            raise NotSupported(msg)
        with self._database.read() as connection:
            found = None
            if 0 < id_ <= MAX_INTEGER:
                found = connection.execute(_owner(type_), {"id": id_}).first()
        if found is None:
            msg = f"there is no {type_} with id {id_}"
            raise NotFound(msg)
        return None if found[0] is None else int(found[0])

    def _ask(self, query: Query, *, one_by_one: bool = False) -> Asked:
        return Asked(query, self._clock.now_us(), one_by_one=one_by_one)

    def _statement(self, method: str, asked: Asked) -> Statement:
        key = (method, asked.shape)
        with self._lock:
            known = self._statements.get(key)
            if known is not None:
                self._statements.move_to_end(key)
                return known
        builder = Builder(asked.wanted, self._database.engine.dialect)
        built: Statement = getattr(builder, method)()
        with self._lock:
            self._statements[key] = built
            while len(self._statements) > STATEMENTS:
                self._statements.popitem(last=False)
        return built

    def _run(self, statement: Statement, values: Mapping[str, object]) -> Rows:
        """Run a statement; rows as the driver gives them cost a fraction of SQLAlchemy's."""
        with self._database.read() as connection:
            result = connection.exec_driver_sql(statement.sql, statement.bind(values))
            cursor = result.cursor
            assert cursor is not None
            rows: Rows = cursor.fetchall()
        return rows


def _one_more(query: Query) -> Query:
    """Return a query that tells whether there is more than what is asked for."""
    if not query.limit:
        return query
    return msgspec.structs.replace(query, limit=query.limit + 1)


def _whole(query: Query) -> Query:
    """Return a query without what concerns pages and the looks of rows."""
    return msgspec.structs.replace(
        query, order=(), after=None, limit=None, skip=0, links=(), properties=None
    )


def _named(statement: Statement, rows: Rows) -> list[dict[str, Any]]:
    """Name the values of rows, one loop for all: this is where the time of large pages goes."""
    columns, raw, raw_json = statement.columns, statement.raw, msgspec.Raw
    named = []
    for values in rows:
        row = dict(zip(columns, values, strict=False))
        for name in raw:
            value = row[name]
            if value is not None:
                row[name] = raw_json(value)
        row["@sort"] = sort_of(statement, values)
        named.append(row)
    return named


@cache
def _owner(type_: str) -> Select[Any]:
    """Return what finds the system of an entity, which is that of its Thing; null without one."""
    source = SOURCES[type_]
    row = source.table.alias()
    way = {"HistoricalLocation": "Thing", "TaskingCapability": "Thing", "Task": "TaskingCapability"}
    way |= {"Datastream": "Thing", "MultiDatastream": "Thing"}
    query = select(null()).where(row.c.id == bindparam("id"))
    if source.only is not None:
        query = query.where(source.only(row))
    while type_ in way:
        column = SOURCES[type_].paths[way[type_]].here
        assert column is not None
        type_ = way[type_]
        next_ = SOURCES[type_].table.alias()
        query = query.where(row.c[column] == next_.c.id)
        row = next_
    return query.with_only_columns(row.c.system_id if type_ == "Thing" else null()).select_from(row)
