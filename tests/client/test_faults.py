"""Nothing that `produce` took is lost or doubled, whoever is killed; and what is consumed, once."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.client.conftest import PATIENCE_S, Platform, run_python, wait_until

from penstock.client import Client, Quantity, State
from penstock.core.errors import Backpressure, NotConnected

Connect = Callable[..., Client]

#: Starting a platform may take a minute on a machine with much else to do.
pytestmark = pytest.mark.timeout(400)

#: Produces numbers from where it left off, and says which are kept.
PRODUCER = """
import sys, time
from pathlib import Path
from penstock.client import Client, Quantity
url, buffer, count = sys.argv[1], sys.argv[2], int(sys.argv[4])
client = Client(url, buffer=buffer, name="victim", max_retry_s=0.3)
client.register(Quantity("number", sys.argv[3]))
done = Path(buffer) / "done"
number = int(done.read_text()) if done.exists() else 0
if number == 0:
    number = client._outbox.spool.last
while number < count:
    client.produce("number", number)
    number += 1
    print(number, flush=True)
    if number % 50 == 0:
        time.sleep(0.005)
print("end", client.flush(90), flush=True)
client.close()
"""


def test_a_client_killed_while_it_produces_loses_and_doubles_nothing(
    platform: Platform, tmp_path: Path
) -> None:
    buffer = tmp_path / "buffer"
    rng = random.Random(7)
    for _ in range(4):
        child = run_python(PRODUCER, platform.url, str(buffer), "Killed", "1000000")
        assert child.stdout is not None
        for _ in range(rng.randrange(100, 800)):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.stdout.read()
        child.communicate()
    with Client(platform.url, buffer=buffer, max_retry_s=0.3) as again:
        again.register(Quantity("number", "Killed"))
        kept = again._outbox.spool.last
        assert again.flush(PATIENCE_S)
    assert kept > 400
    platform.wait_for("Killed.number", [float(number) for number in range(kept)])


def test_a_platform_killed_while_a_client_produces_loses_and_doubles_nothing(
    platform: Platform, tmp_path: Path
) -> None:
    child = run_python(PRODUCER, platform.url, str(tmp_path / "buffer"), "Victim", "6000")
    try:
        assert child.stdout is not None
        for kill in ("door", "hub", "everything"):
            for _ in range(1000):
                assert child.stdout.readline()
            if kill == "everything":
                platform.kill_everything()
                platform.start()
            else:
                platform.kill(kill)
        said = child.stdout.read()
    finally:
        child.kill()
        _, problem = child.communicate()
    assert said.endswith("end True\n"), problem
    platform.wait_for("Victim.number", [float(number) for number in range(6000)])


def wait_until_offline(device: Client) -> None:
    wait_until(lambda: device.status().state is State.OFFLINE, "offline")


def test_a_device_starts_and_produces_without_the_network_and_sends_it_all_later(
    platform: Platform, tmp_path: Path
) -> None:
    buffer = tmp_path / "buffer"
    quantity = Quantity("level", "Offline", "m")
    with Client(platform.url, buffer=buffer) as device:
        device.register(quantity)
    platform.stop()
    states: list[tuple[State, str]] = []
    for start in (0, 100):
        device = Client(
            platform.url,
            buffer=buffer,
            max_retry_s=0.3,
            on_state=lambda state, why: states.append((state, why)),
        )
        device.register(quantity)
        for number in range(start, start + 100):
            device.produce("level", number)
        assert not device.flush(0.3)
        assert device.status().waiting == start + 100
        wait_until_offline(device)
        device.close(0)
    assert any("cannot reach the MQTT door" in why for _, why in states)
    with pytest.raises(NotConnected, match="connection refused; is Penstock up there"):
        Client(platform.url).register(Quantity("other", "Offline"))
    platform.start()
    with Client(platform.url, buffer=buffer, max_retry_s=0.3) as device:
        device.register(quantity)
        assert device.flush(PATIENCE_S)
    platform.wait_for("Offline.level", [float(number) for number in range(200)])


def test_a_full_buffer_is_said_and_memory_stays_bounded(nobody: str, platform: Platform) -> None:
    device = Client(platform.url, max_memory_bytes=65_536, mqtt=nobody.replace("http", "mqtt"))
    device.register(Quantity("x", "Full"))
    with pytest.raises(Backpressure, match="the buffer in memory holds 65536 bytes"):
        produce_much(device)
    kept = device.status().waiting
    assert 100 < kept < 1000
    device.close(0)


def produce_much(device: Client) -> None:
    for number in range(2000):
        device.produce("x", number)


#: Consumes, writes down what it got and, sometimes, dies before or after saying that it has it.
CONSUMER = """
import os, random, signal, sys
from penstock.client import Client
url, buffer, out, seed = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
rng = random.Random(seed)
client = Client(url, buffer=buffer, name="reader", max_retry_s=0.3)
client.subscribe("Source.number", timeout_s=60)
print("subscribed", flush=True)
while True:
    messages = client.consume(0.5, most=rng.randrange(1, 60))
    if rng.random() < 0.04:
        os.kill(os.getpid(), signal.SIGKILL)  # handed out, not dealt with: comes again
    if messages:
        with open(out, "a") as file:
            file.write("".join(f"{int(m.result)}\\n" for m in messages))
        client.acknowledge()
    if rng.random() < 0.02:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_consumer_killed_again_and_again_deals_with_each_message_once(
    platform: Platform, tmp_path: Path, connect: Connect
) -> None:
    source = connect(platform.url)
    source.register(Quantity("number", "Source"))
    out = tmp_path / "out"
    out.write_text("")
    count = 3000

    def consumed() -> list[int]:
        return [int(line) for line in out.read_text().split()]

    child: subprocess.Popen[Any] | None = None
    produced = 0
    deadline = time.monotonic() + 2 * PATIENCE_S
    seed = 0
    while len(consumed()) < count:
        assert time.monotonic() < deadline, f"{len(consumed())} of {count}"
        if child is None or child.poll() is not None:
            if child is not None:
                child.communicate()
            seed += 1
            arguments = [platform.url, str(tmp_path / "buffer"), str(out), str(seed)]
            child = subprocess.Popen(
                [sys.executable, "-c", CONSUMER, *arguments], stdout=subprocess.PIPE
            )
            assert child.stdout is not None
            child.stdout.readline()
        if produced < count:
            source.produce_many("number", range(produced, produced + 100))
            produced += 100
            if produced == 1500:
                platform.kill("door")
        time.sleep(0.02)
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert consumed() == list(range(count))


