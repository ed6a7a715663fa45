"""Conditions and sort keys over rows of observations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any as Anything

import numpy as np
import pyarrow as pa

from penstock.core.errors import NotSupported
from penstock.core.expression import Any, Apply, Expression, Literal, Members, Order, Property
from penstock.sensorthings.columns import comparing, functions, geometry
from penstock.sensorthings.columns.reading import Columns, Facts
from penstock.sensorthings.columns.values import (
    BOOL,
    DURATION,
    JSON,
    NULL,
    NUMBER,
    TEXT,
    TIME,
    Bools,
    Int64s,
    Truth,
    Values,
    from_json,
    literal,
    truth,
    truth_of,
    values_of,
)

_COMPARISONS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_CONDITIONS = {**functions.CONDITIONS, **geometry.CONDITIONS}
_VALUES = {**functions.VALUES, **geometry.VALUES}


def mask(where: Expression, table: pa.Table, facts: Facts) -> Bools:
    """Return for which rows a condition holds.

    Args:
        where: The condition, as the grammar gives it.
        table: Rows in `core.observation.SCHEMA`.
        facts: What the rows do not say.

    Raises:
        NotSupported: It speaks of something that rows do not know.
    """
    columns = Columns(table, facts)
    found = _Evaluation(columns, facts).condition(where)
    return np.ascontiguousarray(np.broadcast_to(found.true, columns.count))


def holds_for_nothing(where: Expression) -> bool:
    """Tell whether a condition about an Observation holds when there is none: all is null then."""
    found = _Evaluation(_Nothing(), Facts({}, {}, 0)).condition(where)
    return bool(found.true.all())


def sort(order: Sequence[Order], table: pa.Table, facts: Facts) -> Int64s:
    """Return the numbers of rows in the order of sort keys; equal ones stay as they are.

    Nulls come first when ascending; text comes before numbers, numbers before true and false, and
    JSON that is neither last. Times are sorted by start, then end.

    Raises:
        NotSupported: A key speaks of something that rows do not know.
    """
    columns = Columns(table, facts)
    evaluation = _Evaluation(columns, facts)
    keys: list[Int64s] = []
    for one in order:
        rank = _rank(evaluation.value(one.by))
        rank = np.broadcast_to(rank, columns.count)
        keys.append(-rank if one.descending else rank)
    if not keys:
        return np.arange(columns.count)
    return np.lexsort(keys[::-1])


def _rank(values: Values) -> Int64s:
    """Return numbers that sort as the values do."""
    numeric = values.is_a(NUMBER) | values.is_a(BOOL)
    timed = values.is_a(TIME)
    columns: list[tuple[Anything, Bools, Anything]] = [
        (values.number, numeric, 0.0),
        (values.text, values.is_a(TEXT), ""),
        (values.start, timed | values.is_a(DURATION), 0),
        (values.end, timed, 0),
    ]
    parts: list[Int64s] = [values.kind.astype(np.int64)]
    for column, counts, fill in columns:
        if column is not None:
            unique = np.unique(np.where(counts, column, fill), return_inverse=True)
            parts.append(unique[1].reshape(-1).astype(np.int64))
    rows = max(len(one) for one in parts)
    stacked = np.stack([np.broadcast_to(one, rows) for one in parts], axis=1)
    return np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


class _Nothing:
    """One row of nulls, whatever is read."""

    def read(self, path: tuple[str, ...]) -> Values:
        """Return null."""
        del path
        return Values(np.full(1, NULL, np.uint8))


class _Evaluation:
    """Evaluates trees over the same rows."""

    def __init__(self, columns: Columns | _Nothing, facts: Facts) -> None:
        self._columns = columns
        self._facts = facts

    def condition(self, tree: Expression) -> Truth:
        """Return what a tree says of each row as a condition."""
        if isinstance(tree, Any) and isinstance(self._columns, _Nothing):
            return truth(np.zeros(1, bool), np.ones(1, bool))
        if not isinstance(tree, Apply):
            return truth_of(self.value(tree))
        name, arguments = tree.function, tree.arguments
        if name == "not":
            return ~self.condition(arguments[0])
        if name in {"and", "or"}:
            found = self.condition(arguments[0])
            for one in arguments[1:]:
                other = self.condition(one)
                found = found & other if name == "and" else found | other
            return found
        if name == "in":
            return self._among(arguments[0], arguments[1:])
        if name in _COMPARISONS:
            return self._compared(name, arguments[0], arguments[1])
        if name in comparing.RELATIONS:
            return comparing.relate(name, *map(self.value, arguments))
        if name in _CONDITIONS:
            return _CONDITIONS[name](*map(self.value, arguments))
        return truth_of(self.value(tree))

    def value(self, tree: Expression) -> Values:
        """Return the value of a tree for each row."""
        if isinstance(tree, Literal):
            return literal(tree.value)
        if isinstance(tree, Property):
            return self._columns.read(tree.path)
        if not isinstance(tree, Apply):
            msg = "any(...) cannot be evaluated over rows of observations"
            raise NotSupported(msg)
        name = tree.function
        if name == "now":
            return _moment(self._facts.now_us)
        if name in functions.BOUNDS:
            return _moment(functions.BOUNDS[name])
        if name in _VALUES:
            return _VALUES[name](*map(self.value, tree.arguments))
        return values_of(self.condition(tree))

    def _compared(self, name: str, left: Expression, right: Expression) -> Truth:
        if _is_null(right):
            return comparing.compare_with_null(name, self.value(left))
        if _is_null(left):
            return comparing.compare_with_null(name, self.value(right))
        return comparing.compare(name, self.value(left), self.value(right))

    def _among(self, tested: Expression, choices: tuple[Expression, ...]) -> Truth:
        if len(choices) == 1 and isinstance(choices[0], Literal):
            members = choices[0].value
            if isinstance(members, Members):
                return _among_ids(self.value(tested), members)
        if len(choices) == 1 and isinstance(choices[0], Property):
            return self._within(tested, choices[0])
        plain = [one.value for one in choices if isinstance(one, Literal)]
        if len(plain) == len(choices) and len(choices) > 8:
            quick = _among_plain(self.value(tested), plain)
            if quick is not None:
                return quick
        found = self._compared("eq", tested, choices[0])
        for one in choices[1:]:
            found = found | self._compared("eq", tested, one)
        return found

    def _within(self, wanted: Expression, path: Expression) -> Truth:
        """Tell whether a JSON array holds a value; what is no array is compared itself."""
        found = self._compared("eq", wanted, path)
        tested, arrays = self.value(wanted), self.value(path)
        others = arrays.others()
        lists = [
            at for at in np.flatnonzero(arrays.is_a(JSON)).tolist() if isinstance(others[at], list)
        ]
        if not lists:
            return found
        rows = np.broadcast(tested.kind, arrays.kind).shape
        true, false = (np.broadcast_to(one, rows).copy() for one in (found.true, found.false))
        for at in lists:
            one = _row(tested, at)
            items = from_json(others[at])
            held = comparing.compare("eq", one, items) if len(items.kind) else None
            known = one.kind[0] != NULL
            true[at] = known and held is not None and bool(held.true.any())
            false[at] = known and not true[at]
        return Truth(true, false)


def _is_null(tree: Expression) -> bool:
    return isinstance(tree, Literal) and tree.value is None


def _moment(us: int) -> Values:
    return Values(np.full(1, TIME, np.uint8), start=np.array([us]), end=np.array([us]))


def _row(values: Values, at: int) -> Values:
    """Return the value of one row."""
    return values if len(values.kind) == 1 else values.take(np.array([at]))


def _among_ids(tested: Values, members: Members) -> Truth:
    ids = np.fromiter(members.ids, np.float64, len(members.ids))
    holds = np.isin(tested.numbers(), ids) & tested.is_a(NUMBER)
    return truth(holds, ~tested.is_a(NULL))


def _among_plain(tested: Values, plain: Sequence[object]) -> Truth | None:
    """Tell whether values are among many of one kind, without comparing each with each."""
    known = ~tested.is_a(NULL)
    if all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in plain):
        held = np.isin(tested.numbers(), np.array([float(one) for one in plain]))  # type: ignore[arg-type]
        return truth(held & tested.is_a(NUMBER), known)
    if all(isinstance(one, str) for one in plain) and not tested.is_dynamic:
        held = np.isin(tested.texts(), np.array(plain, object))
        return truth(held & tested.is_a(TEXT), known)
    return None
