"""Conditions in forms in which their parts can be answered one by one.

A part that is answered elsewhere comes back as a set of ids: it no longer tells false from
unknown. That does no harm as long as no `not` is around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.core.errors import NotSupported
from penstock.core.expression import Apply, Expression

#: Alternatives that one condition may be spread to.
MAX_ALTERNATIVES = 64

_OPPOSITE = {"and": "or", "or": "and"}


def positive(tree: Expression) -> Expression:
    """Return the same condition with every `not` directly around a comparison or a function.

    De Morgan's laws hold in the logic of three values too.
    """
    if not isinstance(tree, Apply):
        return tree
    if tree.function in _OPPOSITE:
        return _flat(tree.function, [positive(one) for one in tree.arguments], tree.at)
    if tree.function == "not":
        return _negated(tree.arguments[0], tree.at)
    return tree


def _negated(tree: Expression, at: int) -> Expression:
    if isinstance(tree, Apply) and tree.function in _OPPOSITE:
        parts = [_negated(one, at) for one in tree.arguments]
        return _flat(_OPPOSITE[tree.function], parts, tree.at)
    if isinstance(tree, Apply) and tree.function == "not":
        return positive(tree.arguments[0])
    return Apply("not", (tree,), at)


def _flat(function: str, parts: Sequence[Expression], at: int) -> Expression:
    """Return parts joined; those that are joined in the same way become parts themselves."""
    found: list[Expression] = []
    for one in parts:
        same = isinstance(one, Apply) and one.function == function
        found.extend(one.arguments if same and isinstance(one, Apply) else (one,))
    return Apply(function, tuple(found), at)


def is_shared(
    parts: Sequence[Expression], shared: Callable[[Expression], set[tuple[str, ...]]]
) -> bool:
    """Tell whether two parts have something in common."""
    seen: set[tuple[str, ...]] = set()
    for one in parts:
        own = shared(one)
        if seen & own:
            return True
        seen |= own
    return False


def spread(parts: Sequence[Expression], most: int) -> Expression:
    """Return the parts of an `and` as an `or` of `and`s that says the same.

    Args:
        parts: What the `and` joins.
        most: At most so many alternatives.

    Raises:
        NotSupported: There would be more.
    """
    alternatives: list[list[Expression]] = [[]]
    for one in parts:
        choices = one.arguments if isinstance(one, Apply) and one.function == "or" else (one,)
        alternatives = [[*before, choice] for before in alternatives for choice in choices]
        if len(alternatives) > most:
            msg = (
                f"$filter, position {one.at}: conditions on the same linked entities within more "
                f"than {MAX_ALTERNATIVES} alternatives cannot be answered; write fewer `or`"
            )
            raise NotSupported(msg)
    joined = tuple(_flat("and", one, parts[0].at) for one in alternatives)
    return joined[0] if len(joined) == 1 else Apply("or", joined, parts[0].at)
