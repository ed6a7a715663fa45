"""Connections that send half a request end, and others do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from penstock.runtime import patient_http
from penstock.runtime.patient_http import PatientHttp

PATIENCE_S = 90.0
LARGE = bytes(20_000_000)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer when the whole body is there; `/slow` takes its time, `/large` is 20 MB."""
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(1.2)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send(
        {"type": "http.response.body", "body": LARGE if scope["path"] == "/large" else b"done"}
    )


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    for name in ("HEAD_S", "BODY_S"):
        monkeypatch.setattr(patient_http, name, 0.1)
    monkeypatch.setattr(patient_http, "LOOK_S", 0.02)
    config = uvicorn.Config(app, http=PatientHttp, port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(PATIENCE_S):
        while not server.started:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    ],
)
async def test_who_sends_half_a_request_is_cut_off(port: int, half: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(half)
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    writer.close()


async def test_a_slow_answer_and_the_next_request_are_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_http, "HEAD_S", 1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        async with asyncio.timeout(PATIENCE_S):
            assert b"HTTP/1.1 200" in await reader.readuntil(b"done")
    writer.close()


async def test_an_answer_that_is_read_slowly_is_read_to_its_end(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient_http, "HEAD_S", 1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    read = 0
    async with asyncio.timeout(PATIENCE_S):
        while piece := await reader.read(500_000):
            read += len(piece)
            await asyncio.sleep(0.02)
    assert read > len(LARGE)
    writer.close()
