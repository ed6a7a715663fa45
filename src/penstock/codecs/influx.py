"""InfluxDB line protocol: `weather,station=north,kind=mast temp=21.5,count=3i 1714557600000000000`.

Several lines may be in one message; blank ones and those that begin with `#` are skipped. The
Thing is the set of tags (`kind=mast,station=north`), each field a Datastream `weather.temp`;
without tags the Thing is the measurement and the Datastream the field. Without a time the time of
arrival counts. The unit of the time is told by its magnitude, or by `precision` when the route
captures it (`ns`, `us`, `ms`, `s`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple, cast

from penstock.codecs.columns import name_problem
from penstock.codecs.joined import why_not
from penstock.codecs.rows import Result, Row, read_each
from penstock.codecs.settings import CodecSettings
from penstock.codecs.timestamps import epoch_us, in_range
from penstock.core.codec import Messages, Readings
from penstock.core.errors import CannotDecode
from penstock.core.series import ObservationType, Series

_EXPECTS = "InfluxDB line protocol such as weather,station=north temp=21.5 1714557600000000000"
#: A name: runs without special characters; a backslash takes the next character along.
_WORD = r"(?:[^\\,= \n]|\\[^\n])+"
_LINE = re.compile(
    rf"(?P<head>(?:[^\\, \n#]|\\[^\n])(?:[^\\, \n]|\\[^\n])*(?:,{_WORD}={_WORD})*)"
    rf" +(?P<fields>{_WORD}=(?:\"(?:[^\"\\]|\\[\s\S])*\"|[^,\" \r\n]+)"
    rf"(?:,{_WORD}=(?:\"(?:[^\"\\]|\\[\s\S])*\"|[^,\" \r\n]+))*)"
    r"(?: +(?P<time>-?[0-9]{1,19}))?[ \r]*(?:\n|\Z)"
)
_SKIPPED = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_TAG = re.compile(rf",({_WORD})=({_WORD})")
_FIELD = re.compile(rf"({_WORD})=(\"(?:[^\"\\]|\\[\s\S])*\"|[^,\" \r\n]+)(?:,|\Z)")
_INTEGER = re.compile(r"(-?[0-9]+)i|([0-9]+)u", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_TRUTHS = dict.fromkeys(("t", "T", "true", "True", "TRUE"), True) | dict.fromkeys(
    ("f", "F", "false", "False", "FALSE"), False
)
#: Nanoseconds of one unit.
_PRECISIONS = {"ns": 1, "n": 1, "us": 1_000, "u": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_MAX_HEADS = 65_536


class Head(NamedTuple):
    """A measurement and its tags, sorted."""

    measurement: str
    tags: tuple[tuple[str, str], ...]


class InfluxKey(NamedTuple):
    """A field of a measurement with its tags."""

    head: Head
    field: str
    kind: ObservationType


class InfluxCodec:
    """Reads line protocol; the Thing is the set of tags."""

    name = "influx"

    def __init__(self, settings: CodecSettings) -> None:
        del settings  # times are epochs
        self._heads: dict[str, Head] = {}

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""

        def read(number: int) -> list[Row]:
            arrived = int(messages.arrived_us[number])
            return self._rows(messages.payloads[number], messages.fields[number], arrived)

        return read_each(range(len(messages)), read, ())

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        head, field, kind = cast("InfluxKey", key)
        thing, name = _names(head, field)
        return Series(
            thing=thing,
            name=name,
            observed_property=field,
            observation_type=kind,
            thing_properties=dict(head.tags),
            properties={"measurement": head.measurement},
        )

    def _rows(self, payload: bytes, fields: Mapping[str, str], arrived: int) -> list[Row]:
        try:
            text = payload.decode()
        except UnicodeDecodeError as problem:
            raise CannotDecode(why_not(payload, problem, _EXPECTS)) from None
        precision = fields.get("precision")
        rows: list[Row] = []
        for line in _lines(text):
            stamp = line["time"]
            at = arrived if stamp is None else _time(int(stamp), precision)
            head = self._head(line["head"])
            for name, value in _FIELD.findall(line["fields"]):
                result = _value(value)
                key = _key(head, name, result.kind)
                rows.append(Row(key, at, result.number, result.text))
        if not rows:
            raise CannotDecode(f"no line of data; expected {_EXPECTS}")
        return rows

    def _head(self, text: str) -> Head:
        head = self._heads.get(text)
        if head is None:
            measurement = re.match(r"(?:[^\\,]|\\.)+", text)
            assert measurement is not None
            tags = _TAG.findall(text, measurement.end())
            pairs = {_unescape(name): _unescape(value) for name, value in tags}
            head = Head(_unescape(measurement[0]), tuple(sorted(pairs.items())))
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[text] = head
        return head


def _lines(text: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(text):
        if skipped := _SKIPPED.match(text, at):
            at = skipped.end()
            continue
        line = _LINE.match(text, at)
        if line is None:
            shown = text[at : at + 60].split("\n", maxsplit=1)[0]
            number = text.count("\n", 0, at) + 1
            raise CannotDecode(f"cannot read line {number}, {shown!r}; expected {_EXPECTS}")
        yield line
        at = line.end()


def _unescape(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text) if "\\" in text else text


def _value(text: str) -> Result:
    if _FLOAT.fullmatch(text):
        if math.isfinite(number := float(text)):
            return Result(number, None, ObservationType.MEASUREMENT)
    elif text[0] == '"':
        inner = re.sub(r'\\(["\\])', r"\1", text[1:-1]) if "\\" in text else text[1:-1]
        return Result(math.nan, inner, ObservationType.CATEGORY)
    elif text in _TRUTHS:
        return Result(float(_TRUTHS[text]), None, ObservationType.TRUTH)
    elif match := _INTEGER.fullmatch(text):
        digits = match[1] or match[2]
        low, high = (-(2**63), 2**63) if match[1] else (0, 2**64)
        if len(digits) <= 20 and low <= int(digits) < high:
            return Result(float(int(digits)), None, ObservationType.MEASUREMENT)
    raise CannotDecode(
        f"cannot read {text[:40]!r} as a value; allowed are numbers such as 1.5, 64-bit integers "
        'such as 3i or 3u, true, false and "text"'
    )


def _time(stamp: int, precision: str | None) -> int:
    if precision is None:
        return epoch_us(stamp)
    scale = _PRECISIONS.get(precision)
    if scale is None:
        raise CannotDecode(f"precision {precision[:20]!r} is not known; use ns, us, ms or s")
    at = stamp * scale // 1_000
    return in_range(at, stamp)


def _names(head: Head, field: str) -> tuple[str, str]:
    if not head.tags:
        return head.measurement, field
    thing = ",".join(f"{name}={value}" for name, value in head.tags)
    return thing, f"{head.measurement}.{field}"


@lru_cache(maxsize=65_536)
def _key(head: Head, field: str, kind: ObservationType) -> InfluxKey:
    """Return the key of a field as it is written, when its names can be kept."""
    key = InfluxKey(head, _unescape(field), kind)
    thing, name = _names(head, key.field)
    if problem := name_problem("the set of tags", thing) or name_problem("a field", name):
        raise CannotDecode(problem)
    return key
