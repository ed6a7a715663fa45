"""Recordings: which columns of a file mean what, and its rows as observations."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.errors import InvalidInput
from penstock.simulators.record_files import BadRow, Part, open_file
from penstock.simulators.record_values import EPOCHS, kind_of, read_times, read_values, zone_of

#: Names of columns, in lower case without what is in brackets, that hold the time as a rule.
_TIMES = (
    "time", "timestamp", "datetime", "phenomenontime", "ts", "date", "date_time", "utc", "t",
    "epoch",
)  # fmt: skip
_THINGS = ("thing", "device", "device_id", "sensor", "sensor_id", "station", "serialnumber")
_NAMES = ("datastream", "metric", "quantity", "observed_property", "variable", "channel")
_BRACKETS = re.compile(r"^(.*?)\s*[\(\[](.*)[\)\]]\s*$")
#: Longest name of a Thing or Datastream, characters.
_MAX_NAME = 255


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """What the columns of a file mean; what is left out is guessed.

    Attributes:
        time: Column with the time.
        time_unit: Of times that are numbers: s, ms, us, ns; None goes by their size.
        time_format: How times are written, for strptime; None is ISO 8601 or a number.
        time_zone: Of times without an offset.
        values: Columns with values, as `column` or `column=name`.
        thing: Column with the name of the Thing.
        thing_name: The Thing, when no column names it.
        name: Column with the name of the Datastream, when one column holds values of many.
        units: Units, as `name=unit`, or one `unit` for all.
    """

    time: str | None = None
    time_unit: str | None = None
    time_format: str | None = None
    time_zone: str = "UTC"
    values: tuple[str, ...] = ()
    thing: str | None = None
    thing_name: str | None = None
    name: str | None = None
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """A column with values: its name in the file, as a Datastream, its kind and unit."""

    column: str
    name: str
    kind: str
    unit: str


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows, each with a time.

    Attributes:
        time_us: Times, microseconds UTC.
        things: Name of the Thing of each row.
        names: Name of the Datastream of each row; None when the columns name them.
        values: Columns of float64 or string, null where there is no value.
        bad: Rows that are left out, and rows of which a value is left out.
    """

    time_us: npt.NDArray[np.int64]
    things: pa.Array
    names: pa.Array | None
    values: Sequence[tuple[Value, pa.Array]]
    bad: Sequence[BadRow]


