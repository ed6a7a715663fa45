"""The commands that ask a running Penstock, against a server with prepared answers."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from penstock.cli import deadletters, devices
from penstock.cli.hub import ask
from penstock.cli.main import run
from penstock.core.errors import (
    InvalidInput,
    NotConnected,
    NotFound,
    PenstockError,
    Unauthenticated,
)

LETTERS = [
    {
        "id": n,
        "topic": "UPB/RPi_1",
        "payload": "{",
        "client": "rpi",
        "arrived_us": 1_574_729_660_000_000,
        "partition": "door",
        "offset": n,
        "codec": "flat",
        "reason": f"not JSON [{n}]",
    }
    for n in range(1, 4)
]


class Hub:
    """Answers what it is told to and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.answers = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                hub.asked.append(f"{self.command} {self.path}")
                path = self.path.removeprefix("/api/v1")
                status, body = hub.answers.get(f"{self.command} {path}", (404, b"not here"))
                raw = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def run(self, app, *words, code=0, **kwargs):
        found = CliRunner().invoke(app, list(words), env={"PENSTOCK_URL": self.url}, **kwargs)
        assert found.exit_code == code, found.output
        return found.output

    def close(self):
        if self.thread.is_alive():
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()


@pytest.fixture
def hub():
    made = Hub()
    yield made
    made.close()


def test_dead_letters_are_shown_with_their_reasons(hub):
    hub.answers["GET /dead-letters?limit=100"] = 200, {"items": LETTERS, "next": None}
    shown = hub.run(deadletters.app, "list")
    assert "UPB/RPi_1" in shown
    assert "2019-11-26" in shown
    assert "[3]" in shown


def test_dead_letters_are_fetched_page_by_page(hub):
    hub.answers["GET /dead-letters?limit=3"] = 200, {"items": LETTERS[:2], "next": 2}
    hub.answers["GET /dead-letters?after=2&limit=1"] = 200, {"items": LETTERS[2:], "next": 3}
    shown = hub.run(deadletters.app, "list", "--limit", "3", "--json")
    assert json.loads(shown) == LETTERS


def test_no_dead_letters_is_good_news(hub):
    hub.answers["GET /dead-letters?limit=100"] = 200, {"items": [], "next": None}
    assert "No dead letters wait." in hub.run(deadletters.app, "list")


def test_a_replay_tells_what_became_of_the_messages(hub):
    outcome = {"messages": 5, "observations": 4, "failed": 1}
    hub.answers["POST /dead-letters/replay"] = 200, outcome
    shown = hub.run(deadletters.app, "replay")
    assert "5 messages read again, 4 observations stored, 1 messages failed again" in shown
    assert json.loads(hub.run(deadletters.app, "replay", "--json")) == outcome


def test_discarding_asks_first(hub):
    hub.answers["DELETE /dead-letters"] = 200, {"discarded": 3}
    hub.run(deadletters.app, "discard", code=1)
    assert hub.asked == []
    assert "3 dead letters dropped" in hub.run(deadletters.app, "discard", "--yes")


def test_devices_are_shown_and_filtered(hub):
    device = {"name": "UPB.1", "status": "pending", "type": "", "online": None}
    device |= {"last_seen_us": None, "target": None}
    address = "GET /devices?limit=1000&search="
    hub.answers[f"{address}&status=pending&heard=true"] = 200, {"items": [device]}
    assert "UPB.1" in hub.run(devices.app, "list", "--status", "pending")
    hub.answers[f"{address}&heard=true"] = 200, {"items": [device]}
    assert json.loads(hub.run(devices.app, "list", "--json")) == [device]
    made = {**device, "name": "made by an app"}
    hub.answers[address] = 200, {"items": [device, made]}
    assert "made by an app" in hub.run(devices.app, "list", "--all")


def test_devices_are_approved_and_refused_whatever_their_names(hub):
    hub.answers["POST /devices/a%2Fb%20c/approve"] = 204, b""
    hub.answers["POST /devices/d/approve"] = 204, b""
    hub.answers["POST /devices/d/refuse"] = 204, b""
    assert "a/b c may send." in hub.run(devices.app, "approve", "a/b c", "d")
    assert "d is refused." in hub.run(devices.app, "refuse", "d")
    assert len(hub.asked) == 3


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (422, InvalidInput), (503, PenstockError)]
)
def test_an_error_of_the_hub_keeps_its_message_and_kind(hub, status, kind):
    hub.answers["GET /x"] = status, {"error": {"code": "c", "message": "no such thing"}}
    with pytest.raises(kind, match="no such thing"):
        ask("GET", hub.url, "/x")


def test_an_answer_that_is_not_from_penstock_says_so(hub):
    with pytest.raises(NotFound, match="is that the address of Penstock"):
        ask("GET", hub.url, "/nothing")


def test_nobody_listening_is_said_with_what_to_do(hub):
    hub.close()
    with pytest.raises(NotConnected, match="penstock up"):
        ask("GET", hub.url, "/x")


def test_an_address_that_is_none_is_refused():
    with pytest.raises(InvalidInput, match="is not an address"):
        ask("GET", "localhost:8080", "/x")


@pytest.mark.parametrize("key", ["bad\nkey", "ключ", "two words"])
def test_a_key_that_can_be_none_is_told_apart_from_a_hub_that_is_away(hub, monkeypatch, key):
    monkeypatch.setenv("PENSTOCK_KEY", key)
    with pytest.raises(Unauthenticated, match="PENSTOCK_KEY"):
        ask("GET", hub.url, "/devices")
    assert not hub.asked


def test_a_folder_that_cannot_be_written_is_one_line(hub, monkeypatch, capsys):
    hub.answers = {"GET /apps/export": (200, b"")}
    place = "/proc/none"
    monkeypatch.setattr("sys.argv", ["penstock", "apps", "export", place, "--url", hub.url])
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"penstock: {place} cannot be used: ")
    assert said.count("\n") == 1
