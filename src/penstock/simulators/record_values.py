"""Times and values of recordings: whole columns at once, single rows only where they are odd."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.errors import InvalidInput
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
#: Times of a column in microseconds, which of them are missing, and reasons of bad rows.
Times = tuple[Int64s, dict[int, str]]

#: Microseconds of one unit of an epoch.
EPOCHS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}
#: What people write for a value that is not there.
MISSING = ("", "NA", "N/A", "na", "n/a", "NaN", "nan", "null", "NULL", "None", "-")
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")
_TRUTHS = ("true", "false")


def zone_of(name: str) -> tzinfo:
    """Return the time zone of a name such as `Europe/Vienna`.

    Raises:
        InvalidInput: There is none.
    """
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = f"time zone {name!r} is not known; an example is Europe/Vienna"
        raise InvalidInput(msg) from error


def trimmed(column: pa.Array) -> pa.Array:
    """Return texts without blanks around them; null for what stands for a missing value."""
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    missing = pc.is_in(texts, pa.array(MISSING))
    return pc.if_else(missing, pa.scalar(None, pa.string()), texts)


def kind_of(column: pa.Array) -> str:
    """Return `number`, `truth` or `text`: what the values of a column are, by those given."""
    if pa.types.is_boolean(column.type):
        return "truth"
    if not _is_text(column):
        return "number" if _is_number(column.type) else "text"
    texts = trimmed(column).drop_null()
    if not len(texts):
        return "number"
    if pc.all(pc.is_in(pc.utf8_lower(texts), pa.array(_TRUTHS))).as_py():
        return "truth"
    return "number" if pc.any(pc.match_substring_regex(texts, _NUMBER)).as_py() else "text"


def read_values(column: pa.Array, kind: str) -> tuple[pa.Array, dict[int, str]]:
    """Return float64 or string values, null where there is none, and the reasons of bad rows."""
    if kind == "text":
        return trimmed(column), {}
    if kind == "truth":
        if not pa.types.is_boolean(column.type):
            lower = pc.utf8_lower(trimmed(column))
            known = pc.is_in(lower, pa.array(_TRUTHS))
            bad = _reasons(lower, pc.and_(lower.is_valid(), pc.invert(known)), "true or false")
            column = pc.if_else(known, pc.equal(lower, "true"), pa.scalar(None, pa.bool_()))
            return column.cast(pa.float64()), bad
        return column.cast(pa.float64()), {}
    if _is_text(column):
        texts = trimmed(column)
        good = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), True)
        bad = _reasons(texts, pc.invert(good), "a number")
        numbers = pc.if_else(good, texts, pa.scalar(None, pa.string())).cast(pa.float64())
    else:
        bad = {}
        numbers = column.cast(pa.float64(), safe=False)
    finite = pc.fill_null(pc.is_finite(numbers), False)
    infinite = pc.fill_null(pc.is_inf(numbers), False)
    bad |= _reasons(numbers, infinite, "a finite number")
    return pc.if_else(finite, numbers, pa.scalar(None, pa.float64())), bad


def read_times(column: pa.Array, zone: tzinfo, unit: str | None, form: str | None) -> Times:
    """Return times in microseconds UTC and the reasons of rows that have none.

    Args:
        column: Texts, numbers or timestamps.
        zone: Of times without an offset.
        unit: Of numbers: `s`, `ms`, `us` or `ns`; None goes by their size.
        form: How texts are written, for `strptime`; None is ISO 8601 or a number.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("us"))
        kind = column.type
    if pa.types.is_timestamp(kind):
        times, bad = _typed(column, zone)
    elif _is_number(kind):
        times, bad = _epochs(column, unit)
    else:
        times, bad = _texts(trimmed(column), zone, unit, form)
    return _in_range(times, bad)


def _typed(column: pa.Array, zone: tzinfo) -> Times:
    bad = dict.fromkeys(_where(column.is_null()), "no time")
    column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if column.type.tz is None and zone is not UTC:
        column = pc.assume_timezone(column, str(zone), ambiguous="earliest", nonexistent="latest")
    return _plain(column.cast(pa.int64())), bad


