"""Messages in, and what became of them: dead letters and replay."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api import answers
from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.paging import next_page
from penstock.api.who import By, Who, remember
from penstock.core.access import Action, Principal, Resource
from penstock.core.errors import Forbidden, InvalidInput
from penstock.core.people import Event
from penstock.core.platform import DeadLetter, Replayed
from penstock.core.things_topics import is_things_topic
from penstock.core.topics import check_filter, matches

router = APIRouter(tags=["messages"], default_response_class=Response)

#: Dead letters that one request looks at, of those who do not see all.
LETTERS_LOOKED_AT = 2000
#: Topic filters that one request may name.
MAX_FILTERS = 1000
#: Name under which messages that came by HTTP stand in the log.
CLIENT = "http"

_REPLAYED = {"messages": 120, "observations": 118, "failed": 2}


@router.post(
    "/messages/{topic:path}",
    status_code=201,
    summary="Send a message",
    responses=gives(
        "It is on disk, and is ingested like a message that came by MQTT.",
        answers.Published,
        status=201,
        example={"offset": 4711},
    ),
    openapi_extra=takes(None, '{"TMP": 25.3}', "The payload, as it would be sent by MQTT."),
)
async def post_message(
    request: Request,
    ctx: Ctx,
    who: Who,
    topic: Annotated[str, Path(description="MQTT topic.", examples=["UPB/RPi_1"])],
) -> Response:
    """Put one message into the log; the answer comes when it is on disk."""
    access = ctx.access
    if not access.may_publish(who, topic):
        access.require(who, Action.VIEW, Resource("platform"))
        msg = (
            f"{access.name(who)} may not publish to {topic[:80]!r}; agents and writing clients of "
            "a system may publish to its topics"
        )
        raise Forbidden(msg)
    client = f"{CLIENT}/{access.name(who)}" if access.organisation.accounts else CLIENT
    offset = await ctx.platform.publish([(topic, await request.body())], client)
    return Json(answers.Published(offset), status_code=201)


@router.get(
    "/messages",
    summary="Read messages by order of arrival",
    responses=gives(
        "Messages that came by MQTT, as a subscriber would have got them.",
        answers.ArrivedAnswer,
        example={
            "items": [
                {
                    "offset": 4711,
                    "topic": "UPB/RPi_1",
                    "payload": '{"TMP": 25.3}',
                    "arrived_us": 1_574_729_660_000_000,
                }
            ],
            "next": 4712,
            "first": 0,
            "end": 4712,
        },
    ),
)
async def read_messages(
    ctx: Ctx,
    who: Who,
    filters: Annotated[
        list[str],
        Query(
            alias="filter",
            min_length=1,
            max_length=MAX_FILTERS,
            description="MQTT topic filter; repeat it for more.",
            examples=["UPB/#"],
        ),
    ],
    offset: Annotated[
        int | None,
        Query(ge=0, le=MAX_ID, description="The first one; where the log ends now without it."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="At most so many.")] = 1000,
) -> Response:
    """Return what the log holds from an offset on, of topics that one may receive.

    So whoever was away reads what it missed, late data too. An answer may hold less than `limit`,
    or nothing, and still have a `next` before `end`: one request reads a part of the log only.
    """
    access = ctx.access
    for wanted in filters:
        if not access.may_subscribe(who, check_filter(wanted)):
            access.require(who, Action.VIEW, Resource("platform"))
            msg = (
                f"{access.name(who)} may not receive {wanted[:80]!r}; it needs to read the system "
                "that owns these topics, its own or one that granted it"
            )
            raise Forbidden(msg)

    def is_wanted(topic: str) -> bool:
        return (
            any(matches(wanted, topic) for wanted in filters)
            and not is_things_topic(topic)
            and access.may_receive(who, topic)
        )

    found = await ctx.blocking(ctx.platform.arrived, offset, is_wanted, limit)
    items = [answers.told(answers.ArrivalAnswer, message) for message in found.items]
    return Json(answers.ArrivedAnswer(items, found.next, found.first, found.end))


@router.get(
    "/ingested",
    summary="Wait until messages are in the store",
    responses=gives(
        "Whether everything before the offset can be queried.",
        answers.Ingested,
        example={"ingested": True},
    ),
)
async def get_ingested(
    ctx: Ctx,
    who: Who,
    offset: Annotated[int, Query(ge=0, le=MAX_ID, description="What sending a message answered.")],
    timeout_s: Annotated[
        float, Query(ge=0, description="Wait at most so long, bounded by `max_wait_s`.")
    ] = 5.0,
) -> Response:
    """Return as soon as everything before the offset is in the store, or the time is over."""
    ctx.access.require(who, Action.VIEW, Resource("platform"))
    if not timeout_s <= ctx.settings.max_wait_s:
        msg = f"timeout_s = {timeout_s} is too long; up to {ctx.settings.max_wait_s} is allowed"
        raise InvalidInput(msg)
    return Json(answers.Ingested(await ctx.platform.ingested(offset, timeout_s)))


@router.get(
    "/dead-letters",
    summary="List dead letters",
    responses=gives(
        "A page of messages that could not become observations, with the reason.",
        answers.DeadLetters,
        example={
            "items": [
                {
                    "id": 1,
                    "topic": "UPB/RPi_1",
                    "payload": "{",
                    "client": "rpi",
                    "arrived_us": 1_574_729_660_000_000,
                    "partition": "door",
                    "offset": 17,
                    "codec": "flat",
                    "reason": "not JSON: input ended too early",
                }
            ],
            "next": None,
        },
    ),
)
async def list_dead_letters(
    request: Request,
    ctx: Ctx,
    who: Who,
    after: Annotated[int, Query(ge=0, le=MAX_ID, description="Only ids above this one.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
) -> Response:
    """Return messages that could not become observations, oldest first.

    Who does not run the platform sees those of systems whose data they may read. A page may then
    hold less than `limit`, or nothing, and still have a `next`: others' letters were passed over.
    """
    ctx.access.require(who, Action.VIEW, Resource("platform"))
    letters, more = await ctx.blocking(_letters, ctx, who, after, limit)
    items = [answers.told(answers.DeadLetterAnswer, letter) for letter in letters]
    return Json(answers.DeadLetters(items, more), headers=next_page(request, more))


@router.post(
    "/dead-letters/replay",
    summary="Ingest dead letters again",
    responses=gives("What became of them.", Replayed, example=_REPLAYED),
)
async def replay_dead_letters(ctx: Ctx, by: By) -> Response:
    """Ingest all waiting dead letters again with today's routes; what fails waits again."""
    ctx.access.require(by.who, Action.MANAGE, Resource("platform"))
    replayed = await ctx.platform.replay_dead_letters()
    after = msgspec.structs.asdict(replayed)
    await remember(ctx, by, Event(action="replay", kind="dead-letters", after=after))
    return Json(replayed)


