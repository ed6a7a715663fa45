"""Batches keep no more answers than there is room for."""

from __future__ import annotations

import re

import msgspec
import pytest
from tests.sensorthings.writing.bodies import thing
from tests.sensorthings.writing.site import Site

from penstock.sensorthings.writing import batches


@pytest.fixture
def boiler(site: Site) -> Site:
    """A site with a Thing."""
    site.post("Things", thing())
    return site


@pytest.mark.parametrize("is_multipart", [False, True])
def test_a_batch_ends_when_its_answers_are_too_much(
    boiler: Site, monkeypatch: pytest.MonkeyPatch, is_multipart: bool
) -> None:
    boiler.ask("patch", "Things(1)", {"description": "x" * 2000})
    monkeypatch.setattr(batches, "MAX_ANSWER_BYTES", 3000)
    asked = [("GET", None)] * 3 + [("PATCH", {"name": "Oven"})]
    if is_multipart:
        parts = [
            "--b\r\nContent-Type: application/http\r\n\r\n"
            f"{method} Things(1) HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
            + ("" if body is None else msgspec.json.encode(body).decode())
            for method, body in asked
        ]
        sent = "\r\n".join([*parts, "--b--"]).encode()
        answer = boiler.ask("post", "$batch", sent, "multipart/mixed; boundary=b")
        statuses = [int(one) for one in re.findall(rb"HTTP/1.1 ([0-9]+)", answer.body)]
    else:
        requests = [
            {"id": str(number), "method": method, "url": "Things(1)", "body": body}
            for number, (method, body) in enumerate(asked)
        ]
        answer = boiler.ask("post", "$batch", {"requests": requests})
        statuses = [one["status"] for one in msgspec.json.decode(answer.body)["responses"]]
    assert statuses == [200, 200, 507, 507]
    assert b"more than 3000" in answer.body
    assert boiler.row("Thing", 1)["name"] == "Boiler"


def test_a_group_for_which_there_is_no_room_is_taken_back(
    boiler: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_ANSWER_BYTES", 20)
    change = {"atomicityGroup": "g", "method": "patch", "url": "Things(1)"}
    requests = [
        {"id": "1", **change, "body": {"name": "Oven"}},
        {"id": "2", **change, "body": {"description": "hot"}},
    ]
    answer = boiler.ask("post", "$batch", {"requests": requests})
    found = msgspec.json.decode(answer.body)["responses"]
    assert [one["status"] for one in found] == [424, 507]
    assert boiler.row("Thing", 1)["name"] == "Boiler"
