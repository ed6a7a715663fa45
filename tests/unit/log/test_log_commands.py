"""`penstock log`: what it prints, and what it sends on."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from penstock.cli.log import app
from penstock.core.errors import ConfigError, NotConnected, NotFound
from penstock.core.publish import encode_publish
from penstock.log import SegmentLog

MINUTE_US = 60_000_000
NOON_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A log of ten messages, one a minute, on two topics."""
    log = SegmentLog(tmp_path / "log")
    reader = log.reader("door", "ingest")
    writer = log.writer("door")
    for i in range(10):
        packet = encode_publish(f"site/{'ab'[i % 2]}", b"%d" % i, retain=i == 9)
        ends = len(packet).to_bytes(4, "little")
        writer.append("dev-1", 4, NOON_US + i * MINUTE_US, packet, ends)
    writer.sync()
    reader.commit(7)
    log.close()
    return tmp_path


def run(*arguments: object, error: type[BaseException] | None = None) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if error is None:
        assert result.exit_code == 0, result.output
    else:
        assert isinstance(result.exception, error)
    return result


def offsets(result: Result) -> list[int]:
    return [json.loads(line)["offset"] for line in result.stdout.splitlines()]


def test_show_tells_offsets_times_and_how_far_readers_are(data_dir: Path) -> None:
    text = run("show", "--data-dir", data_dir).stdout
    assert "door: messages 0 to 10, " in text
    assert "arrived 2026-01-01T12:00:00.000000Z to 2026-01-01T12:09:00.000000Z" in text
    assert "reader ingest at 7, 3 messages behind" in text
    (look,) = json.loads(run("show", "--data-dir", data_dir, "--json").stdout)
    assert look["readers"] == [{"name": "ingest", "committed": 7, "lag": 3}]
    assert look["segments"] == 1


def test_show_says_when_there_is_nothing(tmp_path: Path) -> None:
    assert "empty" in run("show", "--data-dir", tmp_path).stdout


def test_tail_prints_the_last_messages(data_dir: Path) -> None:
    text = run("tail", "--data-dir", data_dir, "-n", 2).stdout
    assert text == (
        "2026-01-01T12:08:00.000000Z door 8 dev-1 site/a 8\n"
        "2026-01-01T12:09:00.000000Z door 9 dev-1 site/b 9\n"
    )


def test_tail_counts_only_what_matches(data_dir: Path) -> None:
    result = run("tail", "--data-dir", data_dir, "-n", 3, "--topic", "+/a", "--json")
    assert offsets(result) == [4, 6, 8]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], range(10)),
        (["--from", "4"], range(4, 10)),
        (["--from", "4", "--until", "6"], range(4, 6)),
        (["--from", "2026-01-01T12:02:30Z", "--until", "2026-01-01T12:05:00"], range(3, 5)),
        (["--from", "99"], range(0)),
        (["--topic", "site/b", "--until", "4"], (1, 3)),
    ],
)
def test_cat_takes_offsets_and_times(
    data_dir: Path, arguments: list[str], expected: list[int]
) -> None:
    assert offsets(run("cat", "--data-dir", data_dir, "--json", *arguments)) == list(expected)


def test_json_lines_hold_everything_and_bytes_that_are_no_text_in_base64(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "log")
    writer = log.writer("hub")
    packet = encode_publish("a", b"\xff")
    writer.append("dev-1", 4, NOON_US, packet, len(packet).to_bytes(4, "little"))
    log.close()
    line = run("cat", "--data-dir", tmp_path, "--partition", "hub", "--json").stdout
    assert json.loads(line) == {
        "partition": "hub",
        "offset": 0,
        "arrived": "2026-01-01T12:00:00.000000Z",
        "client": "dev-1",
        "topic": "a",
        "payload_base64": "/w==",
        "retain": False,
    }


def test_damage_is_told_and_the_rest_is_printed(data_dir: Path) -> None:
    (path,) = (data_dir / "log" / "door").glob("*.seg")
    content = bytearray(path.read_bytes())
    content[content.index(b"site/a4")] ^= 1
    path.write_bytes(content)
    result = run("cat", "--data-dir", data_dir, "--json")
    assert offsets(result) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert "messages 4 to 4 of log partition 'door'" in result.stderr


def test_an_unknown_partition_is_an_error_that_names_the_known_ones(data_dir: Path) -> None:
    result = run("cat", "--data-dir", data_dir, "--partition", "hub", error=NotFound)
    assert "there are: door" in str(result.exception)


def test_a_replay_without_a_hub_says_how_to_start_one(data_dir: Path) -> None:
    result = run(
        "replay", "--data-dir", data_dir, "--url", "http://127.0.0.1:9", error=NotConnected
    )
    assert "penstock up" in str(result.exception)


def test_a_replay_through_the_hub_takes_no_topic(data_dir: Path) -> None:
    run("replay", "--data-dir", data_dir, "--topic", "a", error=ConfigError)


def test_a_replay_to_nowhere_says_so(data_dir: Path) -> None:
    result = run("replay", "--data-dir", data_dir, "--to", "127.0.0.1:9", error=NotConnected)
    assert "--to" in str(result.exception)


def test_follow_prints_messages_as_they_arrive(data_dir: Path) -> None:
    log = SegmentLog(data_dir / "log")
    writer = log.writer("door")
    command = [sys.executable, "-u", "-m", "penstock.cli.main", "log", "tail", "-f", "-n", "1"]
    with subprocess.Popen(
        [*command, "--data-dir", str(data_dir)], stdout=subprocess.PIPE, text=True
    ) as tail:
        try:
            assert tail.stdout is not None
            assert tail.stdout.readline().endswith("site/b 9\n")
            for payload in ("ten", "eleven"):
                packet = encode_publish("late", payload.encode())
                writer.append("dev-2", 4, NOON_US, packet, len(packet).to_bytes(4, "little"))
                writer.sync()
                assert tail.stdout.readline().endswith(f"dev-2 late {payload}\n")
        finally:
            tail.kill()
    log.close()


class Broker:
    """The front door, alone, as some MQTT broker."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(directory)]
            + ["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        self.http = words[3]
        self.mqtt = words[6].rstrip(",")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(tmp_path / "other")
    yield one
    one.process.terminate()
    one.process.communicate(timeout=120)


def test_replays_to_a_broker_and_through_the_hub(data_dir: Path, broker: Broker) -> None:
    # Published to a broker, which is another Penstock, messages keep their order
    result = run("replay", "--data-dir", data_dir, "--to", broker.mqtt, "--topic", "site/a")
    assert result.stdout == f"5 messages published to {broker.mqtt}\n"
    lines = run("cat", "--data-dir", broker.directory, "--json").stdout.splitlines()
    kept = [json.loads(line) for line in lines]
    sent = [message for message in kept if not message["topic"].startswith("$SYS/")]
    assert [message["payload"] for message in sent] == ["0", "2", "4", "6", "8"]
    # Ingested again through the hub, they are stored as they were
    there = ["--data-dir", broker.directory, "--url", broker.http]
    first, behind = str(sent[1]["offset"]), str(sent[4]["offset"])
    result = run("replay", *there, "--from", first, "--until", behind)
    assert result.stdout == "3 messages ingested again: 3 observations, 0 failed\n"
    result = run("replay", *there, "--from", first, "--until", behind, "--json")
    assert json.loads(result.stdout) == {"messages": 3, "observations": 3, "failed": 0}