@router.delete(
    "/dead-letters",
    summary="Drop all dead letters",
    responses=gives("How many there were.", answers.Discarded, example={"discarded": 2}),
)
async def discard_dead_letters(ctx: Ctx, by: By) -> Response:
    """Drop all waiting dead letters."""
    ctx.access.require(by.who, Action.MANAGE, Resource("platform"))
    discarded = await ctx.platform.discard_dead_letters()
    before = {"messages": discarded}
    await remember(ctx, by, Event(action="discard", kind="dead-letters", before=before))
    return Json(answers.Discarded(discarded))


@router.post(
    "/log/{partition}/replay",
    summary="Ingest a range of the log again",
    responses=gives("What became of it.", Replayed, example=_REPLAYED),
    openapi_extra=takes(answers.ReplayRange, {"from": 0, "until": 1000}, "Which offsets."),
)
async def replay_log(
    request: Request,
    ctx: Ctx,
    by: By,
    partition: Annotated[str, Path(description="Name of the log partition.", examples=["door"])],
) -> Response:
    """Ingest a range of the log again with today's routes; harmless for what is stored."""
    ctx.access.require(by.who, Action.MANAGE, Resource("platform"))
    wanted = await read_json(request, answers.ReplayRange)
    replayed = await ctx.platform.replay_log(partition, wanted.from_, wanted.until)
    after = {"from": wanted.from_, "until": wanted.until, **msgspec.structs.asdict(replayed)}
    await remember(ctx, by, Event(action="replay", kind="log", name=partition, after=after))
    return Json(replayed)


def _letters(
    ctx: Context, who: Principal, after: int, limit: int
) -> tuple[list[DeadLetter], int | None]:
    """Return dead letters that somebody may see, oldest first, and behind which to go on."""
    access = ctx.access
    if access.allows(who, Action.READ, Resource("platform")):
        found = list(ctx.platform.dead_letters(after, limit + 1))
    else:
        page = ctx.platform.dead_letters(after, max(limit, LETTERS_LOOKED_AT) + 1)
        looked = page[:-1] if len(page) > max(limit, LETTERS_LOOKED_AT) else page
        found = [
            letter
            for letter in looked
            if access.allows(who, Action.READ, Resource("system", access.system_of(letter.topic)))
        ]
        if len(found) <= limit:
            return found, looked[-1].id if len(looked) < len(page) else None
    shown = found[:limit]
    return shown, shown[-1].id if len(found) > limit else None
