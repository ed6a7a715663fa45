"""Rows of observations, each beside the entity that it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from tests.sensorthings.expressions import START_US, json_values, numbers, texts, times_us

from penstock.core.entities import Identity
from penstock.core.expression import Moment, Span
from penstock.core.observation import SCHEMA, observations
from penstock.sensorthings.observation_ids import id_of
from penstock.sensorthings.observation_rows import Kind

MULTI = 5
KINDS = {
    1: Kind("Measurement"),
    2: Kind("Truth"),
    3: Kind("Category"),
    4: Kind("Complex"),
    MULTI: Kind("Complex", is_multi=True),
    6: Kind("Count"),
}
#: FeaturesOfInterest that stand for feature 0; datastream 3 has none.
OWN = {1: 11, 2: 12, 4: 14, MULTI: 15, 6: 11}
#: The id that a row may say that it has.
MOVED = 5
NOW_US = START_US + 1_000_000

Row = dict[str, Any]


def rows() -> st.SearchStrategy[tuple[Row, dict[str, Any]]]:
    """A row and the Observation that it is, of one of `KINDS`."""
    return row_of(KINDS, OWN, [11, 99])


@st.composite
def row_of(
    draw: st.DrawFn, kinds: Mapping[int, Kind], own: Mapping[int, int], features: Sequence[int]
) -> tuple[Row, dict[str, Any]]:
    """A row and the Observation that it is, of some datastreams and features."""
    datastream = draw(st.sampled_from(sorted(kinds)))
    start = draw(times_us)
    end = draw(st.none() | st.integers(0, 4).map(lambda steps: start + steps * 250_000))
    made = draw(st.none() | times_us)
    feature = draw(st.sampled_from([0, 0, 0, *features]))
    kind = kinds[datastream]
    row: Row = {
        "datastream": datastream,
        "time": start,
        "feature": feature,
        "end_time": end,
        "result_time": made,
        "number": None,
        "text": None,
        "parameters": None,
    }
    entity: dict[str, Any] = {
        "@iot.id": id_of(Identity(datastream, start, feature)),
        "phenomenonTime": Moment(start) if end is None or end == start else Span(start, end),
        "resultTime": None if made is None else Moment(made),
        "result": _result(draw, "Complex" if kind.is_multi else kind.type, row),
        "Datastream": None if kind.is_multi else {"@iot.id": datastream},
        "MultiDatastream": {"@iot.id": datastream} if kind.is_multi else None,
        "FeatureOfInterest": None,
    }
    found = feature or own.get(datastream)
    if found is not None:
        entity["FeatureOfInterest"] = {"@iot.id": found}
    _parameters(draw, row, entity)
    return row, entity


def _result(draw: st.DrawFn, kind: str, row: Row) -> Any:
    if kind == "Truth" and draw(st.booleans()):
        value: Any = draw(st.booleans())
        row["number"] = float(value)
    elif kind == "Category" and draw(st.booleans()):
        value = row["text"] = draw(texts)
    elif kind in {"Measurement", "Count", "Complex"} and draw(st.booleans()):
        value = float(draw(numbers))
        row["number"] = value
    elif kind == "Category":
        value = None
    else:
        # A result that is a number is kept as one, never as text.
        value = draw(json_values.filter(lambda one: type(one) not in {int, float}))
        row["text"] = json.dumps(value, ensure_ascii=False)
    return value


def _parameters(draw: st.DrawFn, row: Row, entity: dict[str, Any]) -> None:
    given: dict[str, Any] = draw(
        st.dictionaries(st.sampled_from(["a", "odd name"]), json_values, max_size=2)
    )
    entity["parameters"] = dict(given) or None
    quality = draw(st.none() | json_values)
    entity["resultQuality"] = quality
    if quality is not None:
        given["@iot.resultQuality"] = quality
    valid = draw(st.sampled_from([None, None, "2023-11-14T22:13:21Z", _VALID]))
    entity["validTime"] = None
    if valid is not None:
        given["@iot.validTime"] = valid
        entity["validTime"] = (
            Span(START_US, START_US + 2_000_000)
            if valid == _VALID
            else Moment(START_US + 1_000_000)
        )
    if draw(st.integers(0, 9)) == 0:
        given["@iot.id"] = entity["@iot.id"] = MOVED
    if given:
        row["parameters"] = json.dumps(given, ensure_ascii=False)


_VALID = "2023-11-14T22:13:20Z/2023-11-14T22:13:22Z"


def table_of(found: list[Row]) -> pa.Table:
    """Return rows as a table in `SCHEMA`."""
    columns = {name: [row[name] for row in found] for name in SCHEMA.names}
    batch = observations(columns.pop("datastream"), columns.pop("time"), **columns)
    return pa.Table.from_batches([batch])
