"""The SensorThings API over 1,000 Things, 10,000 Datastreams and 100 M Observations.

Builds them in bulk, starts a platform on the folder, asks the questions of issue 4 one at a time,
then many at once, then writes: single observations and data arrays, each answered when it is on
disk and can be read.

Run: `python -m benchmarks.sensorthings [observations]`
"""

from __future__ import annotations

import json
import math
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np

from penstock.catalog.settings import CatalogSettings
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.catalog import Policy
from penstock.core.clock import SystemClock
from penstock.core.errors import Backpressure
from penstock.core.observation import observations
from penstock.core.series import Series
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings

THINGS = 1000
STREAMS = 10
SERIES = THINGS * STREAMS
BATCH = 100_000
MINUTE_US = 60_000_000
START_US = 1_764_547_200_000_000  # 2025-12-01
TIMES = 30
CLIENTS = 8
SECONDS = 15.0
#: Datastreams that observations are posted to again and again.
SEEN = 200
TICK_S = os.sysconf("SC_CLK_TCK")


def iso(time_us: int) -> str:
    """Return a time as it stands in a query."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def build(folder: Path, rows: int) -> dict[str, float]:
    """Fill a data folder; observations are a minute apart."""
    began = time.perf_counter()
    catalog = SqlCatalog.open(folder / "catalog.sqlite", CatalogSettings())
    names = [(f"thing-{n // STREAMS:04}", f"stream-{n % STREAMS}") for n in range(SERIES)]
    for at in range(0, SERIES, 1000):
        some = [Series(thing=thing, name=name) for thing, name in names[at : at + 1000]]
        answers = catalog.enrol(some, Policy.AUTOMATIC, START_US)
    assert answers[-1].datastream == SERIES
    catalog.close()
    enrolled = time.perf_counter()
    store = LakeStore.open(folder / "store", LakeSettings(), SystemClock())
    fill(store, rows // SERIES)
    store.compact()
    store.close()
    return {
        "catalog_s": round(enrolled - began, 1),
        "store_s": round(time.perf_counter() - enrolled, 1),
    }


def walk() -> np.ndarray:
    """Return the results that all datastreams have, each from another place on."""
    rng = np.random.default_rng(1)
    return np.asarray(np.round(20 + np.cumsum(rng.normal(0, 0.05, 200_000)), 2))


def fill(store: LakeStore, steps: int) -> None:
    """Append a walk of each datastream, in order of time."""
    wave = walk()
    ids = np.arange(1, SERIES + 1)
    per_batch = BATCH // SERIES
    for at in range(0, steps, per_batch):
        count = min(per_batch, steps - at)
        step = (at + np.arange(count)).repeat(SERIES)
        series = np.tile(ids, count)
        batch = observations(
            series, START_US + step * MINUTE_US, wave[(step + series * 7) % len(wave)]
        )
        while True:
            try:
                store.append(batch)
                break
            except Backpressure as error:
                time.sleep(error.retry_after_s)


class Client:
    """One connection that stays, and little work of its own."""

    def __init__(self, host: str, port: int) -> None:
        self.host = f"{host}:{port}"
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._held = b""

    def get(self, path: str) -> bytes:
        """Return the body of an answer that must be 200."""
        return self._ask(f"GET /v1.1/{path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode(), 200)

    def post(self, path: str, body: bytes) -> bytes:
        """Return the body of an answer that must be 201."""
        head = (
            f"POST /v1.1/{path} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return self._ask(head.encode() + body, 201)

    def _ask(self, request: bytes, status: int) -> bytes:
        self._socket.sendall(request)
        head = self._until(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            body = b""
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._exactly(2)
        else:
            found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            body = self._exactly(int(found[1]) if found else 0)
        if not head.startswith(f"HTTP/1.1 {status}".encode()):
            raise RuntimeError(f"{request[:200]!r}: {head[:60]!r} {body[:300]!r}")
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            self._more()
        found, _, self._held = self._held.partition(mark)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            self._more()
        found, self._held = self._held[:size], self._held[size:]
        return found

    def _more(self) -> None:
        data = self._socket.recv(1 << 20)
        if not data:
            raise RuntimeError("the server closed the connection")
        self._held += data


class Platform:
    """A platform that runs on a folder."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "penstock.cli.main", "up", "--data-dir", str(folder)]
        self.process = subprocess.Popen(
            [*command, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"ready: http://([^:]+):(\d+)", line)
        if found is None:
            self.process.kill()
            raise RuntimeError(f"not ready: {line!r}")
        self.address = (found[1], int(found[2]))

    def client(self) -> Client:
        """Return a new connection."""
        return Client(*self.address)

    def cpu_s(self) -> float:
        """Return processor time of all its processes so far."""
        total = 0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                fields = (process / "stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, IndexError):
                continue
            if int(fields[1]) == self.process.pid:
                total += int(fields[11]) + int(fields[12])
        return total / TICK_S


@contextmanager
def running(folder: Path) -> Iterator[Platform]:
    """Start a platform, and end it."""
    platform = Platform(folder)
    try:
        yield platform
    finally:
        platform.process.terminate()
        platform.process.wait(60)


def queries(steps: int) -> dict[str, Callable[[int], str]]:
    """Return the questions by name; the number makes each one a little different."""
    middle, high = np.quantile(walk()[: 7 * SERIES + steps], (0.5, 0.995)).round(2)

    def day(number: int) -> str:
        stream = 1 + number * 397 % SERIES
        start = START_US + (number % max(steps // 1440, 1)) * 1440 * MINUTE_US
        where = (
            f"phenomenonTime ge {iso(start)} and phenomenonTime lt {iso(start + 1440 * MINUTE_US)}"
        )
        return f"Datastreams({stream})/Observations?$top=1000&$filter={quote(where)}"

    def result_of_a_thing(number: int) -> str:
        where = f"Datastream/Thing/id eq {1 + number * 37 % THINGS} and result gt {middle}"
        return f"Observations?$filter={quote(where)}"

    newest = "$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime%20desc))"
    return {
        "count_of_all_observations": lambda _: "Observations?$count=true",
        "latest_of_every_thing_first_page": lambda _: f"Things?{newest}",
        "latest_of_every_thing_all_1000": lambda _: f"Things?$top=1000&{newest}",
        "a_day_of_a_datastream": day,
        "a_day_of_a_datastream_data_array": lambda n: day(n) + "&$resultFormat=dataArray",
        "result_filter_over_a_thing": result_of_a_thing,
        "things_with_a_result": lambda n: (
            f"Things?$filter={quote(f'Datastreams/Observations/result gt {high + n / 100:.2f}')}"
        ),
        "a_deep_page_of_a_datastream": lambda n: (
            f"Datastreams({1 + n * 31})/Observations?$skip={steps - 200}"
        ),
        "a_deep_page_of_all": lambda n: f"Observations?$skip={SERIES * steps // 2 + n}",
        "newest_of_all": lambda _: "Observations?$orderby=phenomenonTime%20desc",
        "a_thing_by_id": lambda n: f"Things({1 + n})?$expand=Datastreams",
        "things_by_name": lambda n: f"Things?$filter=name%20eq%20'thing-{n:04}'",
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that a share of values does not exceed."""
    return sorted(values)[min(math.ceil(share * len(values)) - 1, len(values) - 1)]


def ask_each(platform: Platform, steps: int) -> dict[str, object]:
    """Ask each question 30 times, after one to warm up."""
    client = platform.client()
    result: dict[str, object] = {}
    for name, question in queries(steps).items():
        try:
            size = len(client.get(question(0)))
        except RuntimeError as error:
            result[name] = {"error": str(error)[:300]}
            client = platform.client()
            continue
        found = []
        cpu_s = platform.cpu_s()
        for number in range(1, TIMES + 1):
            began = time.perf_counter()
            client.get(question(number))
            found.append((time.perf_counter() - began) * 1e3)
        result[name] = {
            "p50_ms": round(statistics.median(found), 1),
            "p99_ms": round(percentile(found, 0.99), 1),
            "cpu_ms": round((platform.cpu_s() - cpu_s) / TIMES * 1e3, 1),
            "bytes": size,
        }
        print(name, json.dumps(result[name]), flush=True)
    return result


def many(platform: Platform, ask: Callable[[Client, int], int], seconds: float) -> dict[str, float]:
    """Let clients ask as fast as they are answered; `ask` returns what it did."""
    times: list[list[float]] = [[] for _ in range(CLIENTS)]
    done = [0] * CLIENTS
    problems: list[BaseException] = []
    end = time.perf_counter() + seconds

    def go(client_number: int) -> None:
        try:
            client = platform.client()
            number = client_number
            while (began := time.perf_counter()) < end:
                done[client_number] += ask(client, number)
                times[client_number].append((time.perf_counter() - began) * 1e3)
                number += CLIENTS
        except BaseException as error:
            problems.append(error)

    cpu_s = platform.cpu_s()
    threads = [threading.Thread(target=go, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    found = [one for some in times for one in some]
    return {
        "clients": CLIENTS,
        "requests_per_s": round(len(found) / seconds, 1),
        "done_per_s": round(sum(done) / seconds, 1),
        "p50_ms": round(statistics.median(found), 1),
        "p99_ms": round(percentile(found, 0.99), 1),
        "cpu_ms_per_request": round((platform.cpu_s() - cpu_s) / len(found) * 1e3, 2),
    }


def reads(platform: Platform, steps: int) -> dict[str, float]:
    """A mix of what pages and programs ask."""
    all_of = queries(steps)
    names = ("a_thing_by_id", "things_by_name", "a_day_of_a_datastream", "newest_of_all")
    mixed = [all_of[name] for name in names]
    mixed.append(
        lambda n: (
            f"Datastreams({1 + n % SERIES})/Observations?$top=1&$orderby=phenomenonTime%20desc"
        )
    )
    mixed.append(
        lambda n: f"Datastreams?$top=20&$skip={n % 900 * 10}&$expand=Thing,ObservedProperty"
    )

    def ask(client: Client, number: int) -> int:
        client.get(mixed[number % len(mixed)](number % THINGS))
        return 1

    return many(platform, ask, SECONDS)


def singles(platform: Platform) -> dict[str, dict[str, float]]:
    """POST one observation at a time; with a feature, since these Things have no Location.

    The first one of a datastream at a feature makes its `observedArea` hold that, which is a
    transaction of the catalog: first all are the first of their datastream, then none is.
    """
    feature = {
        "name": "air",
        "description": "air",
        "encodingType": "application/geo+json",
        "feature": {"type": "Point", "coordinates": [8, 49]},
    }
    client = platform.client()
    client.post("FeaturesOfInterest", json.dumps(feature).encode())
    page = json.loads(client.get("FeaturesOfInterest?$orderby=id%20desc&$top=1"))
    place = page["value"][0]["@iot.id"]

    def post(client: Client, number: int, streams: int) -> int:
        body = {
            "phenomenonTime": iso(START_US - number * 1_000_000),
            "result": 21.5,
            "FeatureOfInterest": {"@iot.id": place},
        }
        client.post(f"Datastreams({1 + number % streams})/Observations", json.dumps(body).encode())
        return 1

    for number in range(SEEN):
        post(client, number, SEEN)
    return {
        "first_of_their_datastream": many(
            platform, lambda client, number: post(client, SEEN + number, SERIES), SECONDS
        ),
        "of_datastreams_seen": many(
            platform, lambda client, number: post(client, SERIES + number, SEEN), SECONDS
        ),
    }


def arrays(platform: Platform, rows: int = 1000) -> dict[str, float]:
    """POST data arrays, each of one datastream."""
    page = json.loads(platform.client().get("FeaturesOfInterest?$top=1"))
    place = page["value"][0]["@iot.id"]

    def ask(client: Client, number: int) -> int:
        start = START_US - (100_000 + number * rows) * 1_000_000
        array = {
            "Datastream": {"@iot.id": 1 + number % SERIES},
            "components": ["phenomenonTime", "result", "FeatureOfInterest/id"],
            "dataArray": [[iso(start + n * 1_000_000), n / 8, place] for n in range(rows)],
        }
        answer = client.post("CreateObservations", json.dumps([array]).encode())
        assert b"error" not in answer[:200]
        return rows

    return many(platform, ask, SECONDS)


def run(rows: int = 100_000_000) -> dict[str, object]:
    """Measure."""
    steps = rows // SERIES
    result: dict[str, object] = {
        "things": THINGS,
        "datastreams": SERIES,
        "observations": SERIES * steps,
    }
    with tempfile.TemporaryDirectory(prefix="penstock-sensorthings-") as name:
        folder = Path(name)
        result["building"] = build(folder, rows)
        with running(folder) as platform:
            result["one_at_a_time"] = ask_each(platform, steps)
            result["mixed_reads"] = reads(platform, steps)
            result["post_single"] = singles(platform)
            result["post_data_arrays"] = arrays(platform)
    return result


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])), indent=1))
