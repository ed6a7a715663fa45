"""The entities of SensorThings and what a catalog does with them; see also `core.catalog`.

Their types are in `core.entity_types`. Observations are not among them: they are rows of a store,
see `core.observation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from penstock.core.access import Scope
from penstock.core.expression import Expression, Order

#: A property as the database has it: times are microseconds UTC (an interval is a pair of them),
#: everything else is JSON. The id is under `@iot.id`.
Row = Mapping[str, object]


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Entities as columns: what an answer in JSON is put together from.

    Attributes:
        ids: Of the entities, in order.
        values: By property, in the order in which they are shown: JSON as text, or times in
            microseconds; None where there is none.
        kinds: Of Datastreams the words of `core.series.ObservationType`.
        next: The `@sort` of the last one, when the limit left some out.
    """

    ids: Sequence[int]
    values: Mapping[str, Sequence[str | int | None]]
    kinds: Sequence[str] = ()
    next: tuple[object, ...] | None = None

    def take(self, rows: Sequence[int]) -> Columns:
        """Return those at some places, in that order."""
        return Columns(
            ids=[self.ids[row] for row in rows],
            values={name: [column[row] for row in rows] for name, column in self.values.items()},
            kinds=[self.kinds[row] for row in rows] if self.kinds else (),
        )


class ColumnsAlong(Columns, frozen=True, kw_only=True):
    """Entities at the end of a link of several others.

    Attributes:
        sizes: How many there are of each of the others, in order: first all of the first one.
        nexts: The `@sort` of the last one of those of which the limit left some out.
    """

    sizes: Mapping[int, int]
    nexts: Mapping[int, tuple[object, ...]] = {}


class Step(msgspec.Struct, frozen=True):
    """From entities of a type along one of their links: `Things(1)/Datastreams`."""

    type: str
    ids: tuple[int, ...]
    link: str


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of entities of one type.

    Attributes:
        type: Name of the type; any but `Observation`.
        scope: What the one who asks may read; the rest does not exist.
        id: Only the one with this id.
        along: Only those at the end of this link.
        where: Only those for which this holds. It reaches no observations: the asker has replaced
            what does by `in` with `Members`. `Datastream` and `MultiDatastream` have no
            `phenomenonTime` and `resultTime` here either.
        order: Sort keys; the id is always the last one, ascending. Along one MultiDatastream's
            ObservedProperties it is the place among them, and one at two places is found twice.
        after: The `@sort` of the last row of the page before.
        limit: At most so many; None is all.
        skip: Leave out so many first.
        links: Names of links to one whose ids are wanted too, as `Thing@iot.id` in the row.
        properties: Those that are needed; None is all. Others may be left out of the rows.
    """

    type: str
    scope: Scope
    id: int | None = None
    along: Step | None = None
    where: Expression | None = None
    order: tuple[Order, ...] = ()
    after: tuple[object, ...] | None = None
    limit: int | None = None
    skip: int = 0
    links: tuple[str, ...] = ()
    properties: tuple[str, ...] | None = None


class New(msgspec.Struct, frozen=True, kw_only=True):
    """An entity to be made, or what is to be changed about one.

    Attributes:
        type: Name of the type.
        values: Properties by name, checked to be of the right shape; times in microseconds.
        links: By the name of the link: ids of entities that exist, and entities to be made too.
    """

    type: str
    values: Mapping[str, object] = {}
    links: Mapping[str, Sequence[int | New]] = {}


class Identity(msgspec.Struct, frozen=True):
    """An observation's identity in the store; see `core.observation`."""

    datastream: int
    time_us: int
    feature: int


#: Feature of the identity of what is nowhere; no row has it.
NOWHERE = -1


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What `create` made.

    Attributes:
        id: Of the entity itself.
        unfinished: Id of the note that was kept with it, 0 when there is none.
        nested: Of the entities made with it, those named in `New.links`, by link and in order; an
            id that was given stands for itself.
    """

    id: int
    nested: Mapping[str, Sequence[Made]] = {}
    unfinished: int = 0


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone with an entity, and whose observations have to go too.

    Attributes:
        datastreams: Datastreams that are gone.
        features: FeaturesOfInterest that are gone.
        own: Datastreams whose own feature (0) is gone, and that are still there themselves.
        moved: Ids of observations that had moved there; they are remembered as being nowhere.
    """

    datastreams: frozenset[int] = frozenset()
    features: frozenset[int] = frozenset()
    own: frozenset[int] = frozenset()
    moved: frozenset[str] = frozenset()