def test_what_was_handed_out_before_an_error_comes_again_also_without_a_buffer(
    platform: Platform, connect: Connect
) -> None:
    source = connect(platform.url)
    source.register(Quantity("number", "Again"))

    def fail() -> None:
        with Client(platform.url, name="fragile") as reader:
            reader.subscribe("*")
            source.produce_many("number", range(5))
            wait_until(lambda: bool(reader.consume(0.5, most=2)), "messages")
            raise KeyError("the program's own mistake")

    with pytest.raises(KeyError):
        fail()
    source.produce("number", 5)
    got: list[float] = []
    with Client(platform.url, name="fragile") as reader:
        reader.subscribe("*")
        wait_until(lambda: got.extend(m.result for m in reader.consume(0.5)) or len(got) >= 6)
    assert got == [0, 1, 2, 3, 4, 5]


def test_records_that_may_not_be_sent_are_kept_aside_with_the_reason(
    platform: Platform,
) -> None:
    refused: list[tuple[str, bytes, str]] = []
    device = Client(platform.url, on_refused=lambda *one: refused.append(one))
    device.register(Quantity("x", "Refused"))
    device._outbox.add([b"\0\x05$SYS/" + json.dumps({"result": 1}).encode()], 0)
    device.produce("x", 1)
    assert device.flush(30)
    assert [(topic, why.partition(" (")[0]) for topic, _, why in refused] == [
        ("$SYS/", "not allowed")
    ]
    assert device.refused() == [("$SYS/", b'{"result": 1}')]
    assert device.status().refused == 1
    platform.wait_for("Refused.x", [1.0])
    assert device.retry_refused() == 1
    assert device.flush(30)
    assert device.status().refused == 1
    assert len(refused) == 2
    device.close()


@pytest.mark.parametrize("all_of_them", [True, False])
def test_who_was_away_for_more_than_the_queue_holds_gets_each_observation_once(
    platform: Platform, tmp_path: Path, connect: Connect, *, all_of_them: bool
) -> None:
    thing = f"Away{all_of_them}"
    sender = connect(platform.url)
    sender.register(Quantity("number", thing, observation_type="Count"))
    names = "*" if all_of_them else [f"{thing}.number"]
    buffer = tmp_path / "buffer"
    got: list[int] = []

    def take(client: Client) -> bool:
        got.extend(m.result for m in client.consume(0.5, 1000) if m.thing == thing)
        return bool(got)

    with connect(platform.url, name=f"away-{thing}", buffer=buffer) as reader:
        reader.subscribe(names)
        sender.produce_many("number", range(100))
        wait_until(lambda: take(reader) and len(got) >= 100, "the first ones")
    sender.produce_many("number", range(100, 30_000))
    # Late, and of a Datastream that is new.
    sender.produce_many("number", range(30_000, 30_050), range(1_500_000_000, 1_500_000_050))
    if all_of_them:
        sender.register(Quantity("new", thing, observation_type="Count"))
        sender.produce_many("new", range(30_050, 30_100))
    else:
        sender.produce_many("number", range(30_050, 30_100))
    assert sender.flush(PATIENCE_S)
    assert reader.status().gaps == 0
    with connect(platform.url, name=f"away-{thing}", buffer=buffer) as reader:
        reader.subscribe(names)
        sender.produce_many("number", range(30_100, 30_200))
        wait_until(lambda: take(reader) and len(got) >= 30_200, "what was missed")
        # Nothing comes twice, from the queue or from the log.
        sender.produce("number", 30_200)
        wait_until(lambda: take(reader) and 30_200 in got, "what is new")
    assert sorted(got) == list(range(30_201))


