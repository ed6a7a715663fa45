"""SenML packs in JSON (RFC 8428).

`[{"bn":"urn:dev:ow:10e2073a01080063:","bt":1.32e9,"n":"temp","u":"Cel","v":23.1}]`: base fields
apply to the records behind them (section 4.6); a time below 2^28 is seconds relative to arrival
(section 4.5.3). The full name is cut at its last `/` or `:` into Thing and Datastream. A name that
is only a device (`urn:dev:ow:10e2073a01080063`) is the Thing, and its Datastream is `value`; a
name without either sign belongs to the Thing that the topic names. A sum (`s`) is a Datastream of
its own, with `:sum` behind its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import msgspec

from penstock.codecs.columns import name_problem
from penstock.codecs.joined import JoinedJson
from penstock.codecs.rows import Result, Row, read_each, result_of
from penstock.codecs.settings import CodecSettings
from penstock.codecs.timestamps import seconds_us
from penstock.codecs.units import measures, unit
from penstock.core.codec import Messages, Readings
from penstock.core.errors import CannotDecode
from penstock.core.series import ObservationType, Series

#: Times below this many seconds are relative to now (section 4.5.3).
RELATIVE_BELOW_S = 2**28
#: The newest version of SenML understood (section 4.4).
VERSION = 10

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
_DEVICE = re.compile(r"urn:dev:[^:/]+:[^:/]+")
_EXPECTS = 'a SenML pack in JSON (RFC 8428) such as [{"n": "urn:dev:ow:10e2:temp", "v": 23.1}]'


class Record(msgspec.Struct, gc=False):
    """A SenML record; labels as in section 4.3."""

    bn: str | None = None
    bt: int | float | None = None
    bu: str | None = None
    bv: float | None = None
    bs: float | None = None
    bver: int | None = None
    n: str = ""
    u: str | None = None
    v: float | None = None
    vs: str | None = None
    vb: bool | None = None
    vd: str | None = None
    s: float | None = None
    t: int | float = 0
    ut: int | float | None = None


class SenmlKey(NamedTuple):
    """A name, resolved; `topic` is empty unless the name needs it."""

    name: str
    kind: ObservationType
    unit: str
    is_sum: bool
    topic: str


class SenmlCodec:
    """Reads packs of records; the Thing is the part of the name before its last separator."""

    name = "senml"

    def __init__(self, settings: CodecSettings) -> None:
        del settings  # times in SenML are always in UTC
        self._json = JoinedJson(list[Record], _EXPECTS)

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        decoded = self._json.decode(messages.payloads)
        numbers = decoded.messages if decoded.messages is not None else range(len(messages))
        found = dict(zip(numbers, decoded.values, strict=True))

        def read(number: int) -> list[Row]:
            if b'_"' in messages.payloads[number]:
                _refuse_unknown(messages.payloads[number])
            arrived = int(messages.arrived_us[number])
            return _resolve(found[number], messages.topics[number], arrived)

        return read_each(numbers, read, decoded.failures)

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        name, kind, symbol, is_sum, topic = cast("SenmlKey", key)
        thing, last = split_name(name, topic)
        return Series(
            thing=thing,
            name=f"{last}:sum" if is_sum else last,
            observed_property=measures(symbol),
            observation_type=kind,
            unit=unit(symbol),
        )


def split_name(name: str, topic: str) -> tuple[str, str]:
    """Return Thing and Datastream that a resolved name means."""
    if _DEVICE.fullmatch(name):
        return name, "value"
    at = max(name.rfind("/"), name.rfind(":"))
    if at < 0:
        return topic, name
    return (name[:at], name[at + 1 :]) if at + 1 < len(name) else (name[:at], "value")


def _refuse_unknown(payload: bytes) -> None:
    """Refuse labels that end in `_`: whoever does not know them must not read on (4.4)."""
    for record in msgspec.json.decode(payload, type=list[dict[str, object]]):
        for label in record:
            if label.endswith("_"):
                raise CannotDecode(f"label {label[:40]!r} must be understood and is not known here")


def _resolve(records: Sequence[Record], topic: str, arrived: int) -> list[Row]:
    base_name, base_unit = "", ""
    base_time: int | float = 0
    base_value = base_sum = 0.0
    rows: list[Row] = []
    for record in records:
        if record.bver is not None and not 0 < record.bver <= VERSION:
            raise CannotDecode(f"SenML version {record.bver}; up to {VERSION} is understood")
        base_name = base_name if record.bn is None else record.bn
        base_unit = base_unit if record.bu is None else record.bu
        base_time = base_time if record.bt is None else record.bt
        base_value = base_value if record.bv is None else record.bv
        base_sum = base_sum if record.bs is None else record.bs
        result = _result(record, base_value)
        if result is None and record.s is None:
            continue
        name = base_name + record.n
        at = _time(base_time + record.t, arrived)
        symbol = base_unit if record.u is None else record.u
        owner = _owner(name, topic)
        if result is not None:
            key = SenmlKey(name, result.kind, symbol, is_sum=False, topic=owner)
            rows.append(Row(key, at, result.number, result.text))
        if record.s is not None:
            key = SenmlKey(name, ObservationType.MEASUREMENT, symbol, is_sum=True, topic=owner)
            rows.append(Row(key, at, _finite(base_sum + record.s)))
    return rows


def _result(record: Record, base_value: float) -> Result | None:
    others = (record.vs, record.vb, record.vd)
    given: list[object] = [value for value in others if value is not None]
    if len(given) + (record.v is not None) > 1:
        raise CannotDecode("a record has more than one of v, vs, vb and vd; one is allowed")
    if record.v is not None:
        return Result(_finite(base_value + record.v), None, ObservationType.MEASUREMENT)
    if given:
        return result_of(given[0])
    bases = (record.bn, record.bt, record.bu, record.bv, record.bs, record.bver)
    if record.s is None and all(base is None for base in bases):
        raise CannotDecode("a record has neither a value (v, vs, vb, vd) nor a sum (s)")
    return None


def _finite(value: float) -> float:
    if math.isfinite(value):
        return value
    raise CannotDecode("a value and its base value together are too large a number")


def _time(seconds: float, arrived: int) -> int:
    if seconds < RELATIVE_BELOW_S:
        return seconds_us(seconds, arrived)
    return seconds_us(seconds)


@lru_cache(maxsize=65_536)
def _owner(name: str, topic: str) -> str:
    """Return the topic when the name alone does not name a Thing."""
    if not _NAME.fullmatch(name):
        raise CannotDecode(
            f"name {name[:60]!r} is not allowed; it needs letters, digits and - : . / _ "
            "and starts with a letter or digit"
        )
    owner = topic if "/" not in name and ":" not in name else ""
    thing, last = split_name(name, owner)
    # ":sum" may follow.
    if problem := name_problem("the Thing's name", thing) or name_problem("n", last, longest=251):
        raise CannotDecode(problem)
    return owner
