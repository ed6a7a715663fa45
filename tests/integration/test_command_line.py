"""The command line against a running platform, as an administrator and a device engineer use it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.main import run

CAR = "cz.icecars.CarFleet.Car1"
WEATHER = "is.iceland.Weather.Stations"
PATIENCE_S = 90.0


class Shell:
    """Runs commands as from a shell, in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.said = ""

    def __call__(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """Run a command; return what it wrote on standard output."""
        self._monkeypatch.setattr(sys, "argv", ["penstock", *words])
        self._monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            run()
        out, self.said = self._capsys.readouterr()
        assert (ended.value.code or 0) == code, f"{words}: {out}{self.said}"
        return out

    def json(self, *words: str, stdin: str = "") -> Any:
        """Run a command with `--json`; return the document."""
        return json.loads(self(*words, "--json", stdin=stdin))

    def act_for(self, key: str | None) -> None:
        """Let commands act for a key, or again for whoever is signed in."""
        if key is None:
            self._monkeypatch.delenv("PENSTOCK_KEY", raising=False)
        else:
            self._monkeypatch.setenv("PENSTOCK_KEY", key)


@pytest.fixture
def platform(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    one = start()
    monkeypatch.setenv("PENSTOCK_URL", one.http)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("PENSTOCK_KEY", raising=False)
    return one


@pytest.fixture
def penstock(
    platform: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    return Shell(monkeypatch, capsys)


def publish(mqtt: tuple[str, int], key: str, topic: str, payload: str) -> None:
    """Publish one message as a client that shows a key."""
    import paho.mqtt.publish as paho

    auth: Any = {"username": "one", "password": key}
    paho.single(topic, payload, 1, hostname=mqtt[0], port=mqtt[1], auth=auth)


def until(check: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := check()):
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.1)
    return found


def test_an_administrator_sets_up_two_companies_that_share(platform: Any, penstock: Shell) -> None:
    assert penstock.json("whoami")["accounts"] is False
    penstock("users", "add", "root", "--password-stdin", stdin="a long password\n")
    penstock("users", "list", code=4)
    penstock("login", "root", "--password-stdin", stdin="a wrong password\n", code=4)
    penstock("login", "root", "--password-stdin", stdin="a long password\n")
    keys = {}
    for name, system in (("sue", CAR), ("stefan", WEATHER)):
        penstock("users", "add", name, "--no-password")
        penstock("companies", "add", system.rsplit(".", 2)[0])
        penstock("systems", "add", system)
        penstock("companies", "add-admin", system.rsplit(".", 2)[0], name)
        penstock("systems", "add-agent", system, name)
        keys[name] = penstock("keys", "add", "--user", name).strip()
        keys[system] = penstock("clients", "add", f"{system}/one", "--expires", "1d").splitlines()[
            -1
        ]
    penstock("companies", "add", "cz.icecars", code=5)
    penstock("systems", "add", "cz.icecars.x", code=2)

    publish(platform.mqtt, keys[WEATHER], f"{WEATHER}/hall/one", '{"TMP": 3.5}')
    publish(platform.mqtt, keys[CAR], f"{CAR}/hall/one", '{"TMP": 4.5}')

    def seen(who: str) -> list[str]:
        penstock.act_for(keys[who])
        return [one["name"] for one in penstock.json("observations", "datastreams")]

    until(lambda: seen("stefan") == [f"{WEATHER}.hall/one.TMP"])
    until(lambda: seen("sue") == [f"{CAR}.hall/one.TMP"])
    asked = penstock.json("grants", "request", WEATHER, CAR, "--note", "for the road")
    assert asked["state"] == "requested"
    penstock("grants", "accept", str(asked["id"]), code=4)
    penstock.act_for(keys["stefan"])
    penstock("grants", "accept", str(asked["id"]))
    assert sorted(seen("sue")) == sorted([f"{CAR}.hall/one.TMP", f"{WEATHER}.hall/one.TMP"])
    assert seen("stefan") == [f"{WEATHER}.hall/one.TMP"]
    penstock("grants", "revoke", str(asked["id"]), "--yes")
    assert seen("sue") == [f"{CAR}.hall/one.TMP"]

    penstock("systems", "remove-agent", CAR, "sue", code=5)
    penstock("users", "list")
    penstock.act_for(None)
    did = [(one["by"], one["action"]) for one in penstock.json("audit")]
    assert ("stefan", "accept") in did
    penstock("logout")
    penstock("audit", code=4)


def test_the_first_user_can_be_made_while_the_platform_is_down(
    start: Callable[..., Any], penstock: Shell, tmp_path: Path
) -> None:
    penstock(
        "users", "add", "root", "--administrator", "--password-stdin",
        "--data-dir", str(tmp_path / "elsewhere"), stdin="a long password\n",
    )  # fmt: skip
    platform = start(data_dir=tmp_path / "elsewhere")
    penstock("login", "root", "--password-stdin", "--url", platform.http, stdin="a long password\n")
    assert penstock.json("whoami", "--url", platform.http)["administrator"] is True
    assert penstock.json("whoami")["accounts"] is False


def test_a_file_that_cannot_be_fetched_leaves_nothing(penstock: Shell, tmp_path: Path) -> None:
    penstock("export", "nothing", "-o", str(tmp_path / "x.csv"), code=3)
    penstock("export", "1", "-o", str(tmp_path / "x.txt"), code=3)
    assert list(tmp_path.glob("*x.*")) == []


def test_an_engineer_works_with_two_devices(platform: Any, penstock: Shell, tmp_path: Path) -> None:
    host, port = platform.mqtt
    simulator = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli.main", "simulate", "accelerometer"]
        + ["--broker", f"{host}:{port}", "--json"],
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: [d["online"] for d in penstock.json("devices", "list")] == [True, True])
        names = [one["name"] for one in penstock.json("devices", "list")]
        assert names == ["AAD-1123", "BBB-3423"]
        until(lambda: {d["type"] for d in penstock.json("devices", "list")} == {"accelerometer"})
        until(lambda: all("ready" in penstock("devices", "logs", name) for name in names))
        slept = penstock.json("devices", "sleep", names[0], "--wait", "45")
        assert [one["state"] for one in slept] == ["done"]
        woken = penstock.json("devices", "awake", "--all", "--yes", "--wait", "45")
        assert [one["state"] for one in woken] == ["done", "done"]
        penstock("devices", "set-frequency", "--wait", "45", "50", names[0])
        until(lambda: penstock.json("devices", "get", names[0])["sample_frequency"] == 50)
        penstock("devices", "set-frequency", "0", names[0], code=2)
        penstock("devices", "command", "dance", names[0], code=2)
        penstock("devices", "sleep", "nobody", code=3)
        penstock("devices", "sleep", "--all", code=2)  # nobody is there to confirm
        penstock("targets", "add", "Pump 3", "--location", "13.04", "47.8")
        penstock("targets", "fix", names[0], "Pump 3")
        assert penstock.json("targets", "list")[0]["devices"] == [names[0]]
        found = until(lambda: penstock.json("observations", "datastreams", names[0]))
        penstock("export", found[0]["name"], "-o", str(tmp_path / "a.parquet"))
        assert (tmp_path / "a.parquet").read_bytes()[:4] == b"PAR1"
        lines = penstock("devices", "logs", names[0], "--text", "sleep", "--json").splitlines()
        assert {json.loads(one)["device"] for one in lines} == {names[0]}
    finally:
        simulator.terminate()
        simulator.wait(120)
    until(lambda: not any(one["online"] for one in penstock.json("devices", "list")))


def test_the_sample_organisation_signs_in(
    penstock: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "sample"
    demo = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli.main", "demo", "--organisation", "--data-dir"]
        + [str(folder), "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert demo.stdout is not None
        address = demo.stdout.readline().split()[3]
        monkeypatch.setenv("PENSTOCK_URL", address)
        penstock("observations", "datastreams", code=4)
        penstock("login", "peter.novak@example.com", "--password-stdin", stdin="asdf\n")
        systems = [one["name"] for one in penstock.json("systems", "list")]
        assert [name.rsplit(".", 1)[1] for name in systems] == [
            "Car1",
            "Car2",
            "Stations",  # the last by a grant
        ]
        penstock("login", "administrator@example.com", "--password-stdin", stdin="asdf\n")
        until(lambda: penstock.json("observations", "datastreams"))
    finally:
        demo.terminate()
        _, said = demo.communicate(timeout=120)
    assert "sue.smith@example.com" in said
