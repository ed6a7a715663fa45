"""Which observations an address asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query

from penstock.api.context import MAX_ID, Ctx
from penstock.api.paging import MAX_DATASTREAMS, parse_cursor
from penstock.api.times import parse_time
from penstock.core.errors import InvalidInput
from penstock.core.selection import Selection

Ids = Annotated[
    list[Annotated[int, Query(ge=1, le=MAX_ID)]] | None,
    Query(
        max_length=MAX_DATASTREAMS,
        description="Id of a datastream; may be repeated. None means all.",
        examples=[[1, 2]],
    ),
]
Start = Annotated[
    str | None,
    Query(description="First time wanted (inclusive).", examples=["2026-01-31T12:00:00Z"]),
]
End = Annotated[str | None, Query(description="First time not wanted any more.", examples=["now"])]
Times = Annotated[
    Literal["us", "iso"],
    Query(description="How times are written: integer microseconds UTC, or ISO 8601."),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an address asks for, beside datastreams."""

    start_us: int | None
    end_us: int | None
    after: str | None
    limit: int | None
    descending: bool

    def selection(self, datastreams: list[int] | None, limit: int | None) -> Selection:
        """Return it as a selection of these datastreams."""
        return Selection(
            datastreams=None if datastreams is None else tuple(dict.fromkeys(datastreams)),
            start_us=self.start_us,
            end_us=self.end_us,
            descending=self.descending,
            after=None if self.after is None else parse_cursor(self.after),
            limit=limit,
        )


async def _wanted(
    ctx: Ctx,
    start: Start = None,
    end: End = None,
    after: Annotated[
        str | None, Query(description="Continue behind this row; comes from `next`.")
    ] = None,
    limit: Annotated[
        int | None,
        Query(
            ge=1,
            description="At most so many rows: by default 10,000 in JSON, all in downloads. JSON "
            "answers have at most `max_rows_per_page` rows; `next` goes on.",
        ),
    ] = None,
    order: Annotated[Literal["asc", "desc"], Query(description="Oldest or newest first.")] = "asc",
) -> Wanted:
    now_us = ctx.clock.now_us()
    start_us = None if start is None else parse_time(start, now_us)
    end_us = None if end is None else parse_time(end, now_us)
    if start_us is not None and end_us is not None and end_us < start_us:
        msg = f"the range ends ({end}) before it starts ({start}); exchange the two"
        raise InvalidInput(msg)
    return Wanted(start_us, end_us, after, limit, order == "desc")


#: A parameter of this type receives range, page and order.
Want = Annotated[Wanted, Depends(_wanted)]
