"""A query taken apart: its shape, for which there is a statement, and the values it runs with."""

from __future__ import annotations

from collections.abc import Hashable

from penstock.catalog.entities.reading_scope import Visibility, id_array
from penstock.catalog.entities.reading_shapes import MAX_INTEGER, Values, plain_value
from penstock.catalog.entities.reading_statements import Wanted
from penstock.catalog.entities.reading_tables import SOURCES
from penstock.core.entities import Query
from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput, NotSupported


class Asked:
    """A query, its shape and its values.

    Args:
        query: The query.
        now_us: What `now()` is.
        one_by_one: It is answered for each id of `query.along` by itself.
    """

    def __init__(self, query: Query, now_us: int, *, one_by_one: bool = False) -> None:
        if query.type not in SOURCES:
            raise _not_here(query.type)
        self.parents = _parents(query, one_by_one=one_by_one)
        self._values = Values()
        self.values = self._values.parameters
        self.values["now"] = now_us
        where = None if query.where is None else self._values.take(query.where)
        order = [(self._values.take(key.by), key.descending) for key in query.order]
        visibility = Visibility.of(query.scope, self.values)
        after = self._after(query)
        is_paged = query.limit is not None or query.skip > 0
        is_one = not one_by_one and len(self.parents) == 1
        along = None if query.along is None else (query.along.type, query.along.link)
        self._add_plain_values(query, is_one=is_one)
        #: Nothing can be the answer: no statement is needed.
        self.is_empty = query.limit == 0 or (query.along is not None and not self.parents)
        self.wanted = Wanted(
            type=query.type,
            visibility=visibility,
            by_id=query.id is not None,
            along=along,
            is_along_one=is_one,
            where=None if where is None else where[1],
            order=tuple([(node, descending) for (_, node), descending in order]),
            after=after,
            is_paged=is_paged,
            links=query.links,
            properties=query.properties,
        )
        self.shape: Hashable = (
            query.type,
            visibility.parts,
            query.id is not None,
            along,
            is_one,
            None if where is None else where[0],
            tuple([(shape, descending) for (shape, _), descending in order]),
            after,
            is_paged,
            query.links,
            query.properties,
        )

    def _add_plain_values(self, query: Query, *, is_one: bool) -> None:
        if query.id is not None:
            self.values["id"] = query.id if 0 < query.id <= MAX_INTEGER else 0
        if is_one:
            self.values["parent"] = self.parents[0]
        elif query.along is not None:
            self.values["parents"] = id_array(self.parents)
        # To SQLite a negative limit is none; so is the largest number to every database.
        self.values["limit"] = MAX_INTEGER if query.limit is None else min(query.limit, MAX_INTEGER)
        self.values["skip"] = min(max(query.skip, 0), MAX_INTEGER)

    def _after(self, query: Query) -> tuple[bool, ...] | None:
        if query.after is None:
            return None
        if len(query.after) != len(query.order) + 1:
            msg = (
                f"the position {query.after!r} has {len(query.after)} values; expected one for "
                f"each of {len(query.order)} sort keys and the id"
            )
            raise InvalidInput(msg)
        for at, value in enumerate(query.after):
            if value is not None and not isinstance(value, (bool, int, float, str)):
                msg = f"the position holds {value!r}; expected texts, numbers or null"
                raise InvalidInput(msg)
            if at == len(query.order) and not isinstance(value, (int, float)):
                msg = f"the position {query.after!r} ends with {value!r}; expected a number"
                raise InvalidInput(msg)
            self.values[f"after{at}"] = None if value is None else plain_value(value)
        return tuple([value is not None for value in query.after])


def _parents(query: Query, *, one_by_one: bool) -> tuple[int, ...]:
    if query.along is None:
        if one_by_one:
            msg = "a question along a link must say which"
            raise InvalidInput(msg)
        return ()
    type_, link = query.along.type, query.along.link
    known = TYPES.get(type_)
    found = None if known is None else known.link(link)
    if found is None or found.target != query.type:
        msg = f"{type_} has no link {link!r} to {query.type}"
        raise InvalidInput(msg)
    if type_ not in SOURCES or link not in SOURCES[type_].paths:
        raise _not_here("Observation")
    return tuple(dict.fromkeys(id_ for id_ in query.along.ids if 0 < id_ <= MAX_INTEGER))


def _not_here(type_: str) -> Exception:
    if type_ in TYPES:
        return NotSupported(f"entities of type {type_} are not kept in the catalog")
    return InvalidInput(f"there is no entity type {type_!r}; there are {', '.join(TYPES)}")