class Recording:
    """A file of observations.

    Args:
        path: CSV, Parquet or NDJSON, plain or compressed.
        columns: What its columns mean.
        form: csv, parquet or ndjson; None goes by the file's name.

    Raises:
        InvalidInput: The file cannot be read, or a column is not there.
    """

    def __init__(self, path: Path, columns: Columns | None = None, form: str | None = None) -> None:
        wanted = columns or Columns()
        if wanted.time_unit is not None and wanted.time_unit not in EPOCHS:
            msg = f"time unit {wanted.time_unit!r} is not known; it is one of {', '.join(EPOCHS)}"
            raise InvalidInput(msg)
        self.path = path
        self.columns = wanted
        self._zone = zone_of(wanted.time_zone)
        self._file = open_file(path, form)
        self.time = self._required(wanted.time, "--time") or self._guessed_time()
        self.thing = self._required(wanted.thing, "--thing")
        if self.thing is None and wanted.thing_name is None:
            self.thing = self._guessed(_THINGS)
        self.name = self._required(wanted.name, "--name") or self._guessed(_NAMES)
        self.thing_name = wanted.thing_name or path.name.split(".")[0]
        self.values, self.left_out = self._find_values()
        self._check_units()

    def blocks(self) -> Iterator[Block]:
        """Read the rows, a part of the file at a time, from the beginning."""
        for part in self._file.parts(self._needed()):
            yield self._block(part)

    def _needed(self) -> list[str]:
        named = (self.time, self.thing, self.name, *(value.column for value in self.values))
        return list(dict.fromkeys(column for column in named if column is not None))

    def _block(self, part: Part) -> Block:
        if not part.rows:
            empty = pa.array([], pa.string())
            return Block(np.empty(0, np.int64), empty, None, [], part.bad)
        columns = self.columns
        times, bad = read_times(
            part.columns[self.time], self._zone, columns.time_unit, columns.time_format
        )
        bad = {row: f"{self.time}: {reason}" for row, reason in bad.items()}
        things, wrong = self._texts(part, self.thing, self.thing_name)
        bad = wrong | bad
        names, wrong = self._texts(part, self.name, "")
        bad = (wrong | bad) if self.name else bad
        if len(bad) == part.rows and part.first == 0:
            self._refuse(bad)
        for row in [row for row in bad if self._is_empty(part, row)]:
            bad[row] = ""
        values: list[tuple[Value, pa.Array]] = []
        odd: dict[int, str] = {}
        for value in self.values:
            array, reasons = read_values(part.columns[value.column], value.kind)
            odd |= {row: f"{value.column}: {reason}" for row, reason in reasons.items()}
            values.append((value, array))
        keep = np.ones(part.rows, np.bool_)
        keep[list(bad)] = False
        chosen = pa.array(keep)
        reported = [
            BadRow(self._file.line_of(part.first + row), reason)
            for row, reason in (odd | bad).items()
            if reason
        ]
        return Block(
            times[keep],
            things.filter(chosen),
            names.filter(chosen) if self.name else None,
            [(value, array.filter(chosen)) for value, array in values],
            sorted([*part.bad, *reported], key=lambda row: row.line),
        )

    def _texts(self, part: Part, column: str | None, fixed: str) -> tuple[pa.Array, dict[int, str]]:
        if column is None:
            return pa.repeat(pa.scalar(fixed), part.rows), {}
        cells = part.columns[column]
        if pa.types.is_floating(cells.type):
            cells = pa.array([_whole(cell) for cell in cells.to_pylist()], pa.string())
        texts = pc.utf8_trim_whitespace(cells.cast(pa.string()))
        lengths = pc.fill_null(pc.utf8_length(texts), 0).to_numpy()
        wrong = np.flatnonzero((lengths < 1) | (lengths > _MAX_NAME))
        reason = f"{column}: a name must have 1 to {_MAX_NAME} characters"
        return texts, dict.fromkeys(wrong.tolist(), reason)

    def _is_empty(self, part: Part, row: int) -> bool:
        return all(cells[row].as_py() in {None, ""} for cells in part.columns.values())

    def _refuse(self, bad: Mapping[int, str]) -> None:
        row, reason = next(iter(bad.items()))
        line = self._file.line_of(row)
        msg = (
            f"{self.path} has no row with a time in its first part; line {line}: {reason}. "
            f"Columns are {_listed(self._file.columns)}; name the one with --time"
        )
        raise InvalidInput(msg)

    def _required(self, column: str | None, option: str) -> str | None:
        if column is None or column in self._file.columns:
            return column
        close = difflib.get_close_matches(column, self._file.columns, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        msg = (
            f"{option}: {self.path} has no column {column!r}.{hint} "
            f"Columns are {_listed(self._file.columns)}"
        )
        raise InvalidInput(msg)

    def _guessed(self, names: Sequence[str]) -> str | None:
        plain = {_plain(column).lower(): column for column in reversed(self._file.columns)}
        return next((plain[name] for name in names if name in plain), None)

    def _guessed_time(self) -> str:
        found = self._guessed(_TIMES)
        if found is None:
            msg = (
                f"{self.path} has no column that looks like a time. "
                f"Columns are {_listed(self._file.columns)}; name the one with --time"
            )
            raise InvalidInput(msg)
        return found

    def _find_values(self) -> tuple[list[Value], list[str]]:
        """Return the value columns and those that are left out because they hold texts."""
        wanted: dict[str, str | None] = {}
        for text in self.columns.values:
            column, name = text, ""
            if "=" in text and text not in self._file.columns:
                column, _, name = text.rpartition("=")
            self._required(column, "--value")
            wanted[column] = name or None
        used = {self.time, self.thing, self.name}
        chosen = wanted or {
            column: None for column in self._file.columns if column not in used and column
        }
        first = next((p for p in self._file.parts([*chosen]) if p.rows), Part({}, 0))
        values, left_out = [], []
        for column, given in chosen.items():
            name = given or _plain(column)
            if len(name) > _MAX_NAME:
                msg = f"column {column[:60]!r} has too long a name; rename it: --value COLUMN=NAME"
                raise InvalidInput(msg)
            kind = kind_of(first.columns[column]) if first.rows else "number"
            if kind == "text" and not wanted:
                left_out.append(column)
                continue
            values.append(Value(column, name, kind, _unit(column)))
        if not values:
            msg = (
                f"{self.path} has no column with numbers beside {self.time!r}. "
                f"Columns are {_listed(self._file.columns)}; name some with --value"
            )
            raise InvalidInput(msg)
        if self.name is not None and len(values) > 1:
            msg = (
                f"column {self.name!r} names the Datastreams, so one column must hold the values, "
                f"not {_listed([v.column for v in values])}; choose it with --value"
            )
            raise InvalidInput(msg)
        return self._with_units(values), left_out

    def _with_units(self, values: Sequence[Value]) -> list[Value]:
        units = dict(_pair(unit) for unit in self.columns.units)
        return [
            Value(v.column, v.name, v.kind, units.get(v.name, units.get("", v.unit)))
            for v in values
        ]

    def _check_units(self) -> None:
        if self.name is not None:
            return
        known = [value.name for value in self.values]
        for name, _ in map(_pair, self.columns.units):
            if name and name not in known:
                msg = f"--unit: no value is called {name!r}; they are {_listed(known)}"
                raise InvalidInput(msg)


def _pair(unit: str) -> tuple[str, str]:
    name, _, symbol = unit.rpartition("=")
    return name, symbol


def _plain(column: str) -> str:
    found = _BRACKETS.match(column)
    return (found.group(1) or column) if found else column.strip()


def _unit(column: str) -> str:
    found = _BRACKETS.match(column)
    return found.group(2) if found and found.group(1) else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:30]) + (", ..." if len(names) > 30 else "")


def _whole(value: float | None) -> str | None:
    if value is None:
        return None
    return str(int(value)) if value.is_integer() else str(value)
