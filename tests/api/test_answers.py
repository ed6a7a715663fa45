"""Answers are of the types that OpenAPI is made from, and no parameter breaks the server."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.house import T0, House

from penstock.api import answers
from penstock.api.errors import ErrorAnswer
from penstock.api.fleet import answers as fleet_answers
from penstock.core.observation import observations
from penstock.core.platform import DeadLetter, Health


def strictly(kind: Any, data: bytes) -> None:
    """Decode, and fail on any field that the type does not have."""
    closed = msgspec.defstruct("Closed", [], bases=(kind,), forbid_unknown_fields=True)
    msgspec.json.decode(data, type=closed)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/datastreams?include=latest&include=count", answers.Datastreams),
        ("/datastreams/1", answers.Datastream),
        ("/observations", answers.Observations),
        ("/observations?times=iso", answers.Observations),
        ("/datastreams/1/observations?width=1s", answers.Buckets),
        ("/observations?datastream=1&points=3&agg=min&times=iso", answers.Buckets),
        ("/latest", answers.LatestObservations),
        ("/devices", fleet_answers.Devices),
        ("/dead-letters", answers.DeadLetters),
        ("/health", Health),
        ("/ingested?offset=0", answers.Ingested),
        ("/datastreams/99", ErrorAnswer),
    ],
)
async def test_every_answer_is_of_its_type(
    house: House, boiler: int, path: str, kind: type
) -> None:
    house.store.append(
        observations([boiler], [T0 - 1], None, text=["{}"], end_time=[T0], parameters=['{"a":1}'])
    )
    house.platform.letters = [
        DeadLetter(
            id=1,
            topic="t",
            payload=b"\xff",
            client="c",
            arrived_us=T0,
            partition="door",
            offset=0,
            codec="flat",
            reason="no",
        )
    ]
    response = await house.client.get(f"/api/v1{path}")
    strictly(kind, response.content)


nasty = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "1e999", "nan", str(2**63), "9" * 400, "now", "now-1y", "us", "iso", "1us"]
    ),
    st.text(max_size=12),
    st.integers().map(str),
)
names = st.sampled_from(
    [
        "datastream", "start", "end", "after", "limit", "order", "width", "points", "agg", "times",
        "format", "search", "thing", "id", "include", "status", "offset", "timeout_s",
    ]
)  # fmt: skip


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from(
        [
            "/datastreams", "/datastreams/1", "/observations", "/datastreams/1/observations",
            "/latest", "/devices", "/dead-letters", "/ingested",
        ]
    ),
    params=st.lists(st.tuples(names, nasty), max_size=4),
)  # fmt: skip
async def test_no_parameter_whatever_breaks_the_server(
    house: House, boiler: int, path: str, params: list[tuple[str, str]]
) -> None:
    query = [(name, value.encode("utf-8", "replace").decode()) for name, value in params]
    response = await house.client.get(f"/api/v1{path}", params=query)
    assert response.status_code in {200, 400}, response.text
    if response.status_code == 400:
        strictly(ErrorAnswer, response.content)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.binary(max_size=30))
async def test_no_address_whatever_breaks_the_server(house: House, raw: bytes) -> None:
    path = "".join(f"%{byte:02x}" for byte in raw)
    for method, before in (
        ("GET", "/api/v1/datastreams/"),
        ("GET", "/"),
        ("POST", "/api/v1/messages/"),
        ("POST", "/api/v1/devices/"),
    ):
        response = await house.client.request(method, f"{before}{path}")
        assert response.status_code < 500, (method, before, raw, response.text)
