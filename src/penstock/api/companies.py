"""Companies and their administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from penstock.api.context import MAX_ID, Ctx
from penstock.api.describing import gives, takes
from penstock.api.json_answer import Json, read_json
from penstock.api.once import IdempotencyKey, once
from penstock.api.people_answers import Companies, Description, MemberName
from penstock.api.users import Search, UserId
from penstock.api.who import By
from penstock.core.people import CompanyInfo, Member, NewCompany

router = APIRouter(tags=["people"], default_response_class=Response)

CompanyId = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the company.", examples=[2])]

MEMBER = {
    "id": 2,
    "name": "sue.smith@example.com",
    "since_us": 1_574_729_660_000_000,
    "by": "sue.smith@example.com",
}
_COMPANY = {
    "id": 2,
    "name": "cz.icecars",
    "description": "Cars on ice",
    "administrators": [MEMBER],
    "created_us": 1_574_729_660_000_000,
    "created_by": "sue.smith@example.com",
}


@router.get(
    "/companies",
    summary="List companies",
    responses=gives("Companies by name.", Companies, example={"items": [_COMPANY]}),
)
async def list_companies(ctx: Ctx, by: By, search: Search = "") -> Response:
    """Return the companies that who asks works with."""
    return Json(Companies(await ctx.blocking(ctx.people.companies.list, by, search)))


@router.post(
    "/companies",
    status_code=201,
    summary="Make a company",
    responses=gives("The company.", CompanyInfo, status=201, example=_COMPANY),
    openapi_extra=takes(
        NewCompany,
        {"name": "cz.icecars", "description": "Cars on ice"},
        "Its name is `<domain>.<enterprise>`: 1 to 4 and 1 to 15 letters, digits and '-'.",
    ),
)
async def post_company(
    request: Request,
    ctx: Ctx,
    by: By,
    idempotency_key: IdempotencyKey = None,  # noqa: ARG001 - read by `once`
) -> Response:
    """Make a company; who makes it becomes its administrator."""
    new = await read_json(request, NewCompany)
    return await once(request, ctx, by, lambda: ctx.blocking(ctx.people.companies.add, by, new))


@router.get(
    "/companies/{company_id}",
    summary="One company",
    responses=gives("The company.", CompanyInfo, example=_COMPANY),
)
async def get_company(ctx: Ctx, by: By, company_id: CompanyId) -> Response:
    """Return one company."""
    return Json(await ctx.blocking(ctx.people.companies.get, by, company_id))


@router.patch(
    "/companies/{company_id}",
    summary="Describe a company",
    responses=gives("The company as it is now.", CompanyInfo, example=_COMPANY),
    openapi_extra=takes(Description, {"description": "Cars on ice"}, "Its description."),
)
async def patch_company(request: Request, ctx: Ctx, by: By, company_id: CompanyId) -> Response:
    """Set the description of a company."""
    wanted = await read_json(request, Description)
    describe = ctx.people.companies.describe
    return Json(await ctx.blocking(describe, by, company_id, wanted.description))


@router.delete(
    "/companies/{company_id}",
    status_code=204,
    summary="Remove a company",
    responses={204: {"description": "Removed."}},
)
async def delete_company(ctx: Ctx, by: By, company_id: CompanyId) -> Response:
    """Remove a company that has no systems, as its only administrator."""
    await ctx.blocking(ctx.people.companies.remove, by, company_id)
    return Response(status_code=204)


@router.post(
    "/companies/{company_id}/administrators",
    status_code=201,
    summary="Add an administrator of a company",
    responses=gives("The administrator.", Member, status=201, example=MEMBER),
    openapi_extra=takes(MemberName, {"user": "peter.novak@example.com"}, "The user's name."),
)
async def post_administrator(request: Request, ctx: Ctx, by: By, company_id: CompanyId) -> Response:
    """Make a user an administrator of a company."""
    wanted = await read_json(request, MemberName)
    add = ctx.people.companies.administrators.add
    return Json(await ctx.blocking(add, by, company_id, wanted.user), status_code=201)


@router.delete(
    "/companies/{company_id}/administrators/{user_id}",
    status_code=204,
    summary="Remove an administrator of a company",
    responses={204: {"description": "Removed."}},
)
async def delete_administrator(
    ctx: Ctx, by: By, company_id: CompanyId, user_id: UserId
) -> Response:
    """Take the role from a user; one cannot take it from oneself."""
    await ctx.blocking(ctx.people.companies.administrators.remove, by, company_id, user_id)
    return Response(status_code=204)
