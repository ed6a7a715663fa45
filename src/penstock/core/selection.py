"""Which observations are meant: the one language that every store understands."""

from __future__ import annotations

import msgspec


class Cursor(msgspec.Struct, frozen=True):
    """Identity of the last row of a page; the next page starts behind it."""

    time_us: int
    datastream: int
    feature: int


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of observations; rows come ordered by (time, datastream, feature).

    Attributes:
        datastreams: Ids wanted; None means all of them.
        features: Features wanted; None means all of them, 0 is the datastream's own.
        start_us: First phenomenon time wanted, microseconds UTC, inclusive.
        end_us: First phenomenon time not wanted any more, exclusive.
        descending: Newest first.
        after: Continue behind this row (in the chosen direction).
        limit: At most so many rows.
    """

    datastreams: tuple[int, ...] | None = None
    features: tuple[int, ...] | None = None
    start_us: int | None = None
    end_us: int | None = None
    descending: bool = False
    after: Cursor | None = None
    limit: int | None = None