def test_records_without_a_time_are_consumed_once_through_reconnections(
    platform: Platform, tmp_path: Path, connect: Connect
) -> None:
    sender = paho.Client(CallbackAPIVersion.VERSION2)
    sender.connect("127.0.0.1", platform.mqtt_port)
    sender.loop_start()
    topic = f"{connect(platform.url).system}.int"

    def send(numbers: range) -> None:
        sent = [
            sender.publish(topic, json.dumps({"result": f"untimed {n}"}), qos=n % 2)
            for n in numbers
        ]
        for one in sent:
            one.wait_for_publish(PATIENCE_S)

    got: list[str] = []

    def take(reader: Client) -> int:
        results = [message.result for message in reader.consume(0.2, 50)]
        got.extend(one for one in results if isinstance(one, str) and one.startswith("untimed"))
        return len(got)

    for turn in range(3):
        here, away = range(40 * turn, 40 * turn + 20), range(40 * turn + 20, 40 * turn + 40)
        with connect(platform.url, name="untimed", buffer=tmp_path / "buffer") as reader:
            reader.subscribe("*")
            send(here)
            wait_until(lambda: take(reader) >= here.stop, f"those of turn {turn}")  # noqa: B023
            # Looking again brings nothing twice.
            reader._consumer._arrivals.begin()
            take(reader)
        send(away)
    with connect(platform.url, name="untimed", buffer=tmp_path / "buffer") as reader:
        reader.subscribe("*")
        wait_until(lambda: take(reader) >= 120, "the last ones")
        take(reader)
    sender.disconnect()
    sender.loop_stop()
    assert sorted(got) == sorted(f"untimed {n}" for n in range(120))


def test_what_the_log_does_not_hold_any_more_is_read_from_the_store(
    platform: Platform, tmp_path: Path, connect: Connect
) -> None:
    sender = connect(platform.url)
    sender.register(Quantity("number", "Beyond", observation_type="Count"))
    settings = {"name": "beyond", "buffer": tmp_path / "buffer"}
    got: list[int] = []

    def take(reader: Client, count: int) -> bool:
        got.extend(m.result for m in reader.consume(0.5, 1000) if m.thing == "Beyond")
        return len(got) >= count

    with connect(platform.url, **settings) as reader:
        reader.subscribe("*")
        sender.produce_many("number", range(10))
        wait_until(lambda: take(reader, 10), "the first ones")
    sender.produce_many("number", range(10, 20_000))
    assert sender.flush(PATIENCE_S)
    places = tmp_path / "buffer" / "inbox" / "places.json"
    known = json.loads(places.read_text())
    assert known["position"] > 0
    # As if the log had begun anew: it does not hold what was missed.
    places.write_text(json.dumps({**known, "position": 10**12}))
    with connect(platform.url, **settings) as reader:
        reader.subscribe("*")
        wait_until(lambda: take(reader, 20_000), "what was missed")
        wait_until(lambda: take(reader, 0) and reader._consumer._arrivals.is_known, "the log")
        sender.produce("number", 20_000)
        wait_until(lambda: take(reader, 20_001), "what is new")
    assert sorted(got) == list(range(20_001))


def test_a_consumer_killed_while_it_catches_up_misses_nothing(
    platform: Platform, tmp_path: Path, connect: Connect
) -> None:
    sender = connect(platform.url)
    sender.register(Quantity("number", "Late", observation_type="Count"))
    settings = {"name": "late", "buffer": tmp_path / "buffer"}
    got: list[int] = []
    with connect(platform.url, **settings) as reader:
        reader.subscribe(["Late.number"])
        sender.produce("number", 0)
        wait_until(lambda: bool(got.extend(m.result for m in reader.consume(0.5)) or got))
    sender.produce_many("number", range(1, 14_000))
    assert sender.flush(PATIENCE_S)

    def some(most: int) -> list[int]:
        return [message.result for message in reader.consume(0.5, most)]

    for _ in range(6):
        # What was handed out last is not dealt with when the program breaks, and comes again.
        with contextlib.suppress(KeyError), connect(platform.url, **settings) as reader:
            reader.subscribe(["Late.number"])
            for _ in range(3):
                handed_out = some(700)
                reader.acknowledge()
                got += handed_out
            some(50)
            raise KeyError
    with connect(platform.url, **settings) as reader:
        reader.subscribe(["Late.number"])
        wait_until(lambda: bool(got.extend(some(1000))) or len(got) >= 14_000, "the rest")
        wait_until(lambda: not (got.extend(some(1000)) or reader._consumer._missed.is_active))
    assert sorted(got) == list(range(14_000))
