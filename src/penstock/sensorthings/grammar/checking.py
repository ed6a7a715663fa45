"""Whether the parts of an expression fit together; what only the data can tell passes."""

from __future__ import annotations

import re
from typing import NoReturn

from penstock.core.entity_types import TYPES, EntityType
from penstock.core.expression import (
    COMPARISONS,
    Any,
    Apply,
    Duration,
    Expression,
    Literal,
    Moment,
    Property,
    Shape,
    Span,
    Value,
)
from penstock.sensorthings.grammar.kinds import FUNCTIONS, Kind, kind_of
from penstock.sensorthings.grammar.mistakes import invalid

#: Trees that are deeper are refused: whoever walks them may call itself for every level.
MAX_DEPTH = 80

_COMPARISONS = frozenset(one.value for one in COMPARISONS) | {"in"}
_LOGIC = frozenset({"and", "or", "not"})
#: The kinds that arithmetic on times and durations gives.
_TIME_ARITHMETIC = {
    ("add", Kind.TIME, Kind.DURATION): Kind.TIME,
    ("add", Kind.DURATION, Kind.TIME): Kind.TIME,
    ("sub", Kind.TIME, Kind.DURATION): Kind.TIME,
    ("sub", Kind.TIME, Kind.TIME): Kind.DURATION,
    ("add", Kind.DURATION, Kind.DURATION): Kind.DURATION,
    ("sub", Kind.DURATION, Kind.DURATION): Kind.DURATION,
    ("mul", Kind.DURATION, Kind.NUMBER): Kind.DURATION,
    ("mul", Kind.NUMBER, Kind.DURATION): Kind.DURATION,
    ("div", Kind.DURATION, Kind.NUMBER): Kind.DURATION,
}
#: Times that are no intervals.
_INSTANTS = frozenset(
    {("Observation", "resultTime"), ("HistoricalLocation", "time"), ("Task", "creationTime")}
)
_QUOTED_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_RELATED = "T********"
_RELATION = re.compile(r"[TF*012]{9}", re.IGNORECASE)


