"""Who is told, by the API: targets made, changed, tried and deleted; what became of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.alarms.living import PRESENT, Caller, eventually, now_us
from tests.alarms.receivers import webhook


def target(address: str, name: str = "on-call", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "webhook", "address": address, **more}


def test_a_target_is_tried_and_the_answer_says_what_became_of_it(ask: Caller) -> None:
    with webhook(200, 503, 302) as receiver:
        made = ask("POST", "/notification-targets", 201, json=target(receiver.url, secret="shh"))
        assert (made["has_secret"], made["spec"]["secret"]) == (True, "")
        path = f"/notification-targets/{made['id']}"
        outcomes = [ask("POST", f"{path}/test") for _ in range(3)]
        assert [(one["state"], one["attempts"], one["event"]) for one in outcomes] == [
            ("sent", 1, "test"),
            ("failed", 1, "test"),
            ("failed", 1, "test"),
        ]
        assert [one["outcome"] for one in outcomes] == [
            "200 OK",
            "127.0.0.1 answered 503 Service Unavailable",
            "127.0.0.1 answered 302 Found: redirects are not followed; give the address itself",
        ]
        assert len(receiver.got) == 3, "a test is sent once, and a redirect is not followed"
        headers, body = receiver.got[0]
        assert json.loads(body) == {"event": "test", "by": "", "comment": "", "alarm": None}
        assert headers["Penstock-Delivery"] == outcomes[0]["key"]
        assert headers["Content-Type"] == "application/json"
        assert headers["Penstock-Signature"].startswith("sha256=")
    gone = ask("POST", f"{path}/test")
    assert gone["state"] == "failed"
    assert "127.0.0.1 cannot be reached: " in gone["outcome"]

    kept = ask("GET", f"{path}/deliveries")["items"]
    assert [one["outcome"] for one in kept] == [one["outcome"] for one in [*outcomes, gone][::-1]]
    first = ask("GET", f"{path}/deliveries?limit=3")
    rest = ask("GET", f"{path}/deliveries?limit=3&before={first['next']}")
    assert [*first["items"], *rest["items"]] == kept
    assert rest["next"] is None
    assert ask("GET", "/notifications?limit=1")["items"] == kept[:1]
    ask("DELETE", path, 204)
    ask("POST", f"{path}/test", 404)
    ask("GET", f"{path}/deliveries", 404)


def test_a_secret_stays_until_another_one_is_given(ask: Caller) -> None:
    with webhook() as receiver:
        made = ask("POST", "/notification-targets", 201, json=target(receiver.url, secret="one"))
        path = f"/notification-targets/{made['id']}"
        signed = []
        for secret in ("", "two"):
            ask("PUT", path, json=target(receiver.url, secret=secret))
            ask("POST", f"{path}/test")
            signed.append(receiver.got[-1][0]["Penstock-Signature"])
        assert signed[0] != signed[1]
        assert ask("GET", path)["spec"]["secret"] == ""
        ask("DELETE", path, 204)


def test_what_is_not_taken_waits_in_order_and_is_sent_when_it_can_be(ask: Caller) -> None:
    ask.rules(f"-- alarm: waits\n{PRESENT}SELECT time, thing, result FROM observations\n"
              "WHERE name = 'waits/a.x' AND result > 1\n")  # fmt: skip
    with webhook(*(500,) * 4) as receiver:
        made = ask("POST", "/notification-targets", 201, json=target(receiver.url, "waits"))
        path = f"/notification-targets/{made['id']}"
        ask.send("waits/a", "x", (now_us(), 2), (now_us(), 0))
        eventually(lambda: len(sent(ask, path)) == 2)
        events = [json.loads(body)["event"] for _, body in receiver.got]
        assert events == ["raise"] * 5 + ["return"]
        assert [(one["event"], one["attempts"]) for one in sent(ask, path)] == [
            ("return", 1),
            ("raise", 5),
        ]
        ask("DELETE", path, 204)


def sent(ask: Caller, path: str) -> list[Any]:
    return [one for one in ask("GET", f"{path}/deliveries")["items"] if one["state"] == "sent"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"address": "ftp://example.com/"}, "write https://host/path"),
        ({"address": "https://sue:secret@example.com/"}, "without a name and password"),
        ({"kind": "mail", "address": "nobody"}, "write name@example.com"),
        ({"kind": "mqtt", "address": "plant/#"}, "no '+', '#' or '$'"),
        ({"events": ["explode"]}, "allowed are raise, return"),
        ({"severity": "awful"}, "allowed are low, medium, high, critical"),
        ({"name": "on call"}, "1 to 63 letters"),
    ],
)
def test_a_target_that_cannot_be_told_is_refused(
    ask: Caller, more: dict[str, Any], message: str
) -> None:
    refused = ask(
        "POST", "/notification-targets", 400, json={**target("https://example.com/"), **more}
    )
    assert message in refused["error"]["message"]


def test_mail_without_a_mail_server_says_what_to_set(ask: Caller) -> None:
    mail = target("sue@example.com", "mail", kind="mail")
    path = f"/notification-targets/{ask('POST', '/notification-targets', 201, json=mail)['id']}"
    said = ask("POST", f"{path}/test")
    assert (said["state"], said["outcome"]) == (
        "failed",
        "there is no mail server; set `alarms.smtp_host`",
    )
    ask("DELETE", path, 204)