def _epochs(column: pa.Array, unit: str | None) -> Times:
    bad = dict.fromkeys(_where(pc.invert(pc.fill_null(pc.is_finite(column), False))), "no time")
    if pa.types.is_integer(column.type):
        numbers: npt.NDArray[np.generic] = _plain(column.cast(pa.int64()))
    else:
        numbers = np.nan_to_num(pc.fill_null(column.cast(pa.float64()), 0.0).to_numpy(False))
    size = np.abs(numbers.astype(np.float64))
    if unit is None:
        scale = np.select([size < 1e11, size < 1e14, size < 1e17], [1e6, 1e3, 1.0], 0.001)
    else:
        scale = np.full(len(numbers), float(EPOCHS[unit]))
    beyond = size * scale >= MAX_TIME_US  # too much for the multiplication below
    if pa.types.is_integer(column.type):
        kept = np.where(beyond, 0, numbers)
        times = np.where(scale >= 1, kept * scale.astype(np.int64), kept // 1000)
    else:
        times = np.round(np.where(beyond, 0.0, numbers * scale)).astype(np.int64)
    return np.where(beyond, MAX_TIME_US, times), bad


def _texts(texts: pa.Array, zone: tzinfo, unit: str | None, form: str | None) -> Times:
    if form is not None:
        return _each(texts, zone, form)
    numeric = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), False)
    if pc.any(numeric).as_py():
        nothing = pa.scalar(None, pa.string())
        times, _ = _epochs(_numbers(pc.if_else(numeric, texts, nothing)), unit)
        odd = np.flatnonzero(~numeric.to_numpy(False))
        times[odd], bad = _each(texts.take(pa.array(odd)), zone)
        return times, {int(odd[row]): reason for row, reason in bad.items()}
    for kind in (pa.timestamp("us", "UTC"), pa.timestamp("us")):
        try:
            return _typed(texts.cast(kind), zone)
        except pa.ArrowInvalid:
            continue
    return _each(texts, zone)


def _numbers(texts: pa.Array) -> pa.Array:
    try:
        return texts.cast(pa.int64())
    except pa.ArrowInvalid:
        return texts.cast(pa.float64())


def _any_form(text: str, zone: tzinfo) -> int:
    text = _LONG_FRACTION.sub(r"\1", text)
    if text[4:5] == "/" and text[7:8] == "/":
        text = text[:10].replace("/", "-") + text[10:]
    return _microseconds(datetime.fromisoformat(text), zone)


def _microseconds(moment: datetime, zone: tzinfo) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _each(texts: pa.Array, zone: tzinfo, form: str | None = None) -> Times:
    def read(text: str) -> int:
        if form is None:
            return _any_form(text, zone)
        return _microseconds(datetime.strptime(text, form), zone)  # noqa: DTZ007 zone comes after

    times, bad = np.zeros(len(texts), np.int64), {}
    for row, text in enumerate(texts.to_pylist()):
        if text is None:
            bad[row] = "no time"
            continue
        try:
            times[row] = read(text)
        except (ValueError, OverflowError):
            bad[row] = f"{text[:40]!r} is not a time (ISO 8601 or epoch; else see --time-format)"
    return times, bad


def _in_range(times: Int64s, bad: dict[int, str]) -> Times:
    for row in np.flatnonzero((times < MIN_TIME_US) | (times >= MAX_TIME_US)).tolist():
        bad.setdefault(row, "the time is outside the years 1 to 9999")
    return times, bad


def _reasons(column: pa.Array, wrong: pa.Array, wanted: str) -> dict[int, str]:
    return {row: f"{str(column[row].as_py())[:40]!r} is not {wanted}" for row in _where(wrong)}


def _where(mask: pa.Array) -> list[int]:
    rows: list[int] = np.flatnonzero(pc.fill_null(mask, False).to_numpy(False)).tolist()
    return rows


def _plain(column: pa.Array) -> Int64s:
    values: Int64s = pc.fill_null(column, 0).to_numpy(False)
    return values


def _is_text(column: pa.Array) -> bool:
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )
