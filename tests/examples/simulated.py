"""What the simulators send, as the rows that a stream query reads: decoded by the codecs."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penstock.codecs import make
from penstock.core.codec import Messages
from penstock.simulators.message import Simulator
from penstock.sql.plan import INPUT_COLUMNS, TABLES

#: 2026-03-01T06:00Z, in microseconds.
START = 1_772_344_800_000_000

_ARROW = {
    "TIMESTAMP": pa.timestamp("us"),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
}


@dataclass(frozen=True)
class Recording:
    """Observations, as `INPUT_COLUMNS`, and the tables of the catalog that belong to them."""

    rows: pa.Table
    tables: dict[str, pa.Table]


def recorded(
    simulator: Simulator, codec: str, seconds: float, *, start_us: int = START, topics: str = ""
) -> Recording:
    """Return what a simulator's devices observe, without what comes twice.

    Args:
        simulator: Who sends.
        codec: Name of the codec that reads it.
        seconds: How long it sends.
        start_us: When it begins.
        topics: What the topics of the messages that count end with.
    """
    end_us = start_us + round(seconds * 1_000_000)
    sent = itertools.takewhile(
        lambda message: message.time_us < end_us,
        itertools.chain.from_iterable(simulator.messages(start_us)),
    )
    messages = [message for message in sent if message.topic.endswith(topics)]
    decoder = make(codec)
    fields = [_fields(message.topic) for message in messages]
    readings = decoder.decode(
        Messages(
            [message.topic for message in messages],
            [message.payload for message in messages],
            np.array([message.time_us for message in messages]),
            fields,
        )
    )
    assert not readings.failures, readings.failures[:3]
    series = [decoder.describe(key) for key in readings.keys]
    at = pa.array(readings.series)
    count = len(readings.time_us)

    def of_series(values: list[object], kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind).take(at)

    def or_nothing(column: pa.Array | None, kind: pa.DataType) -> pa.Array:
        return pa.nulls(count, kind) if column is None else column.cast(kind)

    text, number, nothing = pa.string(), pa.int64(), pa.nulls(count, pa.string())
    places = [one.location or (None, None) for one in series]
    columns = {
        "time": pa.array(readings.time_us).cast(pa.timestamp("us")),
        "end_time": or_nothing(readings.end_time_us, number).cast(pa.timestamp("us")),
        "result_time": or_nothing(readings.result_time_us, number).cast(pa.timestamp("us")),
        "result": pa.array(readings.number, mask=np.isnan(readings.number)),
        "text": or_nothing(readings.text, text),
        "datastream": of_series(list(range(1, len(series) + 1)), number),
        "feature": pa.array(np.zeros(count, np.int64))
        if readings.feature is None
        else pa.array(readings.feature),
        "parameters": or_nothing(readings.parameters, text),
        "name": of_series([f"{one.thing}.{one.name}" for one in series], text),
        "thing": of_series([one.thing for one in series], text),
        "system": of_series(["main"] * len(series), text),
        "property": of_series([one.observed_property or one.name for one in series], text),
        "unit": of_series([one.unit.symbol or None for one in series], text),
        "sensor": of_series([one.sensor or None for one in series], text),
        "longitude": of_series([place[0] for place in places], pa.float64()),
        "latitude": of_series([place[1] for place in places], pa.float64()),
        "app": nothing.fill_null(""),
        "column": nothing.fill_null(""),
    }
    assert {name: _ARROW[kind] for name, kind in INPUT_COLUMNS.items()} == {
        name: column.type for name, column in columns.items()
    }
    table = pa.table(columns)
    # Who sends the same time again replaces it.
    identity = (table[c].cast(number).to_pylist() for c in ("datastream", "time", "feature"))
    last = {key: row for row, key in enumerate(zip(*identity, strict=True))}
    found = {one.thing: one for one in series}
    things = {
        "id": list(range(1, len(found) + 1)),
        "name": list(found),
        "system": ["main"] * len(found),
        "properties": [json.dumps(dict(one.thing_properties)) for one in found.values()],
        "longitude": [None] * len(found),
        "latitude": [None] * len(found),
    }
    return Recording(
        table.take(pa.array(sorted(last.values()), number)),
        {
            "things": pa.table(
                {
                    name: pa.array(things[name], _ARROW[kind])
                    for name, kind in TABLES["things"].items()
                }
            )
        },
    )


def observations_of(results: list[tuple[str, float]]) -> pa.Table:
    """Return numbers by the full names of their datastreams, a second apart."""
    given: dict[str, list[object]] = {
        "time": [START + at * 1_000_000 for at in range(len(results))],
        "result": [result for _, result in results],
        "datastream": [1 + at for at in range(len(results))],
        "feature": [0] * len(results),
        "name": [name for name, _ in results],
        "thing": [name.rpartition(".")[0] for name, _ in results],
        "app": [""] * len(results),
        "column": [""] * len(results),
    }
    nothing: list[object] = [None] * len(results)
    return pa.table(
        {
            name: pa.array(given.get(name, nothing), _ARROW[kind])
            for name, kind in INPUT_COLUMNS.items()
        }
    )


def _fields(topic: str) -> dict[str, str]:
    return _cached.setdefault(topic, _read(topic))


def _read(topic: str) -> dict[str, str]:
    parts = topic.split("/")
    if parts[0] == "factory_iot":
        return {"region": parts[1], "site": parts[2]}
    return {}


_cached: dict[str, dict[str, str]] = {}
