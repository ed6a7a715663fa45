"""Bulk import against an imitated platform: payloads, retries, refusals."""

from __future__ import annotations

import json

import httpx
import numpy as np
import pyarrow as pa
import pytest
from typer import Typer
from typer.testing import CliRunner

from penstock.cli.import_history import import_history
from penstock.codecs.registry import make
from penstock.core.codec import Messages
from penstock.core.errors import Backpressure, InvalidInput, NotConnected
from penstock.simulators import history
from penstock.simulators.history import Imported, Importer, observations, payload, topic_of
from penstock.simulators.recordings import Columns, Recording

NOON = 1_704_110_400_000_000


class Platform:
    """Answers like the platform; `script` holds answers to give first."""

    def __init__(self, *script: httpx.Response | Exception) -> None:
        self.script = list(script)
        self.payloads: list[bytes] = []
        self.topics: list[str] = []
        self.letters: list[dict[str, object]] = []
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.script:
            answer = self.script.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        path = request.url.path.removeprefix("/api/v1/")
        if path.startswith("messages/"):
            self.topics.append(path.removeprefix("messages/"))
            self.payloads.append(request.content)
            return httpx.Response(201, json={"offset": 10 + len(self.payloads)})
        if path == "ingested":
            self.asked += 1
            return httpx.Response(200, json={"ingested": self.asked > 1})
        return httpx.Response(200, json={"items": self.letters, "next": None})

    def rows(self) -> list[dict[str, object]]:
        return [
            row for data in self.payloads for row in pa.ipc.open_stream(data).read_all().to_pylist()
        ]


def send(platform: Platform, recording: Recording) -> tuple[Imported, list[float]]:
    pauses: list[float] = []
    http = httpx.Client(transport=httpx.MockTransport(platform))
    importer = Importer("http://platform/", http, pauses.append)
    return importer.send(recording, topic_of(recording.thing_name), Imported()), pauses


@pytest.fixture
def recording(tmp_path) -> Recording:
    path = tmp_path / "My lab.csv"
    path.write_text("time,a (V),what,on\n1704110400,1,rain,true\n1704110401,,sun,false\nx,1,,\n")
    return Recording(path, Columns(values=("a (V)", "what", "on")))


def test_every_value_is_sent_and_then_waited_for(recording):
    platform = Platform()
    imported, _ = send(platform, recording)
    found = [
        (row["name"], row["time"].timestamp() * 1e6, row["number"], row["text"], row["unit"])
        for row in platform.rows()
    ]
    assert found == [
        ("a", NOON, 1.0, None, "V"),
        ("what", NOON, None, "rain", None),
        ("what", NOON + 1e6, None, "sun", None),
        ("on", NOON, 1.0, None, None),
        ("on", NOON + 1e6, 0.0, None, None),
    ]
    assert platform.topics == ["import/My_lab"]
    assert platform.asked == 2
    assert (imported.observations, imported.sent, imported.bad_rows) == (5, 5, 1)
    assert imported.stored
    assert imported.refused == []


def test_the_codec_reads_what_is_sent(recording):
    [block] = recording.blocks()
    data = payload(observations(block))
    messages = Messages(["import/x"], [data], np.array([NOON]), [{}])
    codec = make("arrow")
    readings = codec.decode(messages)
    assert not readings.failures
    series = {
        (s.thing, s.name, str(s.observation_type)) for s in map(codec.describe, readings.keys)
    }
    assert series == {
        ("My lab", "a", "Measurement"),
        ("My lab", "what", "Category"),
        ("My lab", "on", "Truth"),
    }


def test_large_recordings_are_sent_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "ROWS_PER_REQUEST", 1000)
    path = tmp_path / "big.csv"
    path.write_text("time,a,b\n" + "".join(f"{NOON + n},{n},{n / 2}\n" for n in range(3100)))
    platform = Platform()
    imported, _ = send(platform, Recording(path))
    assert len(platform.payloads) == 7
    assert imported.sent == 6200
    rows = platform.rows()
    assert sorted(row["number"] for row in rows if row["name"] == "a") == list(range(3100))


def test_a_busy_platform_is_asked_again_when_it_says(recording):
    busy = httpx.Response(503, headers={"retry-after": "3"}, json={"error": {"message": "busy"}})
    platform = Platform(busy, httpx.ReadTimeout("slow"), httpx.ConnectError("gone"))
    imported, pauses = send(platform, recording)
    assert imported.sent == 5
    assert pauses[0] == 3.0
    assert len(pauses) == 3


def test_a_platform_that_stays_busy_is_given_up(recording):
    busy = httpx.Response(503, json={"error": {"message": "disk is full"}})
    with pytest.raises(Backpressure, match="too busy: disk is full; try again later"):
        send(Platform(*[busy] * 20), recording)


def test_a_platform_that_is_not_there_is_named_at_once(recording):
    with pytest.raises(NotConnected, match="Penstock at http://platform cannot be reached"):
        send(Platform(httpx.ConnectError("refused")), recording)


def test_a_refusal_is_told_in_the_words_of_the_platform(recording):
    answer = httpx.Response(413, json={"error": {"code": "x", "message": "body too large"}})
    with pytest.raises(InvalidInput, match="refuses: body too large"):
        send(Platform(answer), recording)
    with pytest.raises(InvalidInput, match="refuses: HTTP 404 nothing here"):
        send(Platform(httpx.Response(404, text="nothing here")), recording)


def test_dead_letters_of_this_import_are_told(recording):
    platform = Platform()
    platform.letters = [
        {"id": 1, "topic": "import/My_lab", "offset": 3, "reason": "an older one"},
        {"id": 2, "topic": "import/other", "offset": 10, "reason": "another one"},
        {"id": 3, "topic": "import/My_lab", "offset": 10, "reason": "closed"},
    ]
    imported, _ = send(platform, recording)
    assert imported.refused == ["closed"]


def test_an_address_that_is_no_url_is_refused():
    with pytest.raises(InvalidInput, match="'localhost:8080' is not a URL"):
        Importer("localhost:8080")


@pytest.fixture
def app() -> Typer:
    one = Typer()
    one.command()(import_history)
    return one


def test_strict_imports_nothing_when_a_row_is_bad(app, recording):
    result = CliRunner().invoke(app, [str(recording.path), "--strict", "--url", "http://nowhere"])
    assert result.exit_code == 1
    assert "line 4: time: 'x' is not a time" in result.output
    assert "nothing was imported" in result.output


def test_summary_as_json(app, recording, monkeypatch):
    def send(self, recording, topic, imported, watch):
        imported.sent = 3
        imported.stored = True
        watch(imported)
        return imported

    monkeypatch.setattr(Importer, "send", send)
    result = CliRunner().invoke(app, [str(recording.path), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["sent"] == 3


def test_bad_rows_beyond_the_first_are_counted(app, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,a\n1704110400,1\n" + "never,1\n" * 50)
    result = CliRunner().invoke(app, [str(path), "--dry-run"])
    assert "50 rows were left out" in result.output
    assert "line 3: time: 'never' is not a time" in result.output
    assert "and 30 more" in result.output
    assert "1 observations" in result.output
