"""Rows of the store as the JSON that shows them: a text for each property of each row.

The same as `observation_rows` gives as values, without making a value of each.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

import msgspec
import pyarrow as pa

from penstock.core.series import ObservationType
from penstock.sensorthings.observation_ids import ids_of
from penstock.sensorthings.observation_rows import (
    ID,
    QUALITY,
    RESERVED,
    VALID,
    Kind,
    is_id,
    json_numbers,
    maybe_times,
    phenomenon_times,
)

#: Where reserved members of `parameters` are shown.
_PLACES = {"resultQuality": QUALITY, "validTime": VALID}


class ObservationTexts:
    """Rows as JSON texts by property; an empty text where a row does not have one.

    Args:
        table: Rows in `core.observation.SCHEMA`.
        kinds: Of their datastreams.
        wanted: Properties that are needed; None is all.
    """

    def __init__(
        self, table: pa.Table, kinds: Mapping[int, Kind], wanted: Container[str] | None = None
    ) -> None:
        self.datastreams: list[int] = table["datastream"].to_pylist()
        self.ids: list[int | str] = ids_of(table)
        self.columns: dict[str, Sequence[str]] = {}
        makers: dict[str, Callable[[], Sequence[str]]] = {
            "phenomenonTime": lambda: [f'"{time}"' for time in phenomenon_times(table)],
            "resultTime": lambda: [
                "null" if time is None else f'"{time}"'
                for time in maybe_times(table["result_time"])
            ],
            "result": lambda: _results(table, self.datastreams, kinds),
        }
        for name, make in makers.items():
            if wanted is None or name in wanted:
                self.columns[name] = make()
        if table["parameters"].null_count < table.num_rows:
            self._add_parameters(table["parameters"].to_pylist(), wanted)

    def _add_parameters(
        self, parameters: Sequence[str | None], wanted: Container[str] | None
    ) -> None:
        columns = {name: [""] * len(parameters) for name in (*_PLACES, "parameters")}
        for at, text in enumerate(parameters):
            if text is None:
                continue
            found = _object(text)
            if found is None:
                columns["parameters"][at] = text
                continue
            if ID in found:
                id_ = msgspec.json.decode(found.pop(ID))
                if is_id(id_):
                    self.ids[at] = id_
            for name, reserved in _PLACES.items():
                if reserved in found:
                    columns[name][at] = bytes(found.pop(reserved)).decode()
            if found:
                columns["parameters"][at] = msgspec.json.encode(found).decode()
        for name, texts in columns.items():
            if (wanted is None or name in wanted) and any(texts):
                self.columns[name] = texts


def _results(
    table: pa.Table, datastreams: Sequence[int], kinds: Mapping[int, Kind]
) -> Sequence[str]:
    if not table.num_rows:
        return []
    numbers = msgspec.json.encode(json_numbers(table["number"])).decode()
    results = numbers[1:-1].split(",")
    unknown = Kind("")
    truths = {d for d in set(datastreams) if kinds.get(d, unknown).type == ObservationType.TRUTH}
    if truths:
        for at, datastream in enumerate(datastreams):
            if datastream in truths and results[at] != "null":
                results[at] = "false" if results[at] == "0" else "true"
    if table["text"].null_count < table.num_rows:
        for at, text in enumerate(table["text"].to_pylist()):
            if text is not None:
                kind = kinds.get(datastreams[at], unknown)
                is_plain = kind.type == ObservationType.CATEGORY and not kind.is_multi
                results[at] = _quoted(text) if is_plain else _json(text)
    return results


def _object(parameters: str) -> dict[str, msgspec.Raw] | None:
    """Return the members of parameters of which some may be reserved, else None."""
    if RESERVED not in parameters:
        return None
    try:
        return msgspec.json.decode(parameters, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return None


def _json(text: str) -> str:
    """Return text that is JSON as it is, and any other text as a JSON string."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return _quoted(text)
    return text


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
