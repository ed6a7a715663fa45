"""The same condition, said from Observations: what they belong to is reached backwards."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from penstock.core.entity_types import TYPES, Link
from penstock.core.expression import Any, Apply, Expression, Property

Path = tuple[str, ...]


def seen_from(
    tree: Expression,
    crossing: Path,
    type_: str,
    variables: Mapping[str, str],
    item: str | None = None,
) -> Expression | None:
    """Return a condition as Observations see it, or None when they cannot.

    `Datastreams/Observations/result gt Datastreams/properties/limit`, seen from the Observations,
    is `result gt Datastream/properties/limit`.

    Args:
        tree: The condition.
        crossing: The path to the Observations.
        type_: Type of the entity that paths without a variable begin at.
        variables: Types of the variables around, by name.
        item: The variable that is the Observation; None when it is reached by `crossing`.
    """
    return _Turned(crossing, type_, variables, item).tree(tree, frozenset())


class _Turned:
    def __init__(
        self, crossing: Path, type_: str, variables: Mapping[str, str], item: str | None
    ) -> None:
        self._crossing = crossing
        self._item = item
        self._back = _back(crossing, type_, variables)
        self._first = 1 if crossing[0] in variables else 0

    def tree(self, tree: Expression, own: frozenset[str]) -> Expression | None:
        if isinstance(tree, Apply):
            parts = [self.tree(one, own) for one in tree.arguments]
            kept = tuple(one for one in parts if one is not None)
            return Apply(tree.function, kept, tree.at) if len(kept) == len(parts) else None
        if isinstance(tree, Property):
            path = self._path(tree.path, own)
            return None if path is None else Property(path, tree.at)
        if isinstance(tree, Any):
            path = self._path(tree.path, own)
            condition = self.tree(tree.condition, own | {tree.variable})
            if path is None or condition is None:
                return None
            return msgspec.structs.replace(tree, path=path, condition=condition)
        return tree

    def _path(self, path: Path, own: frozenset[str]) -> Path | None:
        if path[0] in own:
            return path
        if self._item is not None and path[0] == self._item:
            return path[1:]
        crossing = self._crossing
        common = 0
        while common < min(len(path), len(crossing)) and path[common] == crossing[common]:
            common += 1
        if common == len(crossing) and self._item is None:
            return path[common:]
        common = min(common, len(crossing) - 1)
        steps = len(crossing) - common
        if common < self._first or steps > len(self._back):
            return None
        found = (*self._back[:steps], *path[common:])
        return None if _leads_to_many(found) else found


def _back(crossing: Path, type_: str, variables: Mapping[str, str]) -> Path:
    """Return the links to one that lead back from Observations, as far as there are any."""
    links: list[Link | None] = []
    for name in crossing:
        if not links and name in variables:
            type_ = variables[name]
            continue
        link = TYPES[type_].link(name)
        assert link is not None
        links.append(TYPES[link.target].link(link.inverse))
        type_ = link.target
    found: list[str] = []
    for inverse in reversed(links):
        if inverse is None or inverse.many:
            break
        found.append(inverse.name)
    return tuple(found)


def _leads_to_many(path: Path) -> bool:
    type_ = "Observation"
    for name in path:
        link = TYPES[type_].link(name)
        if link is None:
            return False
        if link.many:
            return True
        type_ = link.target
    return False
