"""Clients that others wrote, through TLS and web sockets, to a door that runs as in earnest."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.door.pki import Pki, new_pki

from penstock.core.publish import parse_publish
from penstock.door.presence import DOOR
from penstock.door.settings import DoorSettings, TlsSettings, WebSocketSettings
from penstock.log import SegmentLog

PATIENCE_S = 90.0
ROOT = Path(__file__).parents[2]
NODE_CLIENT = """
const mqtt = require(process.argv[1]);
const ca = process.argv[3] && require("fs").readFileSync(process.argv[3]);
const client = mqtt.connect(process.argv[2], {ca});
client.on("error", error => { console.error(error); process.exit(1); });
client.on("message", (topic, payload) => { console.log(topic, payload.length); client.end(); });
client.on("connect", () => client.subscribe("node/+", {qos: 1}, () =>
  client.publish("node/a", Buffer.alloc(200000, 7), {qos: 1})));
"""


class Served:
    """A door in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.pki: Pki = new_pki(folder / "pki")
        self.folder = folder / "log"
        self.settings = DoorSettings(
            port=0,
            tls=TlsSettings(port=0, client_ca=self.pki.ca, **self.pki.server()),
            websocket=WebSocketSettings(port=0, tls_port=0),
        )
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Serve; again after `kill`."""
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/door/serve_transports.py"), str(self.folder)]
            + [msgspec.json.encode(self.settings).decode()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        self.addresses: dict[str, tuple[str, int]] = json.loads(line)

    def kill(self) -> str:
        """End it as the power does; return what it had to say."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        return self.process.communicate()[1]

    def logged(self) -> list[tuple[str, bytes]]:
        """Return every message on disk."""
        found = []
        for block in SegmentLog(self.folder).reader("door").read():
            start = 0
            for at in range(0, len(block.ends) if block.client != DOOR else 0, 4):
                stop = int.from_bytes(block.ends[at : at + 4], "little")
                found.append(parse_publish(block.packets[start:stop], block.protocol))
                start = stop
        return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    said = served.kill()
    assert "Traceback" not in said, said


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def connect(served: Served, scheme: str, protocol: int, name: str) -> mqtt.Client:
    transport = "websockets" if scheme in ("ws", "wss") else "tcp"
    client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=protocol, transport=transport)
    if scheme in ("mqtts", "wss"):
        client.tls_set(served.pki.ca)
    client.max_inflight_messages_set(100)
    up = threading.Event()
    client.on_connect = lambda *_: up.set()
    client.connect(*served.addresses[scheme])
    client.loop_start()
    assert up.wait(PATIENCE_S)
    return client


def leave(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize(
    ("scheme", "protocol"),
    [("mqtts", mqtt.MQTTv311), ("ws", mqtt.MQTTv5), ("wss", mqtt.MQTTv311)],
)
def test_paho_sends_and_gets_messages_of_all_sizes(
    served: Served, scheme: str, protocol: int
) -> None:
    sent = [bytes([number % 256]) * (number * number % 3001) for number in range(300)]
    sent.append(b"x" * 2_000_000)
    got: list[bytes] = []
    complete, ready = threading.Event(), threading.Event()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        got.append(message.payload)
        if len(got) == len(sent):
            complete.set()

    client = connect(served, scheme, protocol, "paho")
    client.on_message = on_message
    client.on_subscribe = lambda *_: ready.set()
    client.subscribe("bulk/+", 1)
    assert ready.wait(PATIENCE_S)
    for payload in sent:
        client.publish("bulk/a", payload, 1)
    assert complete.wait(PATIENCE_S)
    leave(client)
    assert got == sent
    assert [payload for _, payload in served.logged()] == sent


@pytest.mark.parametrize("scheme", ["mqtts", "wss"])
def test_what_was_acknowledged_survives_a_kill(served: Served, scheme: str) -> None:
    client = connect(served, scheme, mqtt.MQTTv311, "victim")
    acknowledged: list[int] = []
    client.on_publish = lambda _client, _data, mid, *_: acknowledged.append(mid)
    for number in range(2000):
        client.publish("a", b"%d" % number, 1)
        if len(acknowledged) > 500:
            break
    served.kill()
    leave(client)
    count = len(acknowledged)
    assert [payload for _, payload in served.logged()][:count] == [
        b"%d" % number for number in range(count)
    ]
    served.start()
    again = connect(served, scheme, mqtt.MQTTv311, "victim")
    again.publish("b", b"after", 1).wait_for_publish(PATIENCE_S)
    leave(again)


def test_mosquitto_pub_and_sub_with_certificates(served: Served) -> None:
    pub, sub = tool("mosquitto_pub"), tool("mosquitto_sub")
    mine = served.pki.client("pump-7")
    where = ["-h", "localhost", "-p", str(served.addresses["mqtts"][1]), "-q", "1"]
    where += ["--cafile", served.pki.ca, "--cert", mine["certificate"], "--key", mine["key"]]
    run = {"check": True, "timeout": PATIENCE_S, "capture_output": True}
    subprocess.run([pub, *where, "-t", "plant/ready", "-m", "yes", "-r"], **run)  # type: ignore[call-overload]
    subprocess.run([pub, *where, "-t", "plant/1", "-m", "x" * 100_000, "-r"], **run)  # type: ignore[call-overload]
    heard = subprocess.run([sub, *where, "-t", "plant/1", "-C", "1", "-W", "20"], **run)  # type: ignore[call-overload]
    assert heard.stdout == b"x" * 100_000 + b"\n"
    assert [topic for topic, _ in served.logged()] == ["plant/ready", "plant/1"]


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_the_node_client(served: Served, scheme: str) -> None:
    package = next(ROOT.glob("tests/**/node_modules/mqtt"), None)
    if package is None:
        pytest.skip("the npm package mqtt is not installed")
    host, port = served.addresses[scheme]
    url = f"{scheme}://{host}:{port}/mqtt"
    said = subprocess.run(
        [tool("node"), "-e", NODE_CLIENT, str(package), url]
        + ([served.pki.ca] if scheme == "wss" else []),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert said.stdout == "node/a 200000\n", said.stderr


def test_tls_sessions_are_resumed(served: Served) -> None:
    context = served.pki.trusting()
    session: ssl.SSLSession | None = None
    for turn in range(2):
        with (
            socket.create_connection(served.addresses["mqtts"], PATIENCE_S) as sock,
            context.wrap_socket(sock, server_hostname="localhost", session=session) as tls,
        ):
            tls.sendall(bytes.fromhex("100d00044d51545404020000000161"))
            assert tls.recv(4) == bytes.fromhex("20020000")
            session = tls.session
            assert tls.session_reused is bool(turn)
