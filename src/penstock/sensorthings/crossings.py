"""Conditions across the border of catalog and store: which of their paths cross it where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from penstock.core.entity_types import TYPES
from penstock.core.errors import NotSupported
from penstock.core.expression import Any, Apply, Expression, Property
from penstock.sensorthings.sources import ID

Path = tuple[str, ...]
#: Types that Observations are of.
STREAMS = ("Datastream", "MultiDatastream")
#: Times of theirs that follow from their Observations.
DERIVED = ("phenomenonTime", "resultTime")
#: Types of the variables around, by name.
Variables = Mapping[str, str]
_LINKS = (*STREAMS, "FeatureOfInterest")
CONNECTIVES = ("and", "or")


def crossings_of(tree: Expression, type_: str, variables: Variables) -> set[Path | None]:
    """Return where the paths of a tree cross to the store; None stands for those that do not."""
    if isinstance(tree, Property):
        return {crossing_of(tree.path, type_, variables)}
    if isinstance(tree, Apply):
        found = [crossings_of(one, type_, variables) for one in tree.arguments]
        # Literals belong to every side.
        return set().union(*found) or {None}
    if isinstance(tree, Any):
        crossing = crossing_of(tree.path, type_, variables)
        if crossing is not None:
            # It is answered by itself: its items are its own.
            return {crossing, None}
        inner = {**variables, tree.variable: type_at(tree.path, type_, variables)}
        return crossings_of(tree.condition, type_, inner) | {None}
    return set()


def ways_to_observations(tree: Expression, type_: str, variables: Variables) -> set[Path]:
    """Return the ways to Observations that a condition has in common with others."""
    crossings = (crossing_of(path, type_, variables) for path in paths_of(tree, outside_any=True))
    return {one for one in crossings if one is not None and one[-1] not in DERIVED}


def crossing_of(path: Path, type_: str, variables: Variables) -> Path | None:
    """Return the part of a path up to Observations, or up to a derived time; None without one."""
    at = 0
    if path and path[0] in variables:
        type_, at = variables[path[0]], 1
    while at < len(path):
        name = path[at]
        if type_ in STREAMS and name in DERIVED:
            return path[: at + 1]
        link = TYPES[type_].link(name)
        if link is None:
            return None
        if link.target == "Observation":
            return path[: at + 1]
        type_, at = link.target, at + 1
    return None


def type_at(path: Path, type_: str, variables: Variables) -> str:
    """Return the type of entity at the end of a path's navigation."""
    for at, name in enumerate(path):
        if not at and name in variables:
            type_ = variables[name]
            continue
        link = TYPES[type_].link(name)
        if link is not None:
            type_ = link.target
    return type_


def sides_of(tree: Expression) -> set[str]:
    """Return the links through which the paths of a condition on Observations lead; "" is here.

    Rows know the ids of what they are linked to: these are here too, unless all of the condition is
    behind the same link.
    """
    paths = list(paths_of(tree))
    ids = {path[0] for path in paths if path[0] in _LINKS and path[1:] == (ID,)}
    found = {
        path[0] if path[0] in _LINKS else ""
        for path in paths
        if path[0] not in ids or path[1:] != (ID,)
    }
    return found if found and ids <= found else found | {""}


def paths_of(
    tree: Expression, variables: frozenset[str] = frozenset(), *, outside_any: bool = False
) -> Iterator[Path]:
    """Yield the paths of a condition that do not begin with one of its own variables."""
    if isinstance(tree, Property):
        if tree.path[0] not in variables:
            yield tree.path
    elif isinstance(tree, Apply):
        for one in tree.arguments:
            yield from paths_of(one, variables, outside_any=outside_any)
    elif isinstance(tree, Any) and not outside_any:
        if tree.path[0] not in variables:
            yield tree.path
        yield from paths_of(tree.condition, variables | {tree.variable})


def ways_to_many(tree: Expression) -> set[Path]:
    """Return the navigation to many that a condition on Observations makes."""
    found = set()
    for path in paths_of(tree, outside_any=True):
        type_ = "Observation"
        for at, name in enumerate(path):
            link = TYPES[type_].link(name)
            if link is None:
                break
            if link.many:
                found.add(path[: at + 1])
            type_ = link.target
    return found


def grouped(
    tree: Apply, side: Callable[[Expression], set[Path | None]] | Callable[[Expression], set[str]]
) -> list[Expression]:
    """Bring the parts of an `and` or `or` together that are of one side."""
    groups: dict[frozenset[object], list[Expression]] = {}
    for one in tree.arguments:
        groups.setdefault(frozenset(side(one)), []).append(one)
    found: list[Expression] = []
    for sides, parts in groups.items():
        if len(sides) == 1 and len(parts) > 1:
            found.append(Apply(tree.function, tuple(parts), tree.at))
        else:
            found.extend(parts)
    return found


def joined(tree: Apply, parts: list[Expression]) -> Expression:
    """Return parts joined as a tree is."""
    if len(parts) == 1 and tree.function in CONNECTIVES:
        return parts[0]
    return Apply(tree.function, tuple(parts), tree.at)


def without(tree: Expression, prefix: Path, variables: frozenset[str] = frozenset()) -> Expression:
    """Return a tree whose paths begin behind a prefix, but for those of its own variables.

    Raises:
        NotSupported: One has another prefix.
    """
    if isinstance(tree, Apply):
        parts = tuple(without(one, prefix, variables) for one in tree.arguments)
        return Apply(tree.function, parts, tree.at)
    if isinstance(tree, Property):
        return Property(_behind(tree, prefix, variables), tree.at)
    if isinstance(tree, Any):
        condition = without(tree.condition, prefix, variables | {tree.variable})
        path = _behind(tree, prefix, variables)
        return msgspec.structs.replace(tree, path=path, condition=condition)
    return tree


def _behind(tree: Property | Any, prefix: Path, variables: frozenset[str]) -> Path:
    if tree.path[0] in variables:
        return tree.path
    if tree.path[: len(prefix)] != prefix:
        raise mixed_sides(tree)
    return tree.path[len(prefix) :]


def has_any(tree: Expression) -> bool:
    """Tell whether there is an `any` in a condition."""
    if isinstance(tree, Apply):
        return any(map(has_any, tree.arguments))
    return isinstance(tree, Any)


def renamed(tree: Expression, name: str, new: str) -> Expression:
    """Return a condition in which a property has another name."""
    if isinstance(tree, Property):
        return Property((new, *tree.path[1:]), tree.at) if tree.path[0] == name else tree
    if isinstance(tree, Apply):
        parts = tuple(renamed(one, name, new) for one in tree.arguments)
        return Apply(tree.function, parts, tree.at)
    return tree


def mixed_sides(tree: Expression) -> NotSupported:
    """Return the error for a comparison that no side can answer."""
    at = getattr(tree, "at", 0)
    return NotSupported(
        f"$filter, position {at}: one comparison that speaks of Observations and of other entities "
        "at once cannot be answered; compare each with a literal, joined by `and`"
    )
