"""Bulk import: a recording as Arrow streams, sent to a running platform."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from penstock.core.errors import Backpressure, InvalidInput, NotConnected
from penstock.core.imports import IMPORTS
from penstock.simulators.record_files import BadRow
from penstock.simulators.recordings import Block, Recording

if TYPE_CHECKING:
    import httpx

#: Observations in one request; about a megabyte.
ROWS_PER_REQUEST = 100_000
#: Bad rows that are kept to be shown; the others are counted.
SHOWN_BAD_ROWS = 20
#: Seconds that a request may take.
TIMEOUT_S = 120.0
#: Seconds that one question whether all is stored may take.
WAIT_S = 10.0
#: How often a request is tried while the platform is busy or away, with growing pauses.
ATTEMPTS = 8

_TEXT = pa.dictionary(pa.int32(), pa.string())
#: What a request holds; the codec `arrow` reads it.
SCHEMA = pa.schema(
    [
        pa.field("thing", _TEXT, nullable=False),
        pa.field("name", _TEXT, nullable=False),
        pa.field("time", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("number", pa.float64()),
        pa.field("text", pa.string()),
        pa.field("unit", _TEXT),
        pa.field("observation_type", _TEXT),
    ]
)


@dataclass(slots=True)
class Imported:
    """How far an import is, and at the end what it did.

    Attributes:
        observations: Values found.
        sent: Values that the platform has on disk.
        bad_rows: Rows left out, wholly or in part.
        shown: The first of them.
        things: Names of Things seen.
        first_us: Earliest time, microseconds UTC; None when there is none.
        last_us: Latest time.
        stored: All that was sent can be queried.
        refused: Why the platform could not store a part of it.
    """

    observations: int = 0
    sent: int = 0
    bad_rows: int = 0
    shown: list[BadRow] = field(default_factory=list)
    things: set[str] = field(default_factory=set)
    first_us: int | None = None
    last_us: int | None = None
    stored: bool = False
    refused: list[str] = field(default_factory=list)

    def note(self, block: Block) -> None:
        """Add what a block says about the recording."""
        self.bad_rows += len(block.bad)
        self.shown += block.bad[: SHOWN_BAD_ROWS - len(self.shown)]
        if len(block.time_us):
            first, last = int(block.time_us.min()), int(block.time_us.max())
            self.first_us = first if self.first_us is None else min(first, self.first_us)
            self.last_us = last if self.last_us is None else max(last, self.last_us)
            self.things.update(block.things.unique().to_pylist())


def tables(recording: Recording, imported: Imported) -> Iterator[pa.Table]:
    """Yield the observations of a recording in `SCHEMA`, as many as fit one request."""
    waiting: list[pa.Table] = []
    rows = 0
    for block in recording.blocks():
        imported.note(block)
        table = observations(block)
        imported.observations += len(table)
        waiting.append(table)
        rows += len(table)
        while rows >= ROWS_PER_REQUEST:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, ROWS_PER_REQUEST)
            waiting = [whole.slice(ROWS_PER_REQUEST)]
            rows -= ROWS_PER_REQUEST
    if rows:
        yield pa.concat_tables(waiting)


def observations(block: Block) -> pa.Table:
    """Return one row for each value of a block, in `SCHEMA`."""
    times = pa.array(block.time_us).cast(pa.timestamp("us", "UTC"))
    parts = []
    for value, cells in block.values:
        given = cells.is_valid()
        count = int(np.count_nonzero(given.to_numpy(False)))
        if not count:
            continue
        kept = cells.filter(given)
        is_text = value.kind == "text"
        columns = {
            "thing": block.things.filter(given),
            "name": _repeat(value.name, count)
            if block.names is None
            else block.names.filter(given),
            "time": times.filter(given),
            "number": pa.nulls(count, pa.float64()) if is_text else kept,
            "text": kept if is_text else pa.nulls(count, pa.string()),
            "unit": _repeat(value.unit or None, count),
            "observation_type": _repeat("Truth" if value.kind == "truth" else None, count),
        }
        arrays = [_as(columns[column.name], column.type) for column in SCHEMA]
        parts.append(pa.Table.from_arrays(arrays, schema=SCHEMA))
    return pa.concat_tables(parts) if parts else SCHEMA.empty_table()


def payload(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream, packed."""
    sink = pa.BufferOutputStream()
    table = table.combine_chunks().unify_dictionaries()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
        stream.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


