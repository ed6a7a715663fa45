"""Keys, permissions, https and mqtts, against a platform with accounts and a certificate."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.client.conftest import wait_until
from tests.door.pki import Pki, new_pki

from penstock.client import Client, Quantity, State
from penstock.core.errors import Forbidden, NotConnected, Unauthenticated

CAR = "cz.icecars.fleet.Car1"
PASSWORD = "correct horse battery staple"

pytestmark = pytest.mark.timeout(400)


class Guarded:
    """`penstock up` with TLS for everything, a company with two cars, and keys."""

    def __init__(self, folder: Path) -> None:
        self.pki: Pki = new_pki(folder / "pki")
        files = self.pki.server()
        tls = f'certificate = "{files["certificate"]}"\nkey = "{files["key"]}"\n'
        config = folder / "penstock.toml"
        config.write_text(
            f'[door.tls]\n{tls}host = "127.0.0.1"\nport = 0\n[api.tls]\n{tls}[api]\nport = 0\n'
            "[door]\nport = 0\n"
        )
        command = [sys.executable, "-m", "penstock.cli.main", "up", "--config", str(config)]
        self.process = subprocess.Popen(
            [*command, "--data-dir", str(folder / "data")], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"https://[^:]+:(\d+)", line)
        assert found, line
        self.url = f"https://localhost:{found[1]}"
        self.keys: dict[str, str] = {}
        self._web = httpx.Client(base_url=f"{self.url}/api/v1", verify=self.pki.trusting())
        self._fill()
        self._web.close()

    def _ask(self, path: str, **body: Any) -> Any:
        answer = self._web.post(path, json=body, timeout=120)
        assert answer.is_success, answer.text
        return answer.json()

    def _fill(self) -> None:
        self._ask("/users", name="root", password=PASSWORD, administrator=True)
        self._web.auth = ("root", PASSWORD)
        company = self._ask("/companies", name="cz.icecars")["id"]
        for number, names in ((1, ("twin", "reader")), (2, ("other",))):
            system = self._ask(
                "/systems", company=company, workcenter="fleet", station=f"Car{number}"
            )["id"]
            for name in names:
                client = self._ask(
                    "/clients", system=system, name=name, may_write=name != "reader"
                )["id"]
                self.keys[name] = self._ask("/keys", client=client)["secret"]

    def client(self, name: str, **more: Any) -> Client:
        settings = {"key": self.keys[name], "ca_file": self.pki.ca, "name": name}
        return Client(self.url, max_retry_s=0.5, **(settings | more))

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=120)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    one = Guarded(tmp_path_factory.mktemp("guarded"))
    yield one
    one.stop()


def test_a_twin_works_with_its_key_in_its_own_system_over_tls(guarded: Guarded) -> None:
    with guarded.client("twin") as twin, guarded.client("reader") as reader:
        [stream] = twin.register(Quantity("temperature", "roof", "°C"))
        assert (twin.system, stream.thing) == (CAR, f"{CAR}.roof")
        reader.subscribe("*", timeout_s=60)
        twin.produce("temperature", 21.5)
        twin.produce("roof.temperature", 22.5)
        assert twin.flush(60)
        assert twin._whereabouts.door()[0] == "mqtts"
        got: list[Any] = []
        wait_until(lambda: got.extend(reader.consume(0.5)) or len(got) == 2)
        assert [message.result for message in got] == [21.5, 22.5]
        assert {message.name for message in got} == {f"{CAR}.roof.temperature"}
        wait_until(lambda: reader.count(stream.name) == 2)


def test_who_may_not_write_registers_and_sends_nothing(guarded: Guarded) -> None:
    with guarded.client("twin") as twin:
        twin.register(Quantity("speed", "wheel"))
    refused: list[str] = []
    reader = guarded.client("reader", on_refused=lambda _topic, _payload, why: refused.append(why))
    with pytest.raises(Forbidden, match="may not write"):
        reader.register(Quantity("speed", "wheel"))
    reader.register_existing(f"{CAR}.wheel.speed")
    reader.produce("speed", 50)
    assert reader.flush(60)
    assert refused == ["not allowed"] or refused[0].startswith("not allowed")
    assert reader.status().refused == 1
    assert reader.count(f"{CAR}.wheel.speed") == 0
    reader.close(0)


def test_one_system_sees_nothing_of_another(guarded: Guarded) -> None:
    with guarded.client("twin") as twin, guarded.client("other") as other:
        twin.register(Quantity("secret", "box"))
        assert other.datastreams("secret") == []
        with pytest.raises(Forbidden, match="not let this client receive"):
            other._receiving.subscribe([f"{CAR}.int/#"], 60)


def test_a_wrong_key_is_said_by_both_ways(guarded: Guarded) -> None:
    wrong = guarded.client("twin", key="wrong", mqtt="")
    with pytest.raises(Unauthenticated, match=r"PENSTOCK_KEY"):
        wrong.datastreams()
    with guarded.client("twin") as twin:
        scheme, host, port = twin._whereabouts.door()
    said: list[tuple[State, str]] = []
    wrong = guarded.client(
        "twin",
        key="wrong",
        mqtt=f"{scheme}://{host}:{port}",
        on_state=lambda state, why: said.append((state, why)),
    )
    assert not wrong._sending.wait_online(0.1)
    wait_until(lambda: any("user name or key is wrong" in why for _, why in said))
    wrong.close(0)


def test_a_certificate_of_strangers_is_not_trusted(guarded: Guarded, tmp_path: Path) -> None:
    stranger = guarded.client("twin", ca_file=new_pki(tmp_path / "pki").ca)
    with pytest.raises(NotConnected, match=r"is not trusted: .*; give the file with its issuer"):
        stranger.datastreams()
