"""Conditions across links as SQL.

All that a condition says about one path of links speaks of the same entity, as if every path were
joined once to the row (FROST does so): it holds when some choice of linked entities makes it hold.
Where nothing is linked, one entity that is null all over takes its place.

Instead of joining, which multiplies rows, the parts that speak of one path are gathered and become
a semi-join. `not` is moved inwards first, so that semi-joins are never negated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any as Anything

from sqlalchemy import Select, and_, null, or_, select

from penstock.catalog.entities.reading_arithmetic import ARITHMETIC, calculate
from penstock.catalog.entities.reading_comparisons import compare, is_in
from penstock.catalog.entities.reading_functions import call
from penstock.catalog.entities.reading_links import forward
from penstock.catalog.entities.reading_scope import Visibility
from penstock.catalog.entities.reading_shapes import Node, Slot
from penstock.catalog.entities.reading_tables import SOURCES, Form, Sql, TableRow
from penstock.catalog.entities.reading_terms import (
    FALSE,
    NOTHING,
    Kind,
    Term,
    as_kind,
    default,
    number,
    of_json,
    of_slot,
    text,
    time,
    truth,
)
from penstock.core.entity_types import TYPES, Link
from penstock.core.errors import InvalidInput, NotSupported
from penstock.core.expression import COMPARISONS, Any, Apply, Operator, Property

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """A row that a path leads to; without a row, an entity that is null all over."""

    type: str
    row: TableRow | None
    is_variable: bool = False


#: What each path that is spoken of leads to; the empty one is the row itself.
Rows = Mapping[Path, Bound]


class Conditions:
    """Makes conditions and sort keys for rows of the catalog's tables.

    Args:
        visibility: What may be seen: nothing else influences an answer.
    """

    def __init__(self, visibility: Visibility) -> None:
        self._visibility = visibility

    def of_rows(self, type_: str, row: TableRow) -> list[Sql]:
        """Return what holds for every row of a type that can be seen."""
        only = SOURCES[type_].only
        seen = self._visibility.visible(type_, row)
        return [*([] if only is None else [only(row)]), *([] if seen is None else [seen])]

    def where(self, type_: str, row: TableRow, condition: Node) -> Sql:
        """Return the rows' condition.

        Raises:
            InvalidInput: A path or function is unknown, or does not fit.
            NotSupported: It cannot be answered here.
        """
        found = self._holds(condition, {(): Bound(type_, row)})
        return FALSE if found is None else found

    def sort_key(self, type_: str, row: TableRow, node: Node) -> tuple[Sql, Callable[[Sql], Sql]]:
        """Return a value to sort by, and what makes such values greater or less than others.

        Raises:
            InvalidInput: It leads to many entities, or is unknown.
        """
        rows: dict[Path, Bound] = {(): Bound(type_, row)}
        joined: list[TableRow] = []
        conditions: list[Sql] = []
        while keys := list(_unbound(node, rows)):
            key = keys[0]
            holder = rows[key[:-1]]
            link = _link(holder.type, key, node)
            if link.many:
                msg = f"cannot sort by {'/'.join(key)}: it leads to any number of entities"
                raise InvalidInput(msg)
            there = _rows_of(link.target)
            assert holder.row is not None
            ends = forward(holder.type, link.name, holder.row, there)
            joined += ends.rows
            conditions += [*ends.conditions(), *self.of_rows(link.target, there)]
            rows[key] = Bound(link.target, there)
        value, in_order = default(self._term(node, rows))
        if not joined:
            return value, in_order
        found: Select[Anything] = select(value).where(*conditions).correlate_except(*joined)
        return found.scalar_subquery(), in_order

    # Conditions, for which only "true" counts; None is one that never is

    def _holds(self, node: Node, rows: Rows) -> Sql | None:
        node = _inwards(node)
        if isinstance(node, Apply) and node.function == Operator.OR:
            found = [self._holds(argument, rows) for argument in _nodes(node)]
            parts = [part for part in found if part is not None]
            return or_(*parts) if parts else None
        if isinstance(node, Apply) and node.function == Operator.AND:
            found = [self._holds_together(group, rows) for group in _groups(node, rows)]
            parts = [part for part in found if part is not None]
            return and_(*parts) if len(parts) == len(found) else None
        return self._holds_together(node, rows)

    def _holds_together(self, node: Node, rows: Rows) -> Sql | None:
        """Return a condition all of which speaks of the same entities, or of none."""
        key = next(_unbound(node, rows), None)
        if key is not None:
            return self._along(key, node, rows)
        if isinstance(node, Apply) and node.function in (Operator.AND, Operator.OR):
            return self._holds(node, rows)
        term = self._term(node, rows)
        return None if term.kind is Kind.NULL else as_kind(term, Kind.TRUTH)

    def _along(self, key: Path, node: Node, rows: Rows) -> Sql | None:
        """Return a condition with one more of its paths followed."""
        holder = rows[key[:-1]]
        link = _link(holder.type, key, node)
        if holder.row is None:
            return self._holds(node, {**rows, key: Bound(link.target, None)})
        there = _rows_of(link.target)
        ends = forward(holder.type, link.name, holder.row, there)
        seen = self.of_rows(link.target, there)
        condition = self._holds(node, {**rows, key: Bound(link.target, there)})
        parts: list[Sql] = []
        if condition is not None:
            is_apart = all(path[: len(key)] == key for path in _paths(node))
            follow = ends.to_some if is_apart else ends.exists
            parts.append(follow(*seen, condition))
        if link.many or not link.required:
            absent = self._holds(node, {**rows, key: Bound(link.target, None)})
            if absent is not None:
                parts.append(and_(~ends.exists(*seen), absent))
        return or_(*parts) if parts else None

    def _any(self, node: Any, rows: Rows) -> Sql:
        """Tell whether there is an entity at the end of a path for which a condition holds."""
        start = _start(node, rows)
        return self._any_from(rows[node.path[:start]], start, node, rows)

    def _any_from(self, holder: Bound, known: int, node: Any, rows: Rows) -> Sql:
        """Follow the path of an `any` from behind its first segments.

        The entities on the way are its own: other paths do not speak of them.
        """
        if holder.row is None:
            return FALSE
        key = node.path[: known + 1]
        link = _link(holder.type, key, node)
        is_last = key == node.path
        if is_last and not link.many:
            msg = f"any() at position {node.at} needs a path to many entities, not {link.name}"
            raise InvalidInput(msg)
        there = _rows_of(link.target)
        ends = forward(holder.type, link.name, holder.row, there)
        seen = self.of_rows(link.target, there)
        if not is_last:
            inner = self._any_from(Bound(link.target, there), known + 1, node, rows)
            return ends.exists(*seen, inner)
        condition: Node = node.condition  # type: ignore[assignment]
        chosen = Bound(link.target, there, is_variable=True)
        inside = self._holds(condition, {**rows, (node.variable,): chosen})
        if inside is None:
            return FALSE
        is_apart = all(path[0] == node.variable for path in _paths(condition))
        return (ends.to_some if is_apart else ends.exists)(*seen, inside)

    # Values

    def _term(self, node: Node, rows: Rows) -> Term:
        if isinstance(node, Slot):
            return of_slot(node)
        if isinstance(node, Property):
            return _property(node, rows)
        if isinstance(node, Any):
            return truth(self._any(node, rows))
        terms = [self._term(argument, rows) for argument in _nodes(node)]
        if node.function in COMPARISONS:
            return compare(Operator(node.function), *terms)
        if node.function == Operator.IN:
            return is_in(terms[0], terms[1:])
        if node.function in ARITHMETIC:
            return calculate(Operator(node.function), terms)
        if node.function in _LOGIC:
            return _logical(Operator(node.function), terms)
        return call(node.function, terms, node.at)


_LOGIC = frozenset({Operator.AND, Operator.OR, Operator.NOT})


def _logical(word: Operator, terms: list[Term]) -> Term:
    values = [as_kind(term, Kind.TRUTH) for term in terms]
    parts = [null() if value is None else value for value in values]
    if word is Operator.NOT:
        return NOTHING if values[0] is None else truth(~values[0])
    return truth(and_(*parts) if word is Operator.AND else or_(*parts))


def _inwards(node: Node) -> Node:
    """Return the same condition with `not` behind `and` and `or`."""
    if not isinstance(node, Apply) or node.function != Operator.NOT:
        return node
    inner = node.arguments[0]
    if not isinstance(inner, Apply) or inner.function not in _LOGIC:
        return node
    if inner.function == Operator.NOT:
        return _inwards(inner.arguments[0])  # type: ignore[arg-type]
    word = Operator.OR if inner.function == Operator.AND else Operator.AND
    parts = tuple(Apply(Operator.NOT, (part,), node.at) for part in inner.arguments)
    return Apply(word, parts, node.at)


def _groups(node: Apply, rows: Rows) -> Iterator[Node]:
    """Gather the parts of an `and` that speak of the same entities, directly or by a third."""
    groups: list[tuple[set[Path], list[Node]]] = []
    for part in _flat(node):
        keys, parts = set(_unbound(part, rows)), [part]
        for group in [group for group in groups if group[0] & keys]:
            groups.remove(group)
            keys |= group[0]
            parts = group[1] + parts
        groups.append((keys, parts))
    for _, parts in groups:
        yield parts[0] if len(parts) == 1 else Apply(Operator.AND, tuple(parts), node.at)  # type: ignore[arg-type]


def _flat(node: Apply) -> Iterator[Node]:
    for argument in _nodes(node):
        part = _inwards(argument)
        if isinstance(part, Apply) and part.function == Operator.AND:
            yield from _flat(part)
        else:
            yield part


def _nodes(node: Apply) -> tuple[Node, ...]:
    return node.arguments  # type: ignore[return-value]


def _paths(node: Node) -> Iterator[Path]:
    """Return all paths in an expression but those that begin at a variable of its own."""
    if isinstance(node, Property):
        yield node.path
    elif isinstance(node, Any):
        yield node.path
        yield from (
            path
            for path in _paths(node.condition)  # type: ignore[arg-type]
            if path[0] != node.variable
        )
    elif isinstance(node, Apply):
        for argument in _nodes(node):
            yield from _paths(argument)


def _unbound(node: Node, rows: Rows) -> Iterator[Path]:
    """Return the links that have to be followed next, one for each path that is not followed yet.

    The path of an `any` is not among them: it chooses for itself.
    """
    if isinstance(node, Property):
        known = _known(node.path, rows)
        holder = rows[node.path[:known]]
        if known < len(node.path) and TYPES[holder.type].link(node.path[known]) is not None:
            yield node.path[: known + 1]
    elif isinstance(node, Any):
        inner: Node = node.condition  # type: ignore[assignment]
        variable = Bound(_end(node, rows), None, is_variable=True)
        chosen = {**rows, (node.variable,): variable}
        for key in _unbound(inner, chosen):
            if key[0] != node.variable:
                yield key
    elif isinstance(node, Apply):
        for argument in _nodes(node):
            yield from _unbound(argument, rows)


def _known(path: Path, rows: Rows) -> int:
    """Return how much of a path has been followed."""
    return next(length for length in range(len(path), -1, -1) if path[:length] in rows)


def _start(node: Any, rows: Rows) -> int:
    """Return how many segments of the path of an `any` are a variable: one or none."""
    named = rows.get(node.path[:1])
    return 1 if named is not None and named.is_variable else 0


def _end(node: Any, rows: Rows) -> str:
    """Return the type that the path of an `any` leads to."""
    known = _start(node, rows)
    type_ = rows[node.path[:known]].type
    for length in range(known + 1, len(node.path) + 1):
        type_ = _link(type_, node.path[:length], node).target
    return type_


def _link(type_: str, key: Path, node: Node) -> Link:
    link = TYPES[type_].link(key[-1])
    at = getattr(node, "at", 0)
    if link is None:
        names = ", ".join(one.name for one in TYPES[type_].links)
        msg = f"{key[-1]!r} (at position {at}) is no link of {type_}; those are {names}"
        raise InvalidInput(msg)
    if link.target not in SOURCES or link.name not in SOURCES[type_].paths:
        msg = (
            f"{'/'.join(key)} (at position {at}) cannot be answered here: the catalog holds no "
            "observations"
        )
        raise NotSupported(msg)
    return link


def _rows_of(type_: str) -> TableRow:
    return SOURCES[type_].table.alias()


def _property(node: Property, rows: Rows) -> Term:
    """Return the value of a property, or of a member of its JSON."""
    known = _known(node.path, rows)
    holder, rest = rows[node.path[:known]], node.path[known:]
    type_ = TYPES[holder.type]
    if not rest:
        msg = f"{'/'.join(node.path)} (at position {node.at}) is an entity; name a property of it"
        raise InvalidInput(msg)
    name, members = rest[0], rest[1:]
    if name != "@iot.id" and name not in type_.properties:
        known_names = ["@iot.id", *type_.properties, *(link.name for link in type_.links)]
        msg = (
            f"{name!r} (at position {node.at}) is no property of {holder.type}; there are "
            f"{', '.join(known_names)}"
        )
        raise InvalidInput(msg)
    if members and name not in type_.json:
        msg = f"{name} of {holder.type} has no members (at position {node.at})"
        raise InvalidInput(msg)
    if holder.row is None:
        return NOTHING
    return _value(holder.type, holder.row, name, members, node.at)


def _value(type_: str, row: TableRow, name: str, members: Path, at: int) -> Term:
    if name == "@iot.id":
        return number(row.c.id)
    field = SOURCES[type_].fields.get(name)
    if field is None:
        msg = f"{name} of {type_} (at position {at}) is not known to the catalog"
        raise NotSupported(msg)
    if len(members) == 1 and field.members is not None and members[0] in field.members:
        return text(field.members[members[0]](row))
    value = field.value(row)
    if field.form is Form.JSON:
        return of_json(value, members, at)
    return time(value) if field.form is Form.TIME else text(value)
