"""The statements that answer queries about entities; built once for each shape of query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Dialect,
    Select,
    bindparam,
    distinct,
    func,
    literal_column,
    select,
)

from penstock.catalog.dialects.words import Plain, Raw, Word, pages_of
from penstock.catalog.entities.reading_conditions import Conditions
from penstock.catalog.entities.reading_links import backward, forward, path_of
from penstock.catalog.entities.reading_order import Sorting
from penstock.catalog.entities.reading_scope import Visibility, is_given
from penstock.catalog.entities.reading_shapes import Node
from penstock.catalog.entities.reading_tables import SOURCES, Form, Source, Sql, TableRow
from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput

#: The forms of a property that rows give as JSON.
_AS_JSON = (Form.JSON, Form.MIXED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A query with slots for the values: what a statement is made from.

    Attributes:
        after: For each value of `Query.after` whether it is not null.
        along: Name of the type and the link.
        is_along_one: There is one parent, and not a list of them.
        is_paged: It has a limit or leaves some out.
    """

    type: str
    visibility: Visibility
    by_id: bool = False
    along: tuple[str, str] | None = None
    where: Node | None = None
    order: tuple[tuple[Node, bool], ...] = ()
    after: tuple[bool, ...] | None = None
    is_along_one: bool = False
    is_paged: bool = False
    links: tuple[str, ...] = ()
    properties: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in the words of the driver, and how to read what it gives.

    Attributes:
        sql: The text.
        names: Parameters in their order.
        constants: Values of parameters that are the same for the whole shape.
        columns: Names of the members of a row, in order; the id is the first.
        raw: Names of those that are JSON.
        texts: Names of those that are text.
        keys: How many sort keys are behind them, and the place of a row that has one.
        has_places: Rows have places among the targets of a link, which say where a page goes on.
    """

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, object]
    columns: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    keys: int = 0
    has_places: bool = False

    def bind(self, values: Mapping[str, object]) -> tuple[object, ...]:
        """Return the parameters in their order."""
        known = {**self.constants, **values}
        return tuple([known[name] for name in self.names])


@dataclass(slots=True)
class Columns:
    """What a statement gives of each row."""

    names: list[str] = field(default_factory=list)
    values: list[Sql] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def add(self, name: str, value: Sql, form: Form | None = None, way: type[Word] = Raw) -> None:
        """Add a member; JSON comes as it is kept, which need not be decoded to be passed on."""
        if form in _AS_JSON:
            self.raw.append(name)
            value = way(value)
        elif form is Form.TEXT:
            self.texts.append(name)
        self.names.append(name)
        self.values.append(value.label(None))


class Builder:
    """Builds the statements for one query.

    Args:
        wanted: The query.
        dialect: The database's language.
    """

    def __init__(self, wanted: Wanted, dialect: Dialect) -> None:
        self._wanted = wanted
        self._dialect = dialect
        self._source = SOURCES[wanted.type]
        self._conditions = Conditions(wanted.visibility)
        self._json: type[Word] = Raw

    # One list

    def find(self) -> Statement:
        """Return the statement for `EntityReader.find`."""
        wanted = self._wanted
        row = self._source.table.alias("e")
        if wanted.order and wanted.is_paged:
            return self._find_narrow_first()
        where, place = self._where(row)
        sorting = Sorting(self._conditions, wanted.type, row, wanted.order, place)
        columns = self._columns(row)
        query = select(*columns.values, *sorting.labelled()).where(*where)
        if wanted.after is not None:
            query = query.where(sorting.is_after(wanted.after))
        paged = self._paged(query.order_by(*sorting.order()))
        return self._compile(paged, columns, has_places=place is not None)

    def _find_narrow_first(self) -> Statement:
        """Sort and cut ids and keys alone, then fetch the rows that are left."""
        wanted = self._wanted
        inner = self._source.table.alias("i")
        where, place = self._where(inner)
        sorting = Sorting(self._conditions, wanted.type, inner, wanted.order, place)
        query = select(inner.c.id.label("id"), *sorting.labelled()).where(*where)
        if wanted.after is not None:
            query = query.where(sorting.is_after(wanted.after))
        page = self._paged(query.order_by(*sorting.order())).subquery("page")
        row = self._source.table.alias("e")
        columns = self._columns(row)
        keys = [page.c[name] for name in sorting.names()]
        joined = page.join(row, row.c.id == page.c.id)
        outer = select(*columns.values, *keys).select_from(joined)
        outer = outer.order_by(*sorting.order_of(page), row.c.id)
        return self._compile(outer, columns, has_places=place is not None)

    def columns(self) -> Statement:
        """Return the statement for `EntityReader.columns`."""
        self._json = Plain
        return self.find()

    def count(self) -> Statement:
        """Return the statement for `EntityReader.count`."""
        row = self._source.table.alias("e")
        query = select(func.count()).select_from(row).where(*self._where(row)[0])
        return self._compile(query)

    def ids(self) -> Statement:
        """Return the statement for `EntityReader.ids`."""
        row = self._source.table.alias("e")
        where = [*self._conditions_of(row), *self._by_id(row), *self._is_along(row)]
        return self._compile(select(row.c.id).where(*where).order_by(row.c.id))

    # One list for each of many

    def columns_along(self) -> Statement:
        """Return the statement for `EntityReader.columns_along`; the parent is its last column.

        For each parent the ids of its page are looked up by themselves, so that what is read grows
        with what is asked for and not with what there is.
        """
        wanted = self._wanted
        self._json = Plain
        parent, type_, link = self._parents()
        inner = self._source.table.alias("i")
        ends = forward(type_, link, parent, inner)
        one = inner.c.id if ends.place is None else ends.place
        page = select(one).where(*ends.conditions(), *self._conditions_of(inner))
        sorting = Sorting(self._conditions, wanted.type, inner, wanted.order, ends.place)
        if wanted.after is not None:
            page = page.where(sorting.is_after(wanted.after))
        if wanted.is_paged:
            page = self._paged(page.order_by(*sorting.order()))
        row = self._source.table.alias("e")
        columns = self._columns(row)
        seen = forward(type_, link, parent, row)
        outer = Sorting(self._conditions, wanted.type, row, wanted.order, seen.place)
        query = select(*columns.values, *outer.labelled(), parent.c.id)
        if seen.place is None:
            rows, is_there = pages_of(self._dialect, parent, page, row)
            query = query.select_from(rows)
        else:
            is_there = [*seen.conditions(), seen.place.in_(page.correlate(parent))]
        query = query.where(*self._of_parents(type_, parent), *is_there)
        query = query.order_by(*outer.order())
        return self._compile(query, columns, has_places=seen.place is not None)

    def count_along(self) -> Statement:
        """Return the statement for `EntityReader.count_along`: pairs of parent and number."""
        parent, type_, link = self._parents()
        row = self._source.table.alias("e")
        ends = forward(type_, link, parent, row)
        number = func.count(distinct(row.c.id)) if ends.place is None else func.count()
        query = (
            select(parent.c.id, number)
            .select_from(parent, *ends.rows)
            .where(*ends.conditions(), *self._of_parents(type_, parent))
            .where(*self._conditions_of(row))
            .group_by(parent.c.id)
        )
        return self._compile(query)

    def _parents(self) -> tuple[TableRow, str, str]:
        """Return the rows of parents, their type, and the link to follow from them."""
        assert self._wanted.along is not None
        type_, link = self._wanted.along
        return SOURCES[type_].table.alias("p"), type_, link

    def _of_parents(self, type_: str, parent: TableRow) -> list[Sql]:
        """Return what holds for the parents that are given and can be seen."""
        return [is_given(parent.c.id, "parents"), *self._conditions.of_rows(type_, parent)]

    # Parts

    def _where(self, row: TableRow) -> tuple[list[Sql], Sql | None]:
        """Return what holds for the rows, and their place among the targets of one parent's link.

        A target that is at several places is a row for each.
        """
        wanted = self._wanted
        conditions = [*self._conditions_of(row), *self._by_id(row)]
        if wanted.along is None or not wanted.is_along_one:
            return [*conditions, *self._is_along(row)], None
        type_, link = wanted.along
        parent = SOURCES[type_].table.alias("p")
        ends = forward(type_, link, parent, row)
        if ends.place is None:
            return [*conditions, *self._is_along(row)], None
        is_parent = parent.c.id == bindparam("parent")
        is_seen = (is_parent, *self._conditions.of_rows(type_, parent))
        return [*conditions, *is_seen, *ends.conditions()], ends.place

    def _conditions_of(self, row: TableRow) -> list[Sql]:
        conditions = self._conditions.of_rows(self._wanted.type, row)
        if self._wanted.where is not None:
            conditions.append(self._conditions.where(self._wanted.type, row, self._wanted.where))
        return conditions

    def _by_id(self, row: TableRow) -> list[Sql]:
        return [row.c.id == bindparam("id")] if self._wanted.by_id else []

    def _is_along(self, row: TableRow) -> list[Sql]:
        """Return what holds for rows at the end of the link of one of the parents."""
        if self._wanted.along is None:
            return []
        type_, link = self._wanted.along
        parent = SOURCES[type_].table.alias("p")
        ends = backward(type_, link, row, parent)
        of_parent = self._conditions.of_rows(type_, parent)
        if not self._wanted.is_along_one:
            return [ends.to_some(is_given(parent.c.id, "parents"), *of_parent)]
        is_parent = parent.c.id == bindparam("parent")
        if path_of(type_, link).there is None:
            return [ends.to_some(is_parent, *of_parent)]
        # An index gives the rows of one parent in order: no list of parents in between.
        is_seen = [select(literal_column("1")).where(is_parent, *of_parent).exists()]
        return [ends.here == bindparam("parent"), *(is_seen if of_parent else [])]

    def _columns(self, row: TableRow) -> Columns:
        wanted, source = self._wanted, self._source
        columns = Columns()
        columns.add("@iot.id", row.c.id)
        for name, extra in (source.extras or {}).items():
            columns.add(name, extra(row))
        for name in TYPES[wanted.type].properties:
            kept = source.fields.get(name)
            if kept is not None and (wanted.properties is None or name in wanted.properties):
                columns.add(name, (kept.shown or kept.value)(row), kept.form, self._json)
        for name in wanted.links:
            columns.add(f"{name}@iot.id", row.c[_column_of(source, wanted.type, name)])
        return columns

    def _paged(self, query: Select[Any]) -> Select[Any]:
        if not self._wanted.is_paged:
            return query
        return query.limit(bindparam("limit")).offset(bindparam("skip"))

    def _compile(
        self, query: Select[Any], columns: Columns | None = None, *, has_places: bool = False
    ) -> Statement:
        compiled = query.compile(dialect=self._dialect)
        columns = columns or Columns()
        return Statement(
            str(compiled),
            tuple(compiled.positiontup or ()),
            dict(compiled.params),
            tuple(columns.names),
            tuple(columns.raw),
            tuple(columns.texts),
            len(self._wanted.order) + has_places,
            has_places,
        )


def _column_of(source: Source, type_: str, link: str) -> str:
    path = source.paths.get(link)
    if path is None or path.here is None:
        msg = f"{link} of {type_} is no link to one entity"
        raise InvalidInput(msg)
    return path.here
