"""Live observations as server-sent events (HTML Standard, section 9.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from penstock.api.context import Ctx
from penstock.api.describing import gives
from penstock.api.live_stream import LiveStream
from penstock.api.selecting import Ids, Times
from penstock.api.sight import Sight
from penstock.api.times import parse_time
from penstock.api.who import Who, standing

router = APIRouter(tags=["data"], default_response_class=Response)

#: A client that comes back reads this much again, for rows that came late.
RESUME_OVERLAP_US = 10_000_000

_EXAMPLE = """\
retry: 1000

event: snapshot
id: 1574729661000000
data: {"datastream":[1],"time":[1574729661000000],"number":[25.4],"start":1574729660000000}

event: observations
id: 1574729662000000
data: {"datastream":[1],"time":[1574729662000000],"number":[25.5]}

event: gap
data: {}
"""


class Leaving(StreamingResponse):
    """An answer whose pieces are let go of when the client leaves."""

    async def stream_response(self, send: Send) -> None:
        """Send until there is no more."""
        try:
            await super().stream_response(send)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()


class EventStream(Leaving):
    """Server-sent events; the stream ends when the client leaves.

    Args:
        events: The bytes of each.
        leave: Called once, when the stream has ended.
    """

    def __init__(self, events: AsyncGenerator[bytes, None], leave: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and give the place back."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


@router.get(
    "/observations/stream",
    summary="Live observations as server-sent events",
    responses=gives(
        "First one `snapshot`: the stored rows since `start`, and the time from which they are "
        "complete. Then `observations`: new rows as they are kept; a row that changed comes "
        "again. `gap` says that rows were skipped because the client or the range was too much; "
        "read them from `/observations`.",
        media="text/event-stream",
        example=_EXAMPLE,
    ),
)
async def stream_observations(
    request: Request,
    ctx: Ctx,
    who: Who,
    datastream: Ids = None,
    start: Annotated[
        str | None,
        Query(description="Begin with the stored rows since then; by default with none."),
    ] = None,
    times: Times = "us",
    last_event_id: Annotated[
        str | None,
        Header(description="Sent by browsers that come back: the stream begins shortly before."),
    ] = None,
) -> Response:
    """Hand over stored rows since `start`, then new ones, without a gap or a duplicate between.

    The stream ends when who asks may not see any of it any more.
    """
    sight = Sight(ctx, who, standing(request, ctx, who), datastream)
    now_us = ctx.clock.now_us()
    start_us = None if start is None else parse_time(start, now_us)
    if last_event_id is not None and last_event_id.lstrip("-").isdecimal():
        seen = min(parse_time(f"{last_event_id}", now_us), now_us) - RESUME_OVERLAP_US
        start_us = seen if start_us is None else max(start_us, seen)
    stream = LiveStream(ctx, sight, start_us, iso=times == "iso")
    return EventStream(stream.events(), ctx.streams.take(ctx.access, who))
