"""Observations of a stretch of time, as Arrow, pandas or polars; read piece by piece."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from penstock.client.things import Datastream
from penstock.client.times import iso
from penstock.client.web import Web
from penstock.core.errors import InvalidInput, MissingDependency, NotConnected

#: Datastreams in one request, and buckets in one answer.
_MAX_NAMED = 1000
_MAX_BUCKETS = 250_000
_ARROW = {"Accept": "application/vnd.apache.arrow.stream"}
_WIDTHS_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60_000_000,
    "min": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
    "y": 31_536_000_000_000,
}


class Observations:
    """The observations of some Datastreams; each way of reading them asks the platform anew.

    Columns: `datastream` (id), `name`, `time` (phenomenon time, UTC), `number` and `text` (one of
    them holds the result), `feature`, `end_time`, `result_time`, `parameters`. With `every`,
    buckets instead: `datastream`, `name`, `time` (start), `count`, `min`, `max`, `mean`, `first`,
    `last`. Rows come by Datastream group and time.

    Units: in the metadata of the schema (`units`, JSON by name), of the field when all have the
    same (`unit`), and in `DataFrame.attrs["units"]`.
    """

    def __init__(
        self,
        web: Web,
        streams: Sequence[Datastream],
        start_us: int | None,
        end_us: int | None,
        every: str | None,
    ) -> None:
        self.datastreams = list(streams)
        self._web = web
        self._start_us = start_us
        self._end_us = end_us
        self._every = every
        self._names = {stream.id: stream.name for stream in streams}

    @property
    def units(self) -> dict[str, str]:
        """Symbol of the unit (its name, where it has no symbol) by name of the Datastream."""
        return {s.name: s.unit.symbol or s.unit.name for s in self.datastreams}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the rows batch by batch, some 65,000 at a time; never holds more."""
        for at in range(0, len(self.datastreams), _MAX_NAMED):
            part = self.datastreams[at : at + _MAX_NAMED]
            ids = [stream.id for stream in part]
            for start, end in self._stretches(part):
                params = {"datastream": ids, "start": start, "end": end, "width": self._every}
                with self._web.open("GET", "/observations", params, None, _ARROW) as answer:
                    yield from self._read(answer)

    def arrow(self, *, wide: bool = False) -> pa.Table:
        """Return an Arrow table; `wide` gives a column for each Datastream, by time.

        A wide table holds numbers only (with `every`, means); units are in the fields' metadata.
        """
        batches = list(self.batches())
        schema = batches[0].schema if batches else self._empty().schema
        table = pa.Table.from_batches(batches, schema)
        return self._widen(table) if wide else table

    def pandas(self, *, wide: bool = False) -> Any:
        """Return a pandas DataFrame; `wide` has the time as index, and a column each.

        Raises:
            MissingDependency: pandas is not installed.
        """
        _needed("pandas")
        table = self.arrow(wide=wide)
        frame = table.to_pandas()
        if wide:
            frame = frame.set_index("time")
        frame.attrs["units"] = self.units
        return frame

    def polars(self, *, wide: bool = False) -> Any:
        """Return a polars DataFrame.

        Raises:
            MissingDependency: polars is not installed.
        """
        polars = _needed("polars")
        table = self.arrow(wide=wide)
        # polars knows no metadata; the units stay with this object (`units`).
        return polars.from_arrow(table)

    def to_parquet(self, path: str | Path) -> int:
        """Write a Parquet file, batch by batch, and return how many rows it has."""
        from pyarrow import parquet

        count = 0
        writer: Any = None
        try:
            for batch in self.batches():
                if writer is None:
                    writer = parquet.ParquetWriter(path, batch.schema, compression="zstd")
                writer.write_batch(batch)
                count += batch.num_rows
            if writer is None:
                parquet.write_table(self._empty(), path)
        finally:
            if writer is not None:
                writer.close()
        return count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give the rows as dictionaries; times in microseconds UTC."""
        from penstock.client.reading import rows

        for batch in self.batches():
            yield from rows(batch)

    def _read(self, answer: Any) -> Iterator[pa.RecordBatch]:
        try:
            with pa.ipc.open_stream(answer) as stream:
                for batch in stream:
                    if batch.num_rows:
                        yield self._labelled(batch)
        except pa.ArrowInvalid as error:
            msg = f"the answer of {self._web.url} ended too early: {error}; ask again"
            raise NotConnected(msg) from error

    def _labelled(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        ids = pa.array(list(self._names), pa.int64())
        names = pa.array(list(self._names.values()), pa.string())
        at = pc.index_in(batch.column("datastream"), value_set=ids)
        column = pa.DictionaryArray.from_arrays(at, names)
        position = batch.schema.get_field_index("datastream") + 1
        columns = list(batch.columns)
        columns.insert(position, column)
        fields = [self._field(field) for field in batch.schema]
        fields.insert(position, pa.field("name", column.type))
        schema = pa.schema(fields, {"units": json.dumps(self.units, ensure_ascii=False)})
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _field(self, field: pa.Field) -> pa.Field:
        units = set(self.units.values())
        if len(units) != 1 or field.name not in _MEASURED:
            return field
        return field.with_metadata({"unit": units.pop()})

    def _empty(self) -> pa.Table:
        if self._every is None:
            from penstock.core.observation import SCHEMA

            schema = SCHEMA
        else:
            from penstock.core.store import BUCKETS

            schema = BUCKETS
        batch = schema.empty_table().to_batches(max_chunksize=1)
        rows = (
            batch[0]
            if batch
            else pa.RecordBatch.from_arrays(
                [pa.array([], field.type) for field in schema], schema=schema
            )
        )
        return pa.Table.from_batches([self._labelled(rows)])

    def _widen(self, table: pa.Table) -> pa.Table:
        import numpy as np

        value = "number" if self._every is None else "mean"
        times = table.column("time").cast(pa.int64()).to_numpy()
        ids = table.column("datastream").to_numpy()
        numbers = pc.fill_null(table.column(value), float("nan")).to_numpy()
        index, place = np.unique(times, return_inverse=True)
        columns = [pa.array(index, pa.int64()).cast(pa.timestamp("us", tz="UTC"))]
        fields = [pa.field("time", columns[0].type)]
        for stream in self.datastreams:
            column = np.full(len(index), np.nan)
            ours = ids == stream.id
            column[place[ours]] = numbers[ours]
            columns.append(pa.array(column, from_pandas=True))
            unit = {"unit": stream.unit.symbol or stream.unit.name, "unit_name": stream.unit.name}
            fields.append(pa.field(stream.name, pa.float64(), metadata=unit))
        return pa.Table.from_arrays(columns, schema=pa.schema(fields))

    def _stretches(self, part: Sequence[Datastream]) -> Iterator[tuple[str | None, str | None]]:
        """Cut a range of buckets into pieces that the platform answers in one go."""
        if self._every is None:
            yield _text(self._start_us), _text(self._end_us)
            return
        from penstock.client.reading import Reader

        width_us = width_us_of(self._every)
        held = Reader(self._web).by_id([stream.id for stream in part], include="count")
        firsts = [s.first_us for s in held if s.first_us is not None]
        lasts = [s.last_us for s in held if s.last_us is not None]
        if not firsts:
            return
        at = max(min(firsts), self._start_us if self._start_us is not None else min(firsts))
        end_us = max(lasts) + 1
        end_us = end_us if self._end_us is None else min(end_us, self._end_us)
        step_us = max(_MAX_BUCKETS // len(part), 1) * width_us
        while at < end_us:
            stop_us = min(at // width_us * width_us + step_us, end_us)
            yield iso(at), iso(stop_us)
            at = stop_us


_MEASURED = {"number", "min", "max", "mean", "first", "last"}


def width_us_of(text: str) -> int:
    """Return microseconds of `500ms`, `10s`, `1.5m` or `1.5min`, `1h`, `1d`, `1w` or `1y`.

    Raises:
        InvalidInput: It is none of these.
    """
    number = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text.strip()[len(number) :]
    try:
        width_us = round(float(number) * _WIDTHS_US[unit])
    except (ValueError, KeyError, OverflowError):
        width_us = 0
    if width_us < 1:
        allowed = ", ".join(_WIDTHS_US)
        msg = f"{text!r} is no length of time; write a number and a unit ({allowed}): 10s"
        raise InvalidInput(msg)
    return width_us


def _text(time_us: int | None) -> str | None:
    return None if time_us is None else iso(time_us)


def _needed(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        msg = f"{package} is not installed; pip install {package}, or use .arrow()"
        raise MissingDependency(msg) from error
