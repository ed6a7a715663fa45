"""What of a condition a `core.Selection` can say: bounds that no row it holds for is outside of."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from penstock.core.expression import (
    Apply,
    Duration,
    Expression,
    Literal,
    Members,
    Moment,
    Property,
    Span,
)
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

#: From where to where the start of a phenomenon time can be, the end exclusive; and whether that
#: says all, so that the condition need not be looked at again.
_Range = tuple[int, int, bool]

_FLIPPED = {
    "eq": "eq",
    "gt": "lt",
    "ge": "le",
    "lt": "gt",
    "le": "ge",
    "before": "after",
    "after": "before",
    "overlaps": "overlaps",
    "starts": "starts",
}
_LOW, _HIGH = MIN_TIME_US, MAX_TIME_US

_RANGES: dict[str, Callable[[int, int], _Range]] = {
    "eq": lambda start, _: (start, start + 1, False),
    "gt": lambda start, end: (max(end, start + 1), _HIGH, True),
    "after": lambda start, end: (max(end, start + 1), _HIGH, True),
    "ge": lambda start, end: (start, _HIGH, start == end),
    "lt": lambda start, _: (_LOW, start, False),
    "before": lambda start, _: (_LOW, start, False),
    "le": lambda _, end: (_LOW, end + 1, False),
    "during": lambda start, end: (start, end, False),
    "starts": lambda start, _: (start, start + 1, True),
    "finishes": lambda _, end: (_LOW, end + 1, False),
    "overlaps": lambda start, end: (_LOW, max(end, start + 1), False),
}


class Narrowed(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds that a condition implies, and what is left of it.

    Attributes:
        start_us: First phenomenon time that can fit, microseconds UTC.
        end_us: First one behind it that cannot.
        datastreams: The only datastreams that can fit.
        features: The only features that can fit; 0 is among them unless it cannot.
        rest: What has to be evaluated; None when the bounds say all.
    """

    start_us: int | None = None
    end_us: int | None = None
    datastreams: frozenset[int] | None = None
    features: frozenset[int] | None = None
    rest: Expression | None = None


def narrow(where: Expression | None, now_us: int) -> Narrowed:
    """Return the bounds that follow from the conditions that all have to hold.

    Args:
        where: The condition, over Observations.
        now_us: What `now()` is.
    """
    start, end = _LOW, _HIGH
    datastreams: frozenset[int] | None = None
    features: frozenset[int] | None = None
    rest: list[Expression] = []
    for one in _conjuncts(where):
        says_all = False
        if (found := _time_range(one, now_us)) is not None:
            start, end = max(start, found[0]), min(end, found[1])
            says_all = found[2]
        elif (ids := _ids(one, ("Datastream", "MultiDatastream"))) is not None:
            datastreams = ids if datastreams is None else datastreams & ids
            says_all = _is_resolved(one)
        elif (ids := _ids(one, ("FeatureOfInterest",))) is not None:
            both = ids | {0}
            features = both if features is None else features & both
        if not says_all:
            rest.append(one)
    return Narrowed(
        start_us=None if start == _LOW else start,
        end_us=None if end == _HIGH else max(end, start),
        datastreams=datastreams,
        features=features,
        rest=_joined(rest),
    )


def _is_resolved(tree: Expression) -> bool:
    """Tell whether ids were given by the catalog, which knows what kind of stream each is.

    Ids that stand in a filter may be of the other kind, to which this link does not lead.
    """
    return isinstance(tree, Apply) and all(
        isinstance(one, Literal) and isinstance(one.value, Members) for one in tree.arguments[1:]
    )


def _conjuncts(tree: Expression | None) -> list[Expression]:
    if tree is None:
        return []
    if isinstance(tree, Apply) and tree.function == "and":
        return [part for one in tree.arguments for part in _conjuncts(one)]
    return [tree]


def _joined(parts: list[Expression]) -> Expression | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return Apply("and", tuple(parts), parts[0].at)


def _time_range(tree: Expression, now_us: int) -> _Range | None:
    if not isinstance(tree, Apply):
        return None
    if tree.function == "in":
        return _time_range_in(tree, now_us)
    if len(tree.arguments) != 2:
        return None
    left, right = tree.arguments
    name: str | None = tree.function
    if _is_time(right):
        left, right, name = right, left, _FLIPPED.get(tree.function)
    ends = constant_time(right, now_us) if _is_time(left) else None
    make = _RANGES.get(name) if name is not None else None
    return None if ends is None or make is None else make(*ends)


def _time_range_in(tree: Apply, now_us: int) -> _Range | None:
    if not _is_time(tree.arguments[0]):
        return None
    all_ends = [constant_time(one, now_us) for one in tree.arguments[1:]]
    starts = [ends[0] for ends in all_ends if ends is not None]
    if len(starts) < len(all_ends):
        return None
    return min(starts), max(starts) + 1, False


def _is_time(tree: Expression) -> bool:
    return isinstance(tree, Property) and tree.path == ("phenomenonTime",)


def constant_time(tree: Expression, now_us: int) -> tuple[int, int] | None:
    """Return start and end of a time that is the same for every row, or None."""
    if isinstance(tree, Literal):
        if isinstance(tree.value, Moment):
            return tree.value.us, tree.value.us
        if isinstance(tree.value, Span):
            return tree.value.start_us, tree.value.end_us
        return None
    if not isinstance(tree, Apply):
        return None
    if tree.function == "now":
        return now_us, now_us
    if tree.function == "mindatetime":
        return MIN_TIME_US, MIN_TIME_US
    if tree.function == "maxdatetime":
        return MAX_TIME_US - 1, MAX_TIME_US - 1
    if tree.function in {"add", "sub"}:
        return _shifted(tree, now_us)
    return None


def _shifted(tree: Apply, now_us: int) -> tuple[int, int] | None:
    time, by = tree.arguments
    if tree.function == "add" and isinstance(time, Literal) and isinstance(time.value, Duration):
        time, by = by, time
    if not isinstance(by, Literal) or not isinstance(by.value, Duration):
        return None
    ends = constant_time(time, now_us)
    if ends is None:
        return None
    us = by.value.us if tree.function == "add" else -by.value.us
    start, end = ends[0] + us, ends[1] + us
    inside = MIN_TIME_US <= start < MAX_TIME_US and MIN_TIME_US <= end < MAX_TIME_US
    return (start, end) if inside else None


def _ids(tree: Expression, links: tuple[str, ...]) -> frozenset[int] | None:
    """Return the ids that a link can lead to where a condition holds, or None for any."""
    if not isinstance(tree, Apply) or tree.function not in {"eq", "in"}:
        return None
    tested, *choices = tree.arguments
    if tree.function == "eq" and isinstance(tested, Literal):
        tested, choices = choices[0], [tested]
    if not isinstance(tested, Property) or tested.path not in {(one, "@iot.id") for one in links}:
        return None
    found: set[int] = set()
    for one in choices:
        if not isinstance(one, Literal) or one.value is None:
            return None
        if isinstance(one.value, Members):
            found |= one.value.ids
        elif isinstance(one.value, (int, float)) and float(one.value).is_integer():
            found.add(int(one.value))
    return frozenset(found)
