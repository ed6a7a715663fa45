from pathlib import Path

import pytest
from tests.api.house import T0, House

from penstock.api import ApiSettings
from penstock.core.errors import Backpressure, DiskFull
from penstock.core.platform import DeadLetter


@pytest.mark.parametrize("topic", ["UPB/RPi_1", "sensor.AAD-1.measurements", "/a//b/", "ä ö"])
async def test_a_message_is_published_as_it_is(house: House, topic: str) -> None:
    response = await house.client.post(f"/api/v1/messages/{topic}", content=b"\x00{not json")
    assert (response.status_code, response.json()) == (201, {"offset": 1})
    assert house.platform.published == [(topic, b"\x00{not json", "http")]


@pytest.mark.parametrize("topic", ["a/%23", "%2B/a", "a%00b", ""])
async def test_a_topic_that_cannot_be_published_to_is_refused(house: House, topic: str) -> None:
    response = await house.client.post(f"/api/v1/messages/{topic}", content=b"1")
    assert response.status_code == 400
    assert house.platform.published == []


async def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(max_body_bytes=1024))
    fits = await house.client.post("/api/v1/messages/a", content=b"x" * 1024)
    assert fits.status_code == 201
    announced = await house.client.post("/api/v1/messages/a", content=b"x" * 1025)

    async def pieces():  # type: ignore[no-untyped-def]
        for _ in range(5):
            yield b"x" * 500

    unannounced = await house.client.post("/api/v1/messages/a", content=pieces())
    for response in (announced, unannounced):
        assert response.status_code == 413
        assert response.json()["error"]["code"] == "too-large"
    assert len(house.platform.published) == 1


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (Backpressure("too much waits", retry_after_s=2.2), 429, "backpressure"),
        (DiskFull("no space left"), 503, "disk-full"),
    ],
)
async def test_a_platform_that_cannot_take_it_says_when_to_retry(
    house: House, problem: Backpressure, status: int, code: str
) -> None:
    house.platform.problem = problem
    response = await house.client.post("/api/v1/messages/a", content=b"1")
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert float(response.headers["retry-after"]) >= problem.retry_after_s


async def test_one_can_wait_until_a_message_is_stored(house: House) -> None:
    offset = (await house.client.post("/api/v1/messages/a", content=b"1")).json()["offset"]
    assert await house.get("/ingested", offset=offset) == {"ingested": True}
    assert await house.get("/ingested", offset=offset + 1) == {"ingested": False}


@pytest.mark.parametrize("wait_s", ["-1", "61", "nan", "inf"])
async def test_nobody_waits_for_ever(house: House, wait_s: str) -> None:
    response = await house.client.get(f"/api/v1/ingested?offset=1&timeout_s={wait_s}")
    assert response.status_code == 400


def letter(id_: int, payload: bytes = b"{") -> DeadLetter:
    return DeadLetter(
        id=id_,
        topic="a/b",
        payload=payload,
        client="c",
        arrived_us=T0,
        partition="door",
        offset=id_ * 10,
        codec="flat",
        reason="not JSON",
    )


async def test_dead_letters_are_listed_in_pages(house: House) -> None:
    house.platform.letters = [letter(id_) for id_ in (1, 2, 5)]
    first = await house.get("/dead-letters", limit=2)
    assert [item["id"] for item in first["items"]] == [1, 2]
    assert first["items"][0] == {
        "id": 1,
        "topic": "a/b",
        "payload": "{",
        "client": "c",
        "arrived_us": T0,
        "partition": "door",
        "offset": 10,
        "codec": "flat",
        "reason": "not JSON",
    }
    second = await house.get("/dead-letters", limit=2, after=first["next"])
    assert ([item["id"] for item in second["items"]], second["next"]) == ([5], None)


async def test_a_payload_that_is_no_text_is_base64(house: House) -> None:
    house.platform.letters = [letter(1, b"\xff\x00")]
    (item,) = (await house.get("/dead-letters"))["items"]
    assert item["payload_base64"] == "/wA="
    assert "payload" not in item


async def test_dead_letters_are_replayed_and_dropped(house: House) -> None:
    house.platform.letters = [letter(1), letter(2)]
    replayed = await house.client.post("/api/v1/dead-letters/replay")
    assert replayed.json() == {"messages": 2, "observations": 3, "failed": 1}
    dropped = await house.client.delete("/api/v1/dead-letters")
    assert dropped.json() == {"discarded": 2}
    assert (await house.get("/dead-letters"))["items"] == []


async def test_a_range_of_the_log_is_replayed(house: House) -> None:
    response = await house.client.post("/api/v1/log/door/replay", json={"from": 3, "until": 9})
    assert response.json() == {"messages": 5, "observations": 4, "failed": 1}
    await house.client.post("/api/v1/log/door/replay", json={"from": 3})
    assert house.platform.replays == [("door", 3, 9), ("door", 3, None)]


@pytest.mark.parametrize(
    ("partition", "body", "status"),
    [
        ("nowhere", '{"from": 0}', 404),
        ("door", "{}", 400),
        ("door", '{"from": "0"}', 400),
        ("door", '{"from": 0, "to": 5}', 400),
        ("door", "nonsense", 400),
    ],
)
async def test_a_wrong_replay_is_refused(
    house: House, partition: str, body: str, status: int
) -> None:
    response = await house.client.post(f"/api/v1/log/{partition}/replay", content=body)
    assert response.status_code == status
    assert house.platform.replays == []