class Importer:
    """Sends recordings to a running platform.

    Sending twice is harmless, so an import that broke off is done again.

    Args:
        url: Of the platform, such as `http://127.0.0.1:8080`.
        http: Makes requests; None makes them with httpx.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        url: str,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import httpx

        if not url.startswith(("http://", "https://")):
            msg = f"address {url!r} is not a URL; an example is http://127.0.0.1:8080"
            raise InvalidInput(msg)
        self._url = url.rstrip("/")
        self._http = http or httpx.Client(timeout=TIMEOUT_S)
        self._sleep = sleep

    def send(
        self,
        recording: Recording,
        topic: str,
        imported: Imported,
        watch: Callable[[Imported], None] = lambda _: None,
    ) -> Imported:
        """Send a recording and wait until it can be queried; `imported` shows how far it is.

        Raises:
            InvalidInput: The platform refuses it.
            NotConnected: The platform cannot be reached; do it again.
            Backpressure: The platform stays too busy; do it again.
        """
        first = last = None
        for table in tables(recording, imported):
            last = self._post(topic, payload(table))
            first = last if first is None else first
            imported.sent += len(table)
            watch(imported)
        while last is not None and not imported.stored:
            question = {"offset": last, "timeout_s": WAIT_S}
            answer = self._request("GET", "ingested", params=question)
            imported.stored = bool(answer["ingested"])
            watch(imported)
        if first is not None and last is not None:
            imported.refused = self._refused(topic, first, last)
        return imported

    def _post(self, topic: str, data: bytes) -> int:
        kind = {"Content-Type": "application/vnd.apache.arrow.stream"}
        answer = self._request("POST", f"messages/{topic}", content=data, headers=kind)
        return int(answer["offset"])

    def _refused(self, topic: str, first: int, last: int) -> list[str]:
        """Return why messages of this import wait in the dead letters."""
        reasons: list[str] = []
        after = 0
        while True:
            page = {"after": after, "limit": 1000}
            letters = self._request("GET", "dead-letters", params=page)["items"]
            reasons += [
                letter["reason"]
                for letter in letters
                if letter["topic"] == topic and first - 1 <= letter["offset"] < last
            ]
            if len(letters) < 1000:
                return reasons
            after = letters[-1]["id"]

    def _request(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        import httpx

        pause_s = 0.25
        for attempt in range(ATTEMPTS):
            last_try = attempt == ATTEMPTS - 1
            try:
                answer = self._http.request(method, f"{self._url}/api/v1/{path}", **options)
            except httpx.TransportError as error:
                if last_try or (attempt == 0 and isinstance(error, httpx.ConnectError)):
                    msg = (
                        f"Penstock at {self._url} cannot be reached: {error}; is it running there?"
                    )
                    raise NotConnected(msg) from error
            else:
                if answer.status_code < 400:
                    return dict(answer.json())
                if answer.status_code not in {429, 502, 503, 504, 507}:
                    raise InvalidInput(f"Penstock refuses: {_problem(answer)}")
                if last_try:
                    raise Backpressure(f"Penstock is too busy: {_problem(answer)}; try again later")
                pause_s = max(pause_s, _retry_after_s(answer))
            self._sleep(pause_s)
            pause_s = min(2 * pause_s, 10.0)
        raise AssertionError  # the last attempt returned or raised


def _problem(answer: httpx.Response) -> str:
    try:
        body = msgspec.json.decode(answer.content)
        return str(body["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"HTTP {answer.status_code} {answer.text[:200]}"


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), 30.0) if text.isdigit() else 0.0


def _repeat(text: str | None, count: int) -> pa.Array:
    indices = pa.repeat(pa.scalar(0 if text is not None else None, pa.int32()), count)
    return pa.DictionaryArray.from_arrays(indices, pa.array([text or ""], pa.string()))


def _as(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(column.type):
        return column.dictionary_encode()
    return column


def topic_of(name: str) -> str:
    """Return the topic to which a recording of this name goes."""
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    return f"{IMPORTS}{plain or 'recording'}"


def shown(bad: Sequence[BadRow]) -> str:
    """Return bad rows as lines for a person."""
    return "\n".join(f"  line {row.line}: {row.reason}" for row in bad)
