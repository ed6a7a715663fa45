"""The platform on every transport: what it serves, and how it takes new certificates."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import trustme

Start = Callable[..., Any]
PATIENCE_S = 90.0


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return issue(tmp_path, trustme.CA())


def issue(folder: Path, authority: trustme.CA) -> dict[str, str]:
    """Write a certificate of the platform, in place of the one before."""
    ca, certificate, key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
    issued = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(str(ca))
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    return {"ca": str(ca), "certificate": str(certificate), "key": str(key)}


def configure(folder: Path, files: dict[str, str]) -> str:
    pair = f'certificate = "{files["certificate"]}"\nkey = "{files["key"]}"\n'
    file = folder / "penstock.toml"
    file.write_text(
        f"[door.tls]\nport = 0\n{pair}[door.websocket]\nport = 0\ntls_port = 0\n[api.tls]\n{pair}"
    )
    return str(file)


def get(url: str, ca: str, **headers: str) -> Any:
    context = ssl.create_default_context(cafile=ca)
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S, context=context) as answer:
        return json.load(answer)


def doors_of(running: Any, ca: str) -> dict[str, tuple[str, int]]:
    """Return where the door listens, as the API says it."""
    wait_until(lambda: bool(get(f"{running.http}/api/v1/connection", ca)["mqtt"]))
    found: dict[str, tuple[str, int]] = get(f"{running.http}/api/v1/connection", ca)["mqtt"]
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            pytest.fail("it did not come true in time")
        time.sleep(0.1)


def believes(port: int, ca: str) -> bool:
    """Say whether a client that trusts this authority gets in."""
    context = ssl.create_default_context(cafile=ca)
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:
            context.wrap_socket(sock, server_hostname="localhost").close()
    except ssl.SSLCertVerificationError:
        return False
    return True


def test_every_transport_leads_to_an_observation_in_the_https_api(
    start: Start, tmp_path: Path, files: dict[str, str]
) -> None:
    running = start("--config", configure(tmp_path, files))
    assert running.http.startswith("https://127.0.0.1:")
    doors = doors_of(running, files["ca"])
    assert set(doors) == {"mqtt", "mqtts", "ws", "wss"}
    for number, (scheme, (host, port)) in enumerate(sorted(doors.items())):
        transport = "websockets" if scheme.startswith("ws") else "tcp"
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, scheme, transport=transport)
        if scheme in ("mqtts", "wss"):
            client.tls_set(files["ca"])
        client.connect(host, port)
        client.loop_start()
        client.publish(f"hall/{scheme}/temperature", str(number), qos=1).wait_for_publish(
            PATIENCE_S
        )
        client.disconnect()
        client.loop_stop()

    def stored() -> bool:
        found = get(f"{running.http}/api/v1/datastreams?search=hall", files["ca"])["items"]
        return len(found) == 4

    wait_until(stored)
    with pytest.raises(OSError):  # no plain HTTP on this port
        urllib.request.urlopen(running.http.replace("https", "http"), timeout=PATIENCE_S)
    assert running.stop() == (0, "")


def test_sighup_takes_a_new_certificate_at_once_and_drops_nobody(
    start: Start, tmp_path: Path, files: dict[str, str]
) -> None:
    running = start("--config", configure(tmp_path, files))
    http = int(running.http.rpartition(":")[2])
    mqtts = doors_of(running, files["ca"])["mqtts"][1]
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "stays")
    dropped: list[object] = []
    client.on_disconnect = lambda *what: dropped.append(what)
    client.tls_set(files["ca"])
    client.connect("127.0.0.1", mqtts)
    client.loop_start()
    client.publish("a", "1", qos=1).wait_for_publish(PATIENCE_S)
    old = tmp_path / "old.pem"
    old.write_bytes(Path(files["ca"]).read_bytes())
    issue(tmp_path, trustme.CA())
    os.kill(running.process.pid, signal.SIGHUP)
    for port in (http, mqtts):
        wait_until(lambda port=port: believes(port, files["ca"]))  # type: ignore[misc]
        assert not believes(port, str(old))
    client.publish("a", "2", qos=1).wait_for_publish(PATIENCE_S)
    assert not dropped
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("section", ["door.tls", "api.tls"])
def test_a_certificate_that_cannot_be_used_ends_the_start_with_its_reason(
    start: Start, tmp_path: Path, section: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "penstock.toml"
    file.write_text(f'[{section}]\ncertificate = "{tmp_path}/absent.pem"\n')
    with pytest.raises(pytest.fail.Exception, match=r"absent\.pem: No such file"):
        start("--config", str(file))
