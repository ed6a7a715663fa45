"""The commands of docs/guides/tls.md work as they are written."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.core.certificates import ServerCertificate
from penstock.runtime.certificate_health import certificates
from penstock.runtime.config import load
from penstock.runtime.finding import Level

PAGE = (Path(__file__).parents[2] / "docs/guides/tls.md").read_text()
PATIENCE_S = 90.0


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all commands that make certificates were run, in their order."""
    folder = tmp_path_factory.mktemp("guide")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    for block in blocks("sh"):
        if "openssl" in block:
            subprocess.run(
                ["bash", "-euc", block], cwd=folder, check=True, capture_output=True, timeout=120
            )
    first, second = blocks("toml")
    tables = second.replace("[door.tls]\n", "")
    (folder / "penstock.toml").write_text(first.replace("[door.tls]\n", f"[door.tls]\n{tables}"))
    return folder


@pytest.fixture
def platform(folder: Path, tmp_path: Path) -> Iterator[dict[str, int]]:
    """Run the platform as the page configures it, on free ports; gives them by scheme."""
    free = {
        "PENSTOCK_DOOR_PORT": "0",
        "PENSTOCK_DOOR_TLS_PORT": "0",
        "PENSTOCK_DOOR_TLS_HOST": "127.0.0.1",
        "PENSTOCK_DOOR_WEBSOCKET_TLS_PORT": "0",
        "PENSTOCK_DOOR_WEBSOCKET_HOST": "127.0.0.1",
        "PENSTOCK_API_PORT": "0",
        "PENSTOCK_DATA_DIR": str(tmp_path / "data"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli.main", "up", "--config", "penstock.toml"],
        cwd=folder,
        env={**os.environ, **free},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    ports = {name: int(port) for name, port in re.findall(r"(\w+)(?:://| on )[\d.]+:(\d+)", line)}
    if set(ports) != {"https", "MQTT", "mqtts", "wss"}:
        process.kill()
        pytest.fail(f"{line!r} {process.communicate()}")
    yield ports
    process.terminate()
    process.communicate(timeout=PATIENCE_S)


def command(beginning: str) -> str:
    """Return the command of the page that begins so."""
    return next(block for block in blocks("sh") if block.startswith(beginning))


def test_the_certificates_are_good_by_strict_rules(folder: Path) -> None:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    shown = ServerCertificate(
        str(folder / "server.pem"), str(folder / "server.key"), client_ca=str(folder / "ca.pem")
    )
    context.load_cert_chain(folder / "press-4.pem", folder / "press-4.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname="penstock.plant.example")
    server = shown.load().wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert dict(part[0] for part in server.getpeercert()["subject"]) == {  # type: ignore[index, misc]
        "commonName": "press-4"
    }


def test_the_configuration_is_sound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    findings = list(certificates(load(folder / "penstock.toml", environ={})))
    assert [finding.level for finding in findings] == [Level.OK, Level.OK]


def test_a_device_publishes_with_its_certificate_and_the_command_line_sees_it(
    folder: Path, platform: dict[str, int]
) -> None:
    if shutil.which("mosquitto_pub") is None:
        pytest.skip("mosquitto-clients are not installed")
    publish = command("mosquitto_pub --cafile ca.pem --cert").replace(
        "8883", str(platform["mqtts"])
    )
    subprocess.run(["bash", "-euc", publish], cwd=folder, check=True, timeout=PATIENCE_S)
    ask = command("PENSTOCK_CA").replace("8080", str(platform["https"]))
    ask = ask.replace(
        "penstock observations", f"{sys.executable} -m penstock.cli.main observations"
    )
    end = time.monotonic() + PATIENCE_S
    while True:
        said = subprocess.run(
            ["bash", "-euc", ask], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S
        )
        assert said.returncode == 0, said.stderr
        if "press-4" in said.stdout:
            break
        assert time.monotonic() < end, said.stdout
        time.sleep(0.2)
