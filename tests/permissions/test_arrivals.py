"""Reading the log over HTTP gives everybody what a subscription would, and nothing else."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from tests.permissions.town import settle

from penstock.core.access import Access
from penstock.core.clock import ManualClock
from penstock.testing import permission_matrix as matrix

TOPICS = (
    "at.a.w.a1.int",
    "at.a.w.a1/x/y",
    "at.a.w.a1/v1.1/Observations",
    "at.a.w.a2.ext",
    "at.b.w.b1.int",
    "at.b.w.c1/x",
    "mine",
    "$SYS/penstock/clients/one",
)


@pytest.mark.parametrize("name", [name for name, *_ in matrix.ROWS])
@pytest.mark.parametrize("wanted", ["#", "at.a.w.a1/#", "$SYS/#"])
async def test_messages_are_read_by_those_who_may_receive_them(
    tmp_path: Path, name: str, wanted: str
) -> None:
    house, town = settle(tmp_path)
    access, who = Access(matrix.organisation(), ManualClock(matrix.NOW_US)), matrix.principal(name)
    house.platform.published = [(topic, b"1", "someone") for topic in TOPICS]
    try:
        transport = httpx.ASGITransport(house.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(
            transport=transport, base_url="http://localhost", headers=town.headers(name)
        )
        answer = await client.get(
            "/api/v1/messages", params={"filter": wanted, "offset": 0, "limit": 10}
        )
        if not access.is_welcome(who):
            assert answer.status_code == 401
            return
        if not access.may_subscribe(who, wanted):
            assert answer.status_code == 403
            return
        own = {"#": TOPICS[:7], "at.a.w.a1/#": TOPICS[1:2], "$SYS/#": TOPICS[7:]}[wanted]
        expected = [
            topic for topic in own if "/v1.1/" not in topic and access.may_receive(who, topic)
        ]
        assert [item["topic"] for item in answer.json()["items"]] == expected
    finally:
        house.passwords.close()
        house.catalog.close()
