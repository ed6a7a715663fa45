"""Rows of the store as Observations: columns become what JSON shows, property by property."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any, TypeGuard

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.entities import Identity, MovedObservations
from penstock.core.series import ObservationType
from penstock.sensorthings.observation_ids import SECOND, further_id, id_of, identity_of, ids_of
from penstock.sensorthings.times import isos

#: Members of `parameters` that are something else (see `core.observation`).
ID, QUALITY, VALID = "@iot.id", "@iot.resultQuality", "@iot.validTime"
RESERVED = '"@iot.'
#: Under these a row tells which Datastream and feature it is of.
DATASTREAM, FEATURE = "@datastream", "@feature"

_EXACT = 2.0**53


class Kind(msgspec.Struct, frozen=True):
    """What is to be known of a Datastream to show its results.

    Attributes:
        type: Word of `core.series.ObservationType`.
        is_multi: It is a MultiDatastream.
    """

    type: str
    is_multi: bool = False


def rows_of(
    table: pa.Table, kinds: Mapping[int, Kind], wanted: Container[str] | None = None
) -> list[dict[str, Any]]:
    """Return rows in `core.observation.SCHEMA` as Observations.

    Args:
        table: The rows.
        kinds: Of their datastreams.
        wanted: Properties that are needed; None is all.
    """
    datastreams = table["datastream"].to_pylist()
    columns: dict[str, list[Any]] = {
        DATASTREAM: datastreams,
        FEATURE: table["feature"].to_pylist(),
        ID: ids_of(table),
    }
    makers: dict[str, Callable[[], list[Any]]] = {
        "phenomenonTime": lambda: phenomenon_times(table),
        "resultTime": lambda: maybe_times(table["result_time"]),
        "result": lambda: _results(table, datastreams, kinds),
    }
    for name, make in makers.items():
        if wanted is None or name in wanted:
            columns[name] = make()
    names = tuple(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    if table["parameters"].null_count < table.num_rows:
        for row, text in zip(rows, table["parameters"].to_pylist(), strict=True):
            if text is not None:
                _add_parameters(row, text)
    return rows


def is_id(value: object) -> TypeGuard[int | str]:
    """Tell whether a value can be an id: parameters come from outside and say anything."""
    return type(value) in (int, str)


def own_id(parameters: str | None) -> int | str | None:
    """Return the id that a moved observation carries, or None."""
    if parameters is None or RESERVED not in parameters:
        return None
    found = msgspec.json.decode(parameters)
    id_ = found.get(ID) if isinstance(found, dict) else None
    return id_ if is_id(id_) else None


def believed(table: pa.Table, moved: MovedObservations) -> pa.Table:
    """Return rows with the ids in their parameters that they are shown with.

    Parameters come from outside, too: what a row says of its id holds when the catalog says so. A
    row at an identity whose id moved away with another one gets an id of its own.
    """
    carried = _carried(table)
    if not moved.has_moved():
        return _with_ids(table, dict.fromkeys(carried)) if carried else table
    natural = ids_of(table)
    places = moved.moved([*map(str, natural), *map(str, carried.values())])
    columns = (table["datastream"], table["time"].cast(pa.int64()), table["feature"])

    def identity(at: int) -> Identity:
        return Identity(*(column[at].as_py() for column in columns))

    changed: dict[int, str | None] = {}
    for at, id_ in carried.items():
        if places.get(str(id_)) != identity(at):
            changed[at] = None
    for at, own in enumerate(natural):
        if str(own) in places and (at not in carried or at in changed):
            id_ = free_id(identity(at), moved)
            changed[at] = id_ if isinstance(id_, str) else None
    return _with_ids(table, changed) if changed else table


def free_id(identity: Identity, moved: MovedObservations) -> int | str:
    """Return the id of an observation that was not moved: one that no other has taken along."""
    id_ = id_of(identity)
    number = SECOND
    while moved.has_moved():
        place = moved.moved([str(id_)]).get(str(id_))
        # One that moved on and came back to its further id is replaced under that id.
        if place is None or place == identity:
            break
        id_ = further_id(identity, number)
        number += 1
    return id_


def place_of(id_: int | str, moved: MovedObservations) -> Identity:
    """Return where the observation with an id is, or would be.

    Raises:
        NotFound: It is not the id of any observation.
    """
    places = moved.moved([str(id_)]) if moved.has_moved() else {}
    return places.get(str(id_)) or identity_of(id_)


def shown_ids(table: pa.Table, moved: MovedObservations) -> list[int | str]:
    """Return the ids that rows are shown with."""
    table = believed(table, moved)
    ids = ids_of(table)
    for at, id_ in _carried(table).items():
        ids[at] = id_
    return ids


def _carried(table: pa.Table) -> dict[int, int | str]:
    """Return the ids that rows carry, by their place in the table."""
    texts = table["parameters"].to_pylist() if _may_carry(table) else []
    return {at: id_ for at, text in enumerate(texts) if (id_ := own_id(text)) is not None}


def _with_ids(table: pa.Table, ids: Mapping[int, str | None]) -> pa.Table:
    """Return rows that carry other ids, or none."""
    texts = table["parameters"].to_pylist()
    for at, id_ in ids.items():
        parameters = msgspec.json.decode(texts[at]) if texts[at] else {}
        if not isinstance(parameters, dict):
            continue
        parameters.pop(ID, None)
        if id_ is not None:
            parameters[ID] = id_
        texts[at] = msgspec.json.encode(parameters).decode() if parameters else None
    at = table.schema.get_field_index("parameters")
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(texts, field.type))


def _may_carry(table: pa.Table) -> bool:
    column = table["parameters"]
    if column.null_count == table.num_rows:
        return False
    return bool(pc.any(pc.match_substring(column, RESERVED)).as_py())


def phenomenon_times(table: pa.Table) -> list[str]:
    """Return when each row was, or from when to when."""
    starts = isos(_us(table["time"]))
    if table["end_time"].null_count == table.num_rows:
        return starts
    ends = maybe_times(table["end_time"])
    return [
        start if end is None else f"{start}/{end}" for start, end in zip(starts, ends, strict=True)
    ]


def maybe_times(column: pa.ChunkedArray) -> list[str | None]:
    """Return times as texts; None where there is none."""
    if column.null_count == len(column):
        return [None] * len(column)
    is_null = column.is_null().to_numpy()
    found: list[str | None] = list(isos(_us(column.fill_null(pa.scalar(0, column.type)))))
    for at in np.flatnonzero(is_null).tolist():
        found[at] = None
    return found


def _us(column: pa.ChunkedArray) -> Any:
    return np.ascontiguousarray(column.cast(pa.int64()).to_numpy())


def _results(table: pa.Table, datastreams: list[int], kinds: Mapping[int, Kind]) -> list[Any]:
    results = json_numbers(table["number"])
    unknown = Kind("")
    truths = {d for d in set(datastreams) if kinds.get(d, unknown).type == ObservationType.TRUTH}
    if truths:
        for at, datastream in enumerate(datastreams):
            if datastream in truths and results[at] is not None:
                results[at] = bool(results[at])
    if table["text"].null_count < table.num_rows:
        for at, text in enumerate(table["text"].to_pylist()):
            if text is not None:
                kind = kinds.get(datastreams[at], unknown)
                is_plain = kind.type == ObservationType.CATEGORY and not kind.is_multi
                results[at] = text if is_plain else _json(text)
    return results


def json_numbers(column: pa.ChunkedArray) -> list[Any]:
    """Return numbers; whole ones as integers, and null for those that JSON cannot say."""
    numbers = column.to_numpy(zero_copy_only=False)
    is_finite = np.isfinite(numbers)
    with np.errstate(invalid="ignore"):
        is_whole = is_finite & (np.abs(numbers) < _EXACT) & (np.floor(numbers) == numbers)
    if is_whole.all():
        return numbers.astype(np.int64).tolist()  # type: ignore[no-any-return]
    found: list[Any] = numbers.tolist()
    for at in np.flatnonzero(is_whole | ~is_finite).tolist():
        found[at] = int(found[at]) if is_finite[at] else None
    return found


def _json(text: str) -> Any:
    """Return text that is JSON as it is, and any other text as a JSON string."""
    try:
        return msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return text


def _add_parameters(row: dict[str, Any], text: str) -> None:
    if RESERVED not in text:
        row["parameters"] = msgspec.Raw(text.encode())
        return
    found = msgspec.json.decode(text)
    if ID in found:
        id_ = found.pop(ID)
        if is_id(id_):
            row[ID] = id_
    for reserved, name in ((QUALITY, "resultQuality"), (VALID, "validTime")):
        if reserved in found:
            row[name] = found.pop(reserved)
    if found:
        row["parameters"] = found
