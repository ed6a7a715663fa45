"""Every cell of the permission matrix, asked of `Access` and of the HTTP API."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.permissions.town import settle

from penstock.core.access import Access, Action
from penstock.core.clock import ManualClock
from penstock.testing import permission_matrix as matrix

ROOT = Path(__file__).parents[2]

#: What to ask the API for each column: method and path; None is not asked over HTTP here.
REQUESTS: dict[str, tuple[str, str] | None] = {
    "in": ("GET", "/api/v1/datastreams"),
    "run": ("POST", "/api/v1/dead-letters/replay"),
    "met": ("GET", "/metrics"),
    "co": ("GET", "/api/v1/companies/2"),
    "CO": ("PATCH", "/api/v1/companies/2"),
    "sy": ("GET", "/api/v1/systems/2"),
    "SY": ("PATCH", "/api/v1/systems/2"),
    "cl": ("GET", "/api/v1/clients/1"),
    "CL": ("PATCH", "/api/v1/clients/1"),
    "ds": ("GET", "/api/v1/datastreams/1/observations"),
    "ds2": ("GET", "/api/v1/datastreams/2"),
    "ds3": ("GET", "/api/v1/datastreams/3"),
    "DS": ("PUT", "/api/v1/datastreams/1/retention"),
    "wr": ("POST", "/api/v1/messages/at.a.w.a1/x"),
    "cmd": None,
    "us": ("GET", "/api/v1/users/1"),
}
BODIES = {
    "PATCH": {"description": "changed"},
    "PUT": {"retention_s": 60},
    "POST": {"value": 1},
    "GET": None,
}


def test_every_column_is_asked_over_http_or_said_not_to_be() -> None:
    assert list(REQUESTS) == [name for name, *_ in matrix.COLUMNS]


@pytest.mark.parametrize(("name", "column", "allowed"), matrix.cells())
def test_a_cell_is_what_access_decides(name: str, column: str, allowed: bool) -> None:
    access = Access(matrix.organisation(), ManualClock(matrix.NOW_US))
    action, what = next((a, r) for short, _, a, r in matrix.COLUMNS if short == column)
    assert access.allows(matrix.principal(name), action, what) is allowed
    if what.kind == "datastream" and action is Action.READ:
        scope = access.scope(matrix.principal(name))
        assert scope.holds(what.system, what.thing, what.id) is allowed


@pytest.mark.parametrize("name", [name for name, *_ in matrix.ROWS])
async def test_a_row_is_what_the_api_answers(tmp_path: Path, name: str) -> None:
    house, town = settle(tmp_path)
    try:
        transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=town.headers(name)
        )
        for row, column, allowed in matrix.cells():
            request = REQUESTS[column]
            if row != name or request is None:
                continue
            method, path = request
            response = await client.request(method, path, json=BODIES[method])
            where = f"{name} {column}: {response.status_code} {response.text[:200]}"
            assert response.is_success is allowed, where
            if not allowed:
                is_in = next(ok for who, what, ok in matrix.cells() if (who, what) == (row, "in"))
                assert response.status_code in ({403, 404} if is_in else {401}), where
    finally:
        house.passwords.close()
        house.catalog.close()


def test_the_page_is_up_to_date() -> None:
    page = ROOT / "docs/reference/permissions.md"
    assert page.read_text() == matrix.page(), "run `make reference`"
