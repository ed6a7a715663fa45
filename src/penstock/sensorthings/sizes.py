"""How large an answer would be: entities that are expanded in each other multiply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.core.errors import NotSupported
from penstock.sensorthings.grammar import Options

#: At most so many entities in one answer, those within others counted each time they show.
MAX_ENTITIES = 200_000


def check_size(values: Sequence[Any], options: Options) -> None:
    """Do nothing if these entities can be shown in one answer.

    Args:
        values: The entities, with what is expanded in them.
        options: What was asked for.

    Raises:
        NotSupported: They are too many, with those within them.
    """
    check_count(_Sizes().of(values, options))


def check_count(total: int) -> None:
    """Do nothing if so many entities can be shown in one answer; `NotSupported` otherwise.

    What is expanded is counted before it is made: all of it shows at least once.
    """
    if total > MAX_ENTITIES:
        msg = (
            f"the answer would hold {total} entities, more than {MAX_ENTITIES}; choose fewer with "
            "$top and $filter, also within $expand, or expand fewer links"
        )
        raise NotSupported(msg)


class _Sizes:
    """Counts; an entity that shows in several places is looked at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}

    def of(self, values: Sequence[Any], options: Options) -> int:
        """Return how many entities these are, with those within them."""
        if not options.expand:
            return len(values)
        if not any(expand.options.expand for expand in options.expand):
            links = [expand.link for expand in options.expand]
            within = (value for one in values for link in links if (value := one.get(link)))
            return len(values) + sum(len(v) if isinstance(v, list) else 1 for v in within)
        return sum(self._one(one, options) for one in values)

    def _one(self, entity: dict[str, Any], options: Options) -> int:
        key = id(entity), id(options)
        total = self._known.get(key)
        if total is None:
            total = 1
            for expand in options.expand:
                value = entity.get(expand.link)
                if value:
                    values = value if isinstance(value, list) else [value]
                    total += self.of(values, expand.options)
            self._known[key] = total
        return total
