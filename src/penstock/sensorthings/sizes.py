"""How large an answer would be: entities that are expanded in each other multiply."""

from __future__ import annotations

from penstock.core.errors import NotSupported

#: At most so many entities in one answer, those within others counted each time they show.
MAX_ENTITIES = 200_000


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
