"""What a filter means, entity by entity: the oracle for everything that answers filters faster.

Entities are dicts: properties by name with times as `Moment` or `Span`, JSON as it is; links to
many are lists of entities, links to one an entity or None. Nothing here is shared with what it
checks, apart from the tree itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any as Anything

from penstock.core.entity_types import TYPES
from penstock.core.expression import (
    Any,
    Apply,
    Duration,
    Expression,
    Literal,
    Members,
    Moment,
    Order,
    Property,
    Shape,
    Span,
)
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

Entity = Mapping[str, Anything]
#: True, false, or None when it is not known.
Truth = bool | None
#: Entities by the navigation that leads to them; the first segment may be a variable.
Bound = dict[tuple[str, ...], Entity | None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLEXIBLE = frozenset({"result", "metadata"})
_LONGEST = 2.0**62


class Naive:
    """Evaluates conditions about entities of one type.

    Args:
        type_: Name of the type.
        now_us: What `now()` is.
    """

    def __init__(self, type_: str, now_us: int = 0) -> None:
        self._now_us = now_us
        self._types = {"": type_}

    def holds(self, where: Expression, entity: Entity) -> bool:
        """Tell whether some choice of linked entities makes the condition true."""
        return self._holds(where, {(): entity}, "")

    def sorted(self, order: Sequence[Order], entities: Iterable[Entity]) -> list[Entity]:
        """Return entities in an order; equal ones stay as they are."""
        found = list(entities)
        for key in reversed(order):
            keys = {id(one): _rank(self._value(key.by, self._only(key.by, one))) for one in found}
            # Not `reverse=True` on its own: that too keeps equal ones as they are.
            found.sort(key=lambda one, keys=keys: keys[id(one)], reverse=key.descending)
        return found

    def _only(self, tree: Expression, entity: Entity) -> Bound:
        bound: Bound = {(): entity}
        return next(self._choices(self._prefixes(tree, ""), bound))

    def _holds(self, tree: Expression, bound: Bound, root: str) -> bool:
        prefixes = self._prefixes(tree, root)
        return any(
            self._condition(tree, choice) is True for choice in self._choices(prefixes, bound)
        )

    def _prefixes(self, tree: Expression, root: str) -> list[tuple[str, ...]]:
        """Return every navigation from a root (the entity, or a variable) in a tree."""
        found: set[tuple[str, ...]] = set()
        for path in _paths(tree, root):
            steps = self._navigation(path)
            start = 1 if root else 0
            found.update(path[:end] for end in range(start + 1, len(steps) + start + 1))
        return sorted(found, key=len)

    def _navigation(self, path: tuple[str, ...]) -> list[tuple[str, bool]]:
        names = path[1:] if path[0] in self._types else path
        type_ = TYPES[self._types[path[0] if path[0] in self._types else ""]]
        steps = []
        for name in names:
            link = type_.link(name)
            if link is None:
                break
            steps.append((name, link.many))
            type_ = TYPES[link.target]
        return steps

    def _choices(self, prefixes: list[tuple[str, ...]], bound: Bound) -> Iterator[Bound]:
        if not prefixes:
            yield bound
            return
        first, rest = prefixes[0], prefixes[1:]
        around = first[:-1]
        if len(around) == 1 and around[0] in self._types:
            around = (around[0],)
        for one in _linked(bound[around], first[-1]):
            yield from self._choices(rest, {**bound, first: one})

    def _condition(self, tree: Expression, bound: Bound) -> Truth:
        value = self._value(tree, bound)
        return value if isinstance(value, bool) else None

    def _value(self, tree: Expression, bound: Bound) -> Anything:
        if isinstance(tree, Literal):
            return tree.value
        if isinstance(tree, Property):
            return self._property(tree.path, bound)
        if isinstance(tree, Any):
            return self._any(tree, bound)
        return self._apply(tree, bound)

    def _property(self, path: tuple[str, ...], bound: Bound) -> Anything:
        steps = self._navigation(path)
        start = len(steps) + (path[0] in self._types)
        value: Anything = bound[path[:start]]
        for name in path[start:]:
            if isinstance(value, Mapping):
                value = value.get(name)
            elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
                value = value[int(name)]
            else:
                return None
        return value

    def _any(self, tree: Any, bound: Bound) -> bool:
        variable = tree.path[0] in self._types
        root = tree.path[0] if variable else ""
        names = tree.path[1:] if variable else tree.path
        type_ = TYPES[self._types[root]]
        items: list[Entity | None] = [bound[(root,) if root else ()]]
        for name in names:
            link = type_.link(name)
            assert link is not None
            type_ = TYPES[link.target]
            items = [one for item in items for one in _linked(item, name) if one is not None]
        self._types[tree.variable] = type_.name
        try:
            return any(
                self._holds(tree.condition, {**bound, (tree.variable,): item}, tree.variable)
                for item in items
            )
        finally:
            del self._types[tree.variable]

    def _apply(self, tree: Apply, bound: Bound) -> Anything:
        name, arguments = tree.function, tree.arguments
        if name in {"and", "or"}:
            sides = [self._condition(one, bound) for one in arguments]
            decisive = name == "or"
            if decisive in sides:
                return decisive
            return None if None in sides else not decisive
        if name == "not":
            side = self._condition(arguments[0], bound)
            return None if side is None else not side
        if name == "in":
            return self._in(tree, bound)
        values = [self._value(one, bound) for one in arguments]
        if name in _ORDERS:
            flags = [self._is_dynamic(one) for one in arguments]
            nulls = [isinstance(one, Literal) and one.value is None for one in arguments]
            return _compare(name, values, flags, nulls)
        if name == "now":
            return Moment(self._now_us)
        return _FUNCTIONS[name](*values)

    def _in(self, tree: Apply, bound: Bound) -> Truth:
        tested, *choices = tree.arguments
        if len(choices) == 1 and isinstance(choices[0], Property):
            array = self._value(choices[0], bound)
            if isinstance(array, list):
                value = self._value(tested, bound)
                if value is None:
                    return None
                flags = [self._is_dynamic(tested), True]
                return any(_compare("eq", [value, one], flags, [False] * 2) for one in array)
        if len(choices) == 1 and isinstance(choices[0], Literal):
            members = choices[0].value
            if isinstance(members, Members):
                value = self._value(tested, bound)
                return None if value is None else value in members.ids
        sides = [self._apply(Apply("eq", (tested, one)), bound) for one in choices]
        return True if True in sides else None if None in sides else False

    def _is_dynamic(self, tree: Expression) -> bool:
        """Tell whether a value comes out of JSON or a result."""
        if not isinstance(tree, Property):
            return False
        path = tree.path
        root = path[0] if path[0] in self._types else ""
        type_ = TYPES[self._types[root]]
        for name in path[1:] if root else path:
            link = type_.link(name)
            if link is None:
                return name in type_.json or name in _FLEXIBLE
            type_ = TYPES[link.target]
        return False


def _linked(entity: Entity | None, name: str) -> list[Entity | None]:
    found = None if entity is None else entity.get(name)
    if isinstance(found, list):
        return list(found) or [None]
    return [found]


def _paths(tree: Expression, root: str) -> Iterator[tuple[str, ...]]:
    if isinstance(tree, Property):
        variables = {root} if root else set()
        if not root or tree.path[0] in variables:
            yield tree.path
    elif isinstance(tree, Any):
        if root:
            yield from _paths(tree.condition, root)
        else:
            yield from (
                path for path in _paths(tree.condition, "") if path[0] not in _variables(tree)
            )
    elif isinstance(tree, Apply):
        for one in tree.arguments:
            yield from _paths(one, root)


def _variables(tree: Expression) -> set[str]:
    if isinstance(tree, Any):
        return {tree.variable} | _variables(tree.condition)
    if isinstance(tree, Apply):
        return {name for one in tree.arguments for name in _variables(one)}
    return set()


def _kind(value: Anything) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (Moment, Span)):
        return "time"
    if isinstance(value, Duration):
        return "duration"
    return "json"


def _text(value: Anything) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def _ends(value: Anything) -> tuple[int, int] | None:
    if isinstance(value, Moment):
        return value.us, value.us
    if isinstance(value, Span):
        return value.start_us, value.end_us
    return None


_ORDERS: dict[str, Callable[[Anything, Anything], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


def _compare(
    name: str, values: Sequence[Anything], dynamic: Sequence[bool], nulls: Sequence[bool]
) -> Truth:
    left, right = values
    if any(nulls):
        other = right if nulls[0] else left
        if name in {"eq", "ne"}:
            return (other is None) == (name == "eq")
        return None
    if left is None or right is None:
        return None
    kinds = _kind(left), _kind(right)
    if set(kinds) == {"time", "text"}:
        left, right = (_read_time(one) if isinstance(one, str) else one for one in values)
        if left is None or right is None:
            return None
        kinds = "time", "time"
    if kinds[0] != kinds[1] and set(kinds) <= {"text", "number", "bool"}:
        as_text = all(dynamic) or any(
            flag and kind != "text" and other == "text"
            for flag, kind, other in zip(dynamic, kinds, reversed(kinds), strict=True)
        )
        if as_text:
            left, right, kinds = _text(left), _text(right), ("text", "text")
    if kinds[0] != kinds[1] or kinds[0] == "json":
        return name == "ne"
    if kinds[0] == "time":
        return _TIMES[name](*_ends(left), *_ends(right))  # type: ignore[misc]
    if kinds[0] == "duration":
        return _ORDERS[name](left.us, right.us)
    if kinds[0] == "number":
        return _ORDERS[name](float(left), float(right))
    return _ORDERS[name](left, right)


def _read_time(text: str) -> Moment | None:
    """Read the plain forms of ISO 8601; generated data has no others."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) < 10 or not text[:4].isdigit():
        return None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return Moment((time - _EPOCH) // timedelta(microseconds=1))


_TIMES: dict[str, Callable[[int, int, int, int], bool]] = {
    "eq": lambda s1, e1, s2, e2: s1 == s2 and e1 == e2,
    "ne": lambda s1, e1, s2, e2: not (s1 == s2 and e1 == e2),
    "gt": lambda s1, e1, s2, e2: s1 >= e2 and s1 > s2,
    "ge": lambda s1, e1, s2, e2: s1 >= s2 and e1 >= e2,
    "lt": lambda s1, e1, s2, e2: e1 <= s2 and s1 < s2,
    "le": lambda s1, e1, s2, e2: s1 <= s2 and e1 <= e2,
    "after": lambda s1, e1, s2, e2: s1 >= e2 and s1 > s2,
    "before": lambda s1, e1, s2, e2: e1 <= s2 and s1 < s2,
    "meets": lambda s1, e1, s2, e2: s1 == e2 or e1 == s2,
    "during": lambda s1, e1, s2, e2: s2 <= s1 and e2 > s1 and e2 >= e1,
    "overlaps": lambda s1, e1, s2, e2: not (s1 >= e2 or s2 >= e1) or s1 == s2,
    "starts": lambda s1, e1, s2, e2: s1 == s2,
    "finishes": lambda s1, e1, s2, e2: e1 == e2,
}


def _takes(*kinds: str) -> Callable[[Callable[..., Anything]], Callable[..., Anything]]:
    """Make a function give null unless its arguments are of these kinds."""

    def wrap(function: Callable[..., Anything]) -> Callable[..., Anything]:
        def apply(*values: Anything) -> Anything:
            found = tuple(map(_kind, values))
            return function(*values) if found == kinds[: len(found)] else None

        return apply

    return wrap


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _time(start: int, end: int) -> Moment | Span | None:
    if not all(MIN_TIME_US <= one < MAX_TIME_US for one in (start, end)):
        return None
    return Moment(start) if start == end else Span(start, end)


def _add(left: Anything, right: Anything, sign: int = 1) -> Anything:
    kinds = _kind(left), _kind(right)
    if kinds == ("number", "number"):
        return _number(float(left) + sign * float(right))
    if kinds == ("duration", "duration"):
        total = left.us + sign * right.us
        return Duration(total) if abs(total) < _LONGEST else None
    if kinds == ("time", "duration"):
        start, end = _ends(left)  # type: ignore[misc]
        return _time(start + sign * right.us, end + sign * right.us)
    if kinds == ("duration", "time") and sign == 1:
        return _add(right, left)
    if kinds == ("time", "time") and sign == -1:
        return Duration(_ends(left)[0] - _ends(right)[0])  # type: ignore[index]
    return None


def _scaled(us: int, by: Callable[[float], float]) -> Duration | None:
    try:
        found = by(float(us))
    except (ZeroDivisionError, OverflowError):
        return None
    return Duration(round(found)) if math.isfinite(found) and abs(found) < _LONGEST else None


def _multiply(left: Anything, right: Anything) -> Anything:
    kinds = _kind(left), _kind(right)
    if kinds == ("number", "duration"):
        left, right = right, left
    if "duration" in kinds and "number" in kinds:
        return _scaled(left.us, lambda us: us * float(right))
    return _number(float(left) * float(right)) if kinds == ("number", "number") else None


def _divide(left: Anything, right: Anything) -> Anything:
    kinds = _kind(left), _kind(right)
    if kinds[1] != "number" or float(right) == 0:
        return None
    if kinds[0] == "duration":
        return _scaled(left.us, lambda us: us / float(right))
    return _number(float(left) / float(right)) if kinds[0] == "number" else None


@_takes("number", "number")
def _modulo(left: float, right: float) -> float | None:
    return _number(math.fmod(left, right)) if float(right) else None


def _negative(value: Anything) -> Anything:
    if isinstance(value, Duration):
        return Duration(-value.us)
    return -float(value) if _kind(value) == "number" else None


@_takes("number")
def _round(number: float) -> float:
    whole = math.trunc(float(number))
    away = math.copysign(1, number) if abs(float(number) - whole) >= 0.5 else 0
    return float(whole) + away


@_takes("text", "number", "number")
def _substring(text: str, start: float, count: float | None = None) -> str:
    first = max(0, math.trunc(start))
    return text[first:] if count is None else text[first : first + max(0, math.trunc(count))]


def _of_time(part: Callable[[datetime], Anything]) -> Callable[..., Anything]:
    def apply(value: Anything) -> Anything:
        ends = _ends(value)
        return None if ends is None else part(_EPOCH + timedelta(microseconds=ends[0]))

    return apply


def _relation(name: str) -> Callable[..., Truth]:
    return _takes("time", "time")(lambda a, b: _TIMES[name](*_ends(a), *_ends(b)))  # type: ignore[misc]


def _geometry(value: Anything) -> Anything:
    import shapely

    if isinstance(value, Shape):
        return shapely.from_wkt(value.wkt)
    if isinstance(value, dict) and value.get("type") == "Feature":
        value = value.get("geometry")
    if not isinstance(value, dict) or "type" not in value:
        return None
    try:
        return shapely.from_geojson(json.dumps(value))
    except (shapely.errors.ShapelyError, ValueError):
        return None


def _spatial(name: str) -> Callable[..., Anything]:
    def apply(left: Anything, right: Anything) -> Anything:
        one, other = _geometry(left), _geometry(right)
        if one is None or other is None:
            return None
        found = getattr(one, name)(other)
        return bool(found) if name != "distance" else _number(found)

    return apply


def _relate(left: Anything, right: Anything, pattern: Anything) -> Truth:
    one, other = _geometry(left), _geometry(right)
    if one is None or other is None or not isinstance(pattern, str):
        return None
    return bool(one.relate_pattern(other, pattern))


def _geo_length(value: Anything) -> float | None:
    shape = _geometry(value)
    if shape is None:
        return None
    parts = list(shape.geoms) if hasattr(shape, "geoms") else [shape]
    return float(sum(one.length for one in parts if one.geom_type == "LineString"))


_FUNCTIONS: dict[str, Callable[..., Anything]] = {
    "substringof": _takes("text", "text")(lambda part, whole: part in whole),
    "contains": _takes("text", "text")(lambda whole, part: part in whole),
    "startswith": _takes("text", "text")(lambda whole, part: whole.startswith(part)),
    "endswith": _takes("text", "text")(lambda whole, part: whole.endswith(part)),
    "indexof": _takes("text", "text")(lambda whole, part: whole.find(part) + 1),
    "concat": _takes("text", "text")(lambda one, other: one + other),
    "length": _takes("text")(len),
    "substring": _substring,
    "tolower": _takes("text")(str.lower),
    "toupper": _takes("text")(str.upper),
    "trim": _takes("text")(lambda text: text.strip(" \t\n\r\v\f")),
    "round": _round,
    "floor": _takes("number")(lambda number: float(math.floor(number))),
    "ceiling": _takes("number")(lambda number: float(math.ceil(number))),
    "neg": _negative,
    "add": _add,
    "sub": lambda left, right: _add(left, right, -1),
    "mul": _multiply,
    "div": _divide,
    "mod": _modulo,
    "year": _of_time(lambda time: time.year),
    "month": _of_time(lambda time: time.month),
    "day": _of_time(lambda time: time.day),
    "hour": _of_time(lambda time: time.hour),
    "minute": _of_time(lambda time: time.minute),
    "second": _of_time(lambda time: time.second),
    "fractionalseconds": _of_time(lambda time: time.microsecond / 1e6),
    "totaloffsetminutes": _of_time(lambda _: 0),
    "date": lambda value: (
        None if _ends(value) is None else Moment(_ends(value)[0] // 86_400_000_000 * 86_400_000_000)  # type: ignore[index]
    ),
    "time": lambda value: (
        None if _ends(value) is None else Duration(_ends(value)[0] % 86_400_000_000)
    ),  # type: ignore[index]
    "mindatetime": lambda: Moment(MIN_TIME_US),
    "maxdatetime": lambda: Moment(MAX_TIME_US - 1),
    **{
        name: _relation(name)
        for name in ("before", "after", "meets", "during", "overlaps", "starts", "finishes")
    },
    "geo.distance": _spatial("distance"),
    "geo.length": _geo_length,
    "geo.intersects": _spatial("intersects"),
    "st_equals": _spatial("equals"),
    "st_disjoint": _spatial("disjoint"),
    "st_touches": _spatial("touches"),
    "st_within": _spatial("within"),
    "st_overlaps": _spatial("overlaps"),
    "st_crosses": _spatial("crosses"),
    "st_intersects": _spatial("intersects"),
    "st_contains": _spatial("contains"),
    "st_relate": _relate,
}

_RANKS = ("null", "text", "number", "bool", "time", "duration", "json")


def _rank(value: Anything) -> tuple[Anything, ...]:
    kind = _kind(value)
    inside: Anything = 0
    if kind == "time":
        inside = _ends(value)
    elif kind == "duration":
        inside = value.us
    elif kind in {"text", "number", "bool"}:
        inside = value
    return _RANKS.index(kind), inside
