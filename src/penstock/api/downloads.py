"""Observations as files: CSV, Parquet, Arrow, written batch by batch while they are sent."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import pyarrow as pa
from fastapi import Response
from fastapi.responses import StreamingResponse

from penstock.api.columns import iso_times
from penstock.api.context import Context
from penstock.api.paging import last_row
from penstock.core.observation import SCHEMA
from penstock.core.selection import Cursor, Selection

#: Rows read at a time; also the size of row groups in Parquet.
BATCH_ROWS = 65_536


class Writer(Protocol):
    """What pyarrow's writers have in common."""

    def write_table(self, table: pa.Table) -> None:
        """Write rows."""
        ...

    def close(self) -> None:
        """Write the end."""
        ...


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A form in which observations can be downloaded."""

    media: str
    suffix: str
    writer: Callable[[Any, pa.Schema], Any]
    times_as_text: bool = False


def _csv(sink: Any, schema: pa.Schema) -> Any:
    from pyarrow import csv

    return csv.CSVWriter(sink, schema)


def _parquet(sink: Any, schema: pa.Schema) -> Any:
    from pyarrow import parquet

    return parquet.ParquetWriter(sink, schema, compression="zstd")


def _arrow(sink: Any, schema: pa.Schema) -> Any:
    return pa.ipc.new_stream(sink, schema)


FORMATS = {
    "csv": FileFormat("text/csv", "csv", _csv, times_as_text=True),
    "parquet": FileFormat("application/vnd.apache.parquet", "parquet", _parquet),
    "arrow": FileFormat("application/vnd.apache.arrow.stream", "arrows", _arrow),
}


def pick_format(accept: str) -> str:
    """Return the format that an Accept header asks for first; JSON when it asks for none."""
    for part in accept.split(","):
        media = part.partition(";")[0].strip().lower()
        for name, form in FORMATS.items():
            if media == form.media:
                return name
    return "json"


def file_name(name: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:120] or "observations"


class Sheet:
    """A file that grows in memory and is taken away piece by piece.

    Args:
        form: What it is.
        schema: Of the tables that are written.
    """

    def __init__(self, form: FileFormat, schema: pa.Schema) -> None:
        self._form = form
        self._buffer = io.BytesIO()
        # Arrow asks for the position; the pieces taken away count.
        self._taken = 0
        self._sink = pa.PythonFile(_Tell(self), mode="w")
        self._writer = form.writer(self._sink, self._shown(schema.empty_table()).schema)

    def write(self, table: pa.Table) -> bytes:
        """Write rows and return the piece that they make."""
        self._writer.write_table(self._shown(table))
        return self.take()

    def finish(self) -> bytes:
        """Return the last piece."""
        self._writer.close()
        return self.take()

    def take(self) -> bytes:
        """Take away what is written."""
        self._sink.flush()
        piece = self._buffer.getvalue()
        self._taken += len(piece)
        self._buffer.seek(0)
        self._buffer.truncate()
        return piece

    def add(self, data: bytes) -> int:
        """Grow."""
        return self._buffer.write(data)

    def position(self) -> int:
        """Return how much was written, pieces taken away included."""
        return self._taken + self._buffer.tell()

    def _shown(self, table: pa.Table) -> pa.Table:
        if not self._form.times_as_text:
            return table
        for at, field in enumerate(table.schema):
            if pa.types.is_timestamp(field.type):
                table = table.set_column(at, field.name, iso_times(table.column(at)))
        return table


class _Tell(io.RawIOBase):
    """The writing end of a sheet, as Arrow wants it."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self._sheet = sheet

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._sheet.add(bytes(data))

    def tell(self) -> int:
        return self._sheet.position()


async def download(ctx: Context, selection: Selection, kind: str, name: str) -> Response:
    """Return a file of all observations chosen; never holds more than a batch of them.

    What goes wrong before the first batch gives an ordinary error; later, the connection is cut,
    so that half a file cannot be taken for a whole one.
    """
    form = FORMATS[kind]
    left = selection.limit
    sheet = Sheet(form, SCHEMA)

    def read(after: Cursor | None, rows: int) -> pa.Table:
        return ctx.store.scan(msgspec.structs.replace(selection, after=after, limit=rows))

    size = BATCH_ROWS if left is None else min(BATCH_ROWS, left)
    first = await ctx.blocking(read, selection.after, size)

    async def pieces() -> AsyncIterator[bytes]:
        table, wanted, rest = first, size, left
        while True:
            if table.num_rows:
                yield await ctx.blocking(sheet.write, table)
            rest = None if rest is None else rest - table.num_rows
            if table.num_rows < wanted or rest == 0:
                break
            wanted = BATCH_ROWS if rest is None else min(BATCH_ROWS, rest)
            table = await ctx.blocking(read, last_row(table), wanted)
        yield await ctx.blocking(sheet.finish)

    return StreamingResponse(pieces(), media_type=form.media, headers=_headers(form, name))


async def download_table(ctx: Context, table: pa.Table, kind: str, name: str) -> Response:
    """Return a file of rows that are in memory already."""
    form = FORMATS[kind]

    def write() -> bytes:
        sheet = Sheet(form, table.schema)
        return sheet.write(table) + sheet.finish()

    return Response(await ctx.blocking(write), media_type=form.media, headers=_headers(form, name))


def _headers(form: FileFormat, name: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{name}.{form.suffix}"',
        "Cache-Control": "no-store",
    }
