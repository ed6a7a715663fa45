"""A small platform around ingest: real log and catalog, a store and codecs that tests can steer."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hypothesis
import msgspec
import numpy as np
import pyarrow as pa
import pytest

from penstock.catalog import SqlCatalog
from penstock.core.clock import SystemClock
from penstock.core.codec import Failure, Messages, Readings
from penstock.core.listening import Listener
from penstock.core.observation import SCHEMA
from penstock.core.publish import encode_publish
from penstock.core.series import Series
from penstock.core.store import Marks
from penstock.ingest import Ingest, IngestSettings
from penstock.log import SegmentLog

# No assertion on wall-clock time: a busy machine may take long.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")


class PairsCodec:
    """Reads `name=value@time` pairs, separated by spaces; the thing is the topic."""

    name = "pairs"

    def decode(self, messages: Messages) -> Readings:
        keys: dict[tuple[str, str], int] = {}
        series, times, numbers, message, failures = [], [], [], [], []
        for at, payload in enumerate(messages.payloads):
            if payload == b"bomb":
                raise RuntimeError("a bomb went off\nsecond line")
            found = [re.fullmatch(r"(\w+)=(-?\d+)@(-?\d+)", p) for p in payload.decode().split()]
            if not all(found):
                failures.append(Failure(at, f"payload {payload!r} is not made of pairs"))
                continue
            for match in found:
                key = (messages.topics[at], match[1])
                series.append(keys.setdefault(key, len(keys)))
                numbers.append(float(match[2]))
                times.append(int(match[3]))
                message.append(at)
        return Readings(
            keys=list(keys),
            series=np.array(series, np.int32),
            time_us=np.array(times, np.int64),
            number=np.array(numbers, np.float64),
            message=np.array(message, np.int32),
            failures=failures,
        )

    def describe(self, key: tuple[str, str]) -> Series:
        return Series(thing=key[0].replace("/", "."), name=key[1])


class NumberCodec(PairsCodec):
    """Reads a lone number at the time of arrival."""

    name = "lone"

    def decode(self, messages: Messages) -> Readings:
        good = [i for i, p in enumerate(messages.payloads) if p.isdigit()]
        keys = list(dict.fromkeys((messages.topics[i], "value") for i in good))
        return Readings(
            keys=keys,
            series=np.array([keys.index((messages.topics[i], "value")) for i in good], np.int32),
            time_us=messages.arrived_us[good],
            number=np.array([float(messages.payloads[i]) for i in good]),
            message=np.array(good, np.int32),
            failures=[
                Failure(i, "not a number")
                for i, p in enumerate(messages.payloads)
                if not p.isdigit()
            ],
        )


CODECS = {"pairs": PairsCodec, "lone": NumberCodec}


class ScriptedStore:
    """Keeps rows in a dict; `errors` are raised in turn; durable only after `flush`."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int, int], tuple[object, ...]] = {}
        self.durable: dict[tuple[int, int, int], tuple[object, ...]] = {}
        self.errors: list[Exception] = []
        self.always: Callable[[pa.RecordBatch], Exception | None] = lambda batch: None
        self.batches: list[pa.RecordBatch] = []
        self._pending: dict[str, int] = {}
        self._marks: dict[str, int] = {}
        self._lock = threading.Lock()

    def append(self, batch: pa.RecordBatch, marks: Marks | None = None) -> int:
        assert batch.schema == SCHEMA
        if self.errors:
            raise self.errors.pop(0)
        error = self.always(batch)
        if error is not None:
            raise error
        with self._lock:
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                self.rows[row[0], row[1], row[4]] = row
        if batch.num_rows:
            self.batches.append(batch)
        self._pending.update(marks or {})
        return batch.num_rows

    def flush(self) -> Marks:
        self.durable = dict(self.rows)
        self._marks = dict(self._pending)
        return self.marks

    @property
    def marks(self) -> Marks:
        return dict(self._marks)

    def crash(self) -> None:
        """Forget what was not flushed."""
        self.rows = dict(self.durable)
        self._pending = dict(self._marks)

    def close(self) -> None:
        self.flush()


class Plant:
    """One data directory with ingest on top of it, to be opened and closed at will."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = SystemClock()
        self.store = ScriptedStore()
        self.settings = IngestSettings()
        self.codecs: dict[str, Callable[[], object]] = dict(CODECS)
        self.listener: Listener | None = None
        self.log: SegmentLog | None = None
        self.ingest: Ingest | None = None

    def open(self, *routes: tuple[str, *tuple[str, ...]], **settings: object) -> Ingest:
        self.log = SegmentLog(self.path / "log")
        self.writer = self.log.writer("door")
        self.catalog = SqlCatalog.open(self.path / "catalog.sqlite")
        self.settings = msgspec.convert(
            {
                "routes": [{"topic": r[0], "codecs": r[1:]} for r in routes or [("#", "pairs")]],
                "default_routes": False,
                "poll_interval_s": 0.001,
                "idle_interval_s": 0.001,
                "max_retry_s": 0.05,
                "refusal_ttl_s": 0.0,
                **settings,
            },
            IngestSettings,
        )
        self.ingest = Ingest(
            self.log, self.catalog, self.store, lambda name: self.codecs[name](),
            self.settings, self.clock, ends=self.log.ends, listener=self.listener,
        )  # fmt: skip
        self.ingest.start()
        return self.ingest

    def send(self, *messages: tuple[str, bytes | str], arrived_us: int | None = None) -> int:
        """Write messages as one block and return the offset behind them."""
        packets = [encode_publish(t, p.encode() if isinstance(p, str) else p) for t, p in messages]
        ends = np.cumsum([len(p) for p in packets]).astype("<u4").tobytes()
        now_us = self.clock.now_us() if arrived_us is None else arrived_us
        self.writer.append("test-client", 4, now_us, b"".join(packets), ends)
        return self.writer.sync()

    def ingested(self, *messages: tuple[str, bytes | str]) -> None:
        """Send messages and wait until they are stored or dead."""
        end = self.send(*messages)
        assert self.ingest.wait("door", end, 20)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Let ingest turn until the condition holds."""
        pause = threading.Event()
        for _ in range(3000):
            if condition():
                return
            pause.wait(0.01)
        pytest.fail("it never happened")

    def values(self) -> dict[str, list[tuple[int, float]]]:
        """Return what is stored: full datastream name to (time, number), ascending."""
        names = {d.id: d.name for d in self.catalog.datastreams(limit=100_000)}
        found: dict[str, list[tuple[int, float]]] = {}
        for row in self.store.rows.values():
            micros = round(row[1].timestamp() * 1e6)
            found.setdefault(names[row[0]], []).append((micros, row[2]))
        return {name: sorted(rows) for name, rows in found.items()}

    def dead(self) -> Sequence[tuple[str, bytes]]:
        return [(letter.topic, letter.payload) for letter in self.ingest.dead_letters()]

    def close(self) -> None:
        if self.ingest is not None:
            self.ingest.close()
            self.catalog.close()
            self.log.close()
            self.ingest = None


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def codecs() -> dict[str, Callable[[], object]]:
    return dict(CODECS)


@pytest.fixture(scope="session")
def make_store() -> type[ScriptedStore]:
    return ScriptedStore
