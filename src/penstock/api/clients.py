"""Clients: programs and devices that act for systems."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.context import MAX_ID, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.once import IdempotencyKey, once
from penstock.api.people_answers import Clients, NewClients
from penstock.api.users import Search
from penstock.api.who import By
from penstock.core.people import ClientChange, ClientInfo, NewClient

router = APIRouter(tags=["people"], default_response_class=Response)

ClientId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the client.", examples=[5])]

_CLIENT = {
    "id": 5,
    "system_id": 3,
    "system": "cz.icecars.iot4cps-wp5-CarFleet.Car1",
    "name": "car_1",
    "description": "The computer in the boot",
    "may_read": True,
    "may_write": True,
    "topics": None,
    "disabled": False,
    "created_us": 1_574_729_660_000_000,
    "created_by": "sue.smith@example.com",
}
_NEW = {"system": 3, "name": "car_1", "description": "The computer in the boot"}


@router.get(
    "/clients",
    summary="List clients",
    responses=gives("Clients by system and name.", Clients, example={"items": [_CLIENT]}),
)
async def list_clients(
    ctx: Ctx,
    by: By,
    search: Search = "",
    system: Annotated[int | None, Query(description="Only those of the system.")] = None,
) -> Response:
    """Return the clients of systems that who asks works with."""
    return Json(Clients(await ctx.blocking(ctx.people.clients.list, by, search, system)))


@router.post(
    "/clients",
    status_code=201,
    summary="Make a client",
    responses=gives("The client.", ClientInfo, status=201, example=_CLIENT),
    openapi_extra=takes(NewClient, _NEW, "The client; its keys are made at `/keys`."),
)
async def post_client(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make a client of a system, as its agent."""
    new = await read_json(request, NewClient)

    async def add() -> ClientInfo:
        return (await ctx.blocking(ctx.people.clients.add, by, [new]))[0]

    return await once(request, ctx, by, add)


@router.post(
    "/clients/batch",
    status_code=201,
    summary="Make many clients",
    responses=gives("The clients, in order.", Clients, status=201, example={"items": [_CLIENT]}),
    openapi_extra=takes(NewClients, {"items": [_NEW]}, "Up to 10,000 clients."),
)
async def post_clients(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make many clients at once, all or none."""
    new = await read_json(request, NewClients)

    async def add() -> Clients:
        return Clients(await ctx.blocking(ctx.people.clients.add, by, new.items))

    return await once(request, ctx, by, add)


@router.get(
    "/clients/{client_id}",
    summary="One client",
    responses=gives("The client.", ClientInfo, example=_CLIENT),
)
async def get_client(ctx: Ctx, by: By, client_id: ClientId) -> Response:
    """Return one client."""
    return Json(await ctx.blocking(ctx.people.clients.get, by, client_id))


@router.patch(
    "/clients/{client_id}",
    summary="Change a client",
    responses=gives("The client as it is now.", ClientInfo, example=_CLIENT),
    openapi_extra=takes(ClientChange, {"may_write": False}, "What to change."),
)
async def patch_client(request: Request, ctx: Ctx, by: By, client_id: ClientId) -> Response:
    """Change a client; what is not given stays."""
    change = await read_json(request, ClientChange)
    return Json(await ctx.blocking(ctx.people.clients.change, by, client_id, change))


@router.delete(
    "/clients/{client_id}",
    status_code=204,
    summary="Remove a client",
    responses={204: {"description": "Removed, with its keys."}},
)
async def delete_client(ctx: Ctx, by: By, client_id: ClientId) -> Response:
    """Remove a client and its keys; what it sent stays."""
    await ctx.blocking(ctx.people.clients.remove, by, client_id)
    return Response(status_code=204)
