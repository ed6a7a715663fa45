"""Files of recordings as columns, a part at a time: CSV, Parquet, NDJSON; may be packed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from penstock.core.errors import InvalidInput

#: Bytes of a text file read at once.
BLOCK_BYTES = 4_194_304
#: Rows of a Parquet file read at once.
BLOCK_ROWS = 65_536
_COMPRESSED = (".gz", ".bz2", ".zst", ".lz4", ".br")
FORMATS = {
    "csv": (".csv", ".tsv", ".txt"),
    "parquet": (".parquet", ".pq"),
    "ndjson": (".ndjson", ".jsonl", ".json"),
}


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be taken.

    Attributes:
        line: Line in a text file, row in a Parquet file, from 1.
        reason: What is wrong, for a person.
    """

    line: int
    reason: str


@dataclass(slots=True)
class Part:
    """Some rows of a file.

    Attributes:
        columns: The columns by name, as the file has them.
        first: Number of the first row among the rows of the file, from 0.
        bad: Rows that are not in `columns`, because they have the wrong form.
    """

    columns: dict[str, pa.Array]
    first: int
    bad: list[BadRow] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()))) if self.columns else 0


class RecordFile(Protocol):
    """A file with named columns."""

    @property
    def columns(self) -> Sequence[str]:
        """All column names."""
        ...

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Read these columns, a part at a time, from the beginning."""
        ...

    def line_of(self, row: int) -> int:
        """Return the line of a row that was read."""
        ...


def open_file(path: Path, form: str | None = None) -> RecordFile:
    """Open a file; its form follows from its name when not given.

    Raises:
        InvalidInput: It cannot be read, or its form is not known.
    """
    if form is None:
        plain = path.with_suffix("") if path.suffix in _COMPRESSED else path
        form = next((f for f, ends in FORMATS.items() if plain.suffix.lower() in ends), None)
    if form not in FORMATS:
        msg = f"{path} is of no known form; name one with --format: {', '.join(FORMATS)}"
        raise InvalidInput(msg)
    if not path.is_file():
        msg = f"{path} cannot be read: there is no such file"
        raise InvalidInput(msg)
    try:
        if form == "csv":
            return CsvFile(path)
        return ParquetFile(path) if form == "parquet" else NdjsonFile(path)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise InvalidInput(msg) from error
    except pa.ArrowException as error:
        msg = f"{path} is not a {form} file: {_first_line(error)}"
        raise InvalidInput(msg) from error


class CsvFile:
    """Comma, semicolon or tab separated; the first line has the names; every value is a text."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as stream:
            head = stream.read(65_536).decode("utf-8-sig", "replace").splitlines()
        first = head[0] if head else ""
        self._delimiter = max(",;\t|", key=first.count)
        self.columns = next(csv.reader(io.StringIO(first), delimiter=self._delimiter), [])
        if not self.columns:
            msg = f"{path} is empty; the first line must name the columns"
            raise InvalidInput(msg)
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            msg = f"{path} has more than one column {twice[0]!r}; names must differ"
            raise InvalidInput(msg)
        self._skipped: list[int] = []

    def _open(self) -> pa.NativeFile:
        return pa.input_stream(str(self._path), compression="detect")

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Read these columns, a part at a time, from the beginning."""
        from pyarrow import csv as pacsv

        bad: list[BadRow] = []
        self._skipped = []

        def skip(row: Any) -> str:
            self._skipped.append(row.number)
            found = f"{row.actual_columns} values for {row.expected_columns} columns"
            bad.append(BadRow(row.number, f"{found}: {str(row.text)[:60]!r}"))
            return "skip"

        try:
            with self._open() as stream:
                reader = pacsv.open_csv(
                    stream,
                    pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
                    pacsv.ParseOptions(
                        delimiter=self._delimiter,
                        invalid_row_handler=skip,
                        ignore_empty_lines=False,
                    ),
                    pacsv.ConvertOptions(
                        column_types=dict.fromkeys(self.columns, pa.string()),
                        include_columns=list(columns),
                        strings_can_be_null=False,
                    ),
                )
                row = 0
                for batch in reader:
                    part = Part(dict(zip(batch.schema.names, batch.columns, strict=True)), row)
                    part.bad, bad[:] = list(bad), []
                    row += part.rows
                    yield part
                if bad:
                    yield Part({}, row, bad)
        except pa.ArrowException as error:
            msg = f"{self._path} cannot be read as CSV: {_first_line(error)}"
            raise InvalidInput(msg) from error

    def line_of(self, row: int) -> int:
        """Return the line of a row that was read."""
        line = row + 2
        for number in self._skipped:
            if number <= line:
                line += 1
        return line


class ParquetFile:
    """Parquet; columns have types of their own."""

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._file = parquet.ParquetFile(path)
        self.columns: Sequence[str] = self._file.schema_arrow.names

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Read these columns, a part at a time, from the beginning."""
        row = 0
        for batch in self._file.iter_batches(BLOCK_ROWS, columns=list(columns)):
            part = Part(dict(zip(batch.schema.names, batch.columns, strict=True)), row)
            row += part.rows
            yield part

    def line_of(self, row: int) -> int:
        """Return the number of a row, from 1."""
        return row + 1


class NdjsonFile:
    """A JSON object on every line; members of members are named `a.b`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(dict[str, Any])
        names: dict[str, None] = {}
        for _, lines in self._blocks():
            for line in lines[:1000]:
                if line.strip():
                    names |= dict.fromkeys(self._row(line) or ())
            break
        self.columns = list(names)
        if not names:
            msg = f"{path} has no JSON object on its first lines; one per line is expected"
            raise InvalidInput(msg)
        self._lines: list[int] = []

    def _blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the number of the first line, from 1, and lines."""
        number, rest = 1, b""
        with pa.input_stream(str(self._path), compression="detect") as stream:
            while data := stream.read(BLOCK_BYTES):
                lines = (rest + data).split(b"\n")
                rest = lines.pop()
                yield number, lines
                number += len(lines)
        if rest.strip():
            yield number, [rest]

    def _row(self, line: bytes) -> dict[str, Any] | None:
        try:
            row = self._decoder.decode(line)
        except msgspec.DecodeError:
            return None
        if any(type(value) is dict for value in row.values()):
            return dict(_flattened(row, ""))
        return row

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Read these columns, a part at a time, from the beginning."""
        self._lines = []
        for number, lines in self._blocks():
            first, bad, rows = len(self._lines), [], []
            for at, line in enumerate(lines, number):
                if not line.strip():
                    continue
                row = self._row(line)
                if row is None:
                    bad.append(
                        BadRow(at, f"not a JSON object: {line[:60].decode(errors='replace')!r}")
                    )
                else:
                    rows.append(row)
                    self._lines.append(at)
            cells = {name: _array([row.get(name) for row in rows]) for name in columns}
            yield Part(cells, first, bad)

    def line_of(self, row: int) -> int:
        """Return the line of a row that was read."""
        return self._lines[row]


def _flattened(row: dict[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{before}{name}.")
        else:
            yield before + name, value


def _array(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float} or kinds in ({str}, {bool}):
        try:
            return pa.array(values, pa.float64() if kinds == {int, float} else None)
        except pa.ArrowException:
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
    texts = [v if v is None or isinstance(v, str) else msgspec.json.encode(v) for v in values]
    return pa.array([v.decode() if isinstance(v, bytes) else v for v in texts], pa.string())


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