class EntityReader(Protocol):
    """Reads entities, each time within a scope. Safe to call from any thread."""

    def find(self, query: Query) -> Sequence[Row]:
        """Return the rows chosen, in order, each with its `@iot.id` and all properties.

        Under `@sort` a row has the tuple of its sort keys' values and id, or place, for
        `Query.after`.

        Raises:
            InvalidInput: A path or function is unknown or does not fit; says where.
            NotSupported: It is understood but cannot be answered.
        """
        ...

    def count(self, query: Query) -> int:
        """Return how many entities `find` would give without limit, skip and after."""
        ...

    def ids(self, query: Query) -> Sequence[int]:
        """Return the ids that `find` would give, ascending and all of them: for semi-joins.

        `order`, `after`, `limit` and `skip` are ignored.
        """
        ...

    def columns(self, query: Query) -> Columns:
        """Return what `find` does, as columns; `query.links` are left out."""
        ...

    def columns_along(self, query: Query) -> ColumnsAlong:
        """Answer `columns` for each id of `query.along.ids` by itself, limit and skip for each.

        One statement for all of them: this is what `$expand` asks.
        """
        ...

    def count_along(self, query: Query) -> Mapping[int, int]:
        """Return for each id of `query.along.ids` how many entities there are."""
        ...

    def system_of(self, type_: str, id_: int) -> int | None:
        """Return the system an entity belongs to through its Thing; None when it has none.

        Raises:
            NotFound: It does not exist.
        """
        ...


class EntityWriter(Protocol):
    """Writes entities; durable when a call returns. Safe to call from any thread.

    Who may write was decided by the caller, who names the system that new Things belong to.
    """

    def create(
        self, new: New, system: int, now_us: int, note: Callable[[Made], bytes] | None = None
    ) -> Made:
        """Make an entity and those within it: all or nothing.

        What `note` returns is kept in the same transaction, see `core.unfinished`; nothing is made
        when it raises.

        Keeps HistoricalLocations when a Thing gets Locations, and the Thing's position. Of an
        `Observation`, what it is linked to is made; its own id is 0, and the ids of its
        `FeatureOfInterest` and `Datastream` (of either kind) in `Made.nested` are the feature and
        datastream that its row has to have.

        Raises:
            InvalidInput: Something required is missing, or a value cannot be kept.
            NotFound: An id that is referred to does not exist (for this system).
        """
        ...

    def update(self, id_: int, change: New, system: int | None, now_us: int) -> None:
        """Change the properties given, and replace the links given.

        Args:
            id_: Of the entity.
            change: What to change; a value of None clears an optional property.
            system: Entities referred to must be of it; None for any.
            now_us: When.

        Raises:
            NotFound: It does not exist, or one referred to does not.
            InvalidInput: A value cannot be kept.
        """
        ...

    def replace(self, id_: int, new: New, system: int | None, now_us: int) -> None:
        """Set all properties (PUT): those not given get their defaults; links as `update` does.

        Raises:
            NotFound: It does not exist, or one referred to does not.
            InvalidInput: Something required is missing, or a value cannot be kept.
        """
        ...

    def delete(self, type_: str, id_: int, check: Callable[[], object] | None = None) -> Removed:
        """Remove an entity and what cannot be without it (18-088 table 25).

        Args:
            type_: Its type.
            id_: Its id.
            check: Called in the transaction, while nobody else writes; nothing is removed when it
                raises. It may read, and sees what was there before.

        Raises:
            NotFound: It does not exist.
            Conflict: It cannot be removed.
        """
        ...

    def unlink(self, type_: str, id_: int, link: str, target: int) -> None:
        """Take a target off a link to many that does not need it.

        Raises:
            NotFound: One of them does not exist, or they are not linked.
            InvalidInput: The link is required.
        """
        ...


class FeatureRecords(Protocol):
    """Which FeatureOfInterest stands for a datastream's own (feature 0 of its observations)."""

    def own_features(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return the FeatureOfInterest that stands for feature 0 of each datastream.

        It is made from the Location of the Thing when it is first asked for (18-088 table 26);
        datastreams whose Thing has no Location have none and are left out.
        """
        ...

    def known_features(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return what `own_features` does, of those that are made already; makes none."""
        ...

    def features_now(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return the feature of observations made now that name none: 0 for the own one.

        It is another one when the Thing has come to another Location since the own one was made.
        Datastreams whose Thing has no Location are left out.
        """
        ...

    def extend_areas(self, seen: Mapping[int, Sequence[int]]) -> None:
        """Make the `observedArea` of datastreams hold these features (0 is the own one) too."""
        ...

    def datastreams_at(self, feature: int) -> Sequence[int]:
        """Return the datastreams whose own feature (0) is this FeatureOfInterest."""
        ...


class MovedObservations(Protocol):
    """Ids of observations that outlive a change of their identity."""

    def has_moved(self) -> bool:
        """Tell whether any may be remembered; asked for every page, so it is quick."""
        ...

    def moved(self, ids: Sequence[str]) -> Mapping[str, Identity]:
        """Return where observations are now that were moved from the identity of their id."""
        ...

    def move(self, id_: str, to: Identity | None) -> None:
        """Remember where the observation with an id is now; None forgets it."""
        ...

    def forget(self, ids: Sequence[str]) -> None:
        """Forget where the observations with some ids are."""
        ...