class Checking:
    """Tells kinds, and refuses what cannot hold whatever the data.

    Args:
        part: What the expression is called in messages.
        type_: Type of the entity that paths begin at.
    """

    def __init__(self, part: str, type_: EntityType) -> None:
        self._part = part
        self._type = type_
        self._variables: dict[str, EntityType] = {}
        self._depth = 0

    def condition(self, tree: Expression) -> None:
        """Check an expression that must be a condition.

        Raises:
            InvalidInput: It is none, or its parts do not fit.
        """
        self._wants(tree, Kind.BOOL, "the filter")

    def sort_key(self, tree: Expression) -> None:
        """Check an expression that must have one value for each entity.

        Raises:
            InvalidInput: It has not, or its parts do not fit.
        """
        self.kind(tree)
        self._has_one_value(tree)

    def kind(self, tree: Expression) -> Kind:
        """Return the kind of an expression, after checking all of it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(tree, f"deeper than {MAX_DEPTH}; write it flatter")
        if isinstance(tree, Literal):
            found = _kind_of_value(tree.value)
        elif isinstance(tree, Property):
            found = self._kind_of_path(tree)
        elif isinstance(tree, Any):
            found = self._kind_of_any(tree)
        else:
            found = self._kind_of_apply(tree)
        self._depth -= 1
        return found

    def _end_of(self, path: tuple[str, ...]) -> tuple[EntityType, tuple[str, ...]]:
        """Return the type that the navigation of a path ends at, and the names behind it."""
        type_ = self._variables.get(path[0])
        names = path if type_ is None else path[1:]
        type_ = type_ or self._type
        for position, name in enumerate(names):
            link = type_.link(name)
            if link is None:
                return type_, names[position:]
            type_ = TYPES[link.target]
        return type_, ()

    def _kind_of_path(self, tree: Property) -> Kind:
        type_, names = self._end_of(tree.path)
        return kind_of(type_, names[0], whole=len(names) == 1)

    def _kind_of_any(self, tree: Any) -> Kind:
        self._variables[tree.variable], _ = self._end_of(tree.path)
        self._wants(tree.condition, Kind.BOOL, "any(...)")
        del self._variables[tree.variable]
        return Kind.BOOL

    def _kind_of_apply(self, tree: Apply) -> Kind:
        name = tree.function
        if name in _LOGIC:
            for one in tree.arguments:
                self._wants(one, Kind.BOOL, repr(name))
            return Kind.BOOL
        if name in _COMPARISONS:
            self._comparison(tree)
            return Kind.BOOL
        if name in FUNCTIONS:
            return self._call(tree)
        return self._arithmetic(tree)

    def _comparison(self, tree: Apply) -> None:
        left = self.kind(tree.arguments[0])
        array = len(tree.arguments) == 2 and isinstance(tree.arguments[1], Property)
        for one in tree.arguments[1:]:
            right = self.kind(one)
            if tree.function == "in" and array and right is Kind.JSON:
                continue
            if not left.compares_with(right):
                self._cannot_compare(tree, left, right)

    def _cannot_compare(self, tree: Apply, left: Kind, right: Kind) -> NoReturn:
        hint = ""
        if Kind.GEOMETRY in {left, right}:
            hint = "; geometries are compared by st_equals(a, b)"
        elif {left, right} == {Kind.TIME, Kind.TEXT}:
            hint = "; a time is written without quotes: 2024-05-01T12:00:00Z"
        elif {left, right} == {Kind.NUMBER, Kind.TEXT}:
            hint = "; numbers are written without quotes"
        self._fail(tree, f"{tree.function!r} cannot compare {left} with {right}{hint}")

    def _call(self, tree: Apply) -> Kind:
        function = FUNCTIONS[tree.function]
        for one, wanted in zip(tree.arguments, function.takes, strict=False):
            self._wants(one, wanted, tree.function)
        last = tree.arguments[-1] if tree.arguments else tree
        if tree.function == "during" and self._is_instant(last):
            self._fail(last, "during takes an interval second, such as start/end")
        pattern = last.value if isinstance(last, Literal) else None
        if tree.function == "st_relate" and not _RELATION.fullmatch(str(pattern or _RELATED)):
            self._fail(last, "st_relate takes 9 of T, F, *, 0, 1 and 2 third: 'T*F**F***'")
        return function.gives

    def _arithmetic(self, tree: Apply) -> Kind:
        kinds = [self.kind(one) for one in tree.arguments]
        times = {Kind.TIME, Kind.DURATION}
        if tree.function == "neg":
            if kinds[0] is Kind.DURATION:
                return Kind.DURATION
            self._wants_kind(tree.arguments[0], kinds[0], Kind.NUMBER, "'-'")
            return Kind.NUMBER
        left, right = kinds
        if not times & {left, right}:
            for one, kind in zip(tree.arguments, kinds, strict=True):
                self._wants_kind(one, kind, Kind.NUMBER, repr(tree.function))
            return Kind.NUMBER
        found = (
            gives
            for (name, first, second), gives in _TIME_ARITHMETIC.items()
            if name == tree.function and left.fits(first) and right.fits(second)
        )
        given = next(found, None)
        if given is None:
            self._fail(tree, f"{tree.function!r} cannot be applied to {left} and {right}")
        return given

    def _wants(self, tree: Expression, wanted: Kind, who: str) -> None:
        self._wants_kind(tree, self.kind(tree), wanted, who)

    def _wants_kind(self, tree: Expression, found: Kind, wanted: Kind, who: str) -> None:
        if not found.fits(wanted):
            hint = ""
            if wanted is Kind.TIME and isinstance(tree, Literal) and isinstance(tree.value, str):
                if _QUOTED_TIME.match(tree.value):
                    hint = "; a time is written without quotes"
            elif wanted is Kind.BOOL:
                hint = "; compare it: eq, ne, gt, ge, lt, le"
            self._fail(tree, f"{who} takes {wanted}, found {found}{hint}")

    def _has_one_value(self, tree: Expression) -> None:
        if isinstance(tree, Apply):
            for one in tree.arguments:
                self._has_one_value(one)
        elif isinstance(tree, Property):
            type_ = self._type
            for name in tree.path:
                link = type_.link(name)
                if link is None:
                    return
                if link.many:
                    self._fail(tree, f"cannot sort by {'/'.join(tree.path)}: {name} are many")
                type_ = TYPES[link.target]
        elif isinstance(tree, Any):
            self._fail(tree, "cannot sort by any(...)")

    def _is_instant(self, tree: Expression) -> bool:
        """Tell whether a time is never an interval."""
        if isinstance(tree, Literal):
            return isinstance(tree.value, Moment)
        if isinstance(tree, Property):
            type_, names = self._end_of(tree.path)
            return (type_.name, names[0]) in _INSTANTS
        if isinstance(tree, Apply) and tree.function in {"add", "sub"}:
            return any(self._is_instant(one) for one in tree.arguments)
        return isinstance(tree, Apply)

    def _fail(self, tree: Expression, problem: str) -> NoReturn:
        raise invalid(self._part, tree.at, problem)


def _kind_of_value(value: Value) -> Kind:
    if value is None:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOL
    if isinstance(value, (int, float)):
        return Kind.NUMBER
    if isinstance(value, str):
        return Kind.TEXT
    if isinstance(value, (Moment, Span)):
        return Kind.TIME
    if isinstance(value, Duration):
        return Kind.DURATION
    if isinstance(value, Shape):
        return Kind.GEOMETRY
    return Kind.JSON
