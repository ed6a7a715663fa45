"""Observations of bodies as rows of the store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from penstock.codecs.rows import json_text
from penstock.core.entities import Identity
from penstock.core.series import ObservationType
from penstock.sensorthings.observation_rows import ID, QUALITY, VALID
from penstock.sensorthings.writing.values import Time, refuse, shown, within

#: Up to here a double holds every whole number.
EXACT = 2**53


class Kind(NamedTuple):
    """What the results of a datastream are: its type, and how many parts each has if several."""

    type: str
    parts: int | None = None


class Row(NamedTuple):
    """A row of the store, as in `core.observation.SCHEMA`."""

    datastream: int
    time_us: int
    number: float | None
    text: str | None
    feature: int
    end_time_us: int | None
    result_time_us: int | None
    parameters: str | None

    @property
    def identity(self) -> Identity:
        """What tells it from others."""
        return Identity(self.datastream, self.time_us, self.feature)


def result_columns(value: object, kind: Kind, at: str) -> tuple[float | None, str | None]:
    """Return a result as number and text.

    Texts are JSON, but in a datastream of categories. A datastream of numbers takes others too:
    the standard does not say, and FROST-Server keeps what it gets.

    Raises:
        InvalidInput: The datastream cannot have such a result.
    """
    if kind.parts is not None:
        if not isinstance(value, list) or len(value) != kind.parts:
            refuse(at, f"{shown(value)} is no list of {kind.parts}, one for each ObservedProperty")
        return None, json_text(value)
    if isinstance(value, bool) and kind.type == ObservationType.TRUTH:
        return float(value), None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(value, (int, float)) and is_number:
        number = _number(value)
        if number is not None and kind.type != ObservationType.TRUTH:
            return number, None
    if kind.type == ObservationType.CATEGORY:
        if not isinstance(value, str):
            refuse(at, f"{shown(value)} is no category; expected a text or a number")
        return None, value
    return None, json_text(value)


def _number(value: float) -> float | None:
    """Return a number that a double holds exactly, as far as it was one."""
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number) or (isinstance(value, int) and abs(value) > EXACT):
        return None
    return number


def parameters_text(values: Mapping[str, object], id_: int | str | None = None) -> str | None:
    """Return the column `parameters` of an Observation with these properties.

    Args:
        values: `parameters`, `resultQuality` and `validTime` are looked at.
        id_: Of an observation that is elsewhere than its id says.
    """
    found: dict[str, object] = {}
    given = values.get("parameters")
    if isinstance(given, dict):
        found.update(given)
    for name, reserved in (("resultQuality", QUALITY), ("validTime", VALID)):
        if values.get(name) is not None:
            found[reserved] = values[name]
    if id_ is not None:
        found[ID] = id_
    return json_text(found) if found else None


def row_of(
    values: Mapping[str, object], kind: Kind, now_us: int, at: str, id_: int | str | None = None
) -> Row:
    """Return the row of an Observation, of datastream 0 and feature 0 for now.

    Args:
        values: As `read_entity` gives them.
        kind: Of the datastream.
        now_us: Phenomenon time when there is none.
        at: Where it stands in the body.
        id_: Of an observation that is elsewhere than its id says.
    """
    given = values.get("parameters")
    if given is not None and not isinstance(given, dict):
        refuse(within(at, "parameters"), f"{shown(given)} is no JSON object")
    if isinstance(given, dict) and any(name.startswith("@iot.") for name in given):
        refuse(within(at, "parameters"), "names that begin with @iot. are reserved")
    number, text = result_columns(values["result"], kind, within(at, "result"))
    start, end = _both(values.get("phenomenonTime"), now_us)
    made = values.get("resultTime")
    return Row(
        datastream=0,
        time_us=start,
        number=number,
        text=text,
        feature=0,
        end_time_us=end,
        result_time_us=made if isinstance(made, int) else None,
        parameters=parameters_text(values, id_),
    )


def _both(time: Time | object, now_us: int) -> tuple[int, int | None]:
    if isinstance(time, tuple):
        return time[0], time[1]
    return (time, None) if isinstance(time, int) else (now_us, None)


def decoded_parameters(text: str | None) -> dict[str, object]:
    """Return the object in the column `parameters`, reserved members included."""
    found = msgspec.json.decode(text) if text else {}
    return found if isinstance(found, dict) else {}
