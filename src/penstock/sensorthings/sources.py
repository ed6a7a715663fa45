"""What reading works with: the two sides, who asks, and from where."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from penstock.core.access import Scope
from penstock.core.clock import Clock
from penstock.core.entities import EntityReader, FeatureRecords, MovedObservations, Query, Row
from penstock.core.expression import Apply, Expression, Literal, Members, Property
from penstock.core.store import CanSummarise, Store
from penstock.sensorthings.observation_rows import Kind

ID = "@iot.id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The platform's parts that reading works with.

    Attributes:
        reader: Reads entities.
        features: Own features of Datastreams.
        moved: Observations that are elsewhere than their id says.
        store: Keeps observations.
        readable: Tells which of some datastreams, or of all, are in a scope, ascending.
        clock: Tells the time.
        max_top: Entities on a page, at most.
        max_scan_rows: Observations that one request may look at.
    """

    reader: EntityReader
    features: FeatureRecords
    moved: MovedObservations
    store: Store
    readable: Callable[[Scope, Sequence[int] | None], Sequence[int]]
    clock: Clock
    max_top: int = 1000
    max_scan_rows: int = 20_000_000

    @property
    def summaries(self) -> CanSummarise:
        """The store as one that tells counts."""
        assert isinstance(self.store, CanSummarise)
        return self.store

    def kinds(self, datastreams: Sequence[int], scope: Scope) -> Mapping[int, Kind]:
        """Return what is to be known of datastreams to show their results."""
        found: dict[int, Kind] = {}
        for type_ in ("Datastream", "MultiDatastream"):
            missing = [one for one in datastreams if one not in found]
            if missing:
                query = Query(type=type_, scope=scope, where=among((ID,), missing), properties=())
                for row in self.reader.find(query):
                    id_ = row[ID]
                    assert isinstance(id_, int)
                    found[id_] = kind_of(type_, row)
        return found


def kind_of(type_: str, row: Row) -> Kind:
    """Return what a row of a Datastream or MultiDatastream says of its results."""
    return Kind(str(row["@kind"]), type_ == "MultiDatastream")


def among(path: tuple[str, ...], ids: Sequence[int] | frozenset[int]) -> Expression:
    """Return the condition that a path leads to one of some ids."""
    return Apply("in", (Property(path), Literal(Members(frozenset(ids)))))


def both(one: Expression | None, other: Expression | None) -> Expression | None:
    """Return the condition that both hold; None holds always."""
    if one is None or other is None:
        return other if one is None else one
    return Apply("and", (one, other))
