"""Which Datastreams an answer becomes: one for each series and value column.

The Thing is made from the template of the output, or is the column `thing`, or is the app. A
Datastream is named after its column and what else tells the series apart; with a Thing that is not
the app, the app's name comes first, so that what is derived never has the name of what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.apps import AppSpec
from penstock.core.errors import InvalidInput
from penstock.core.queries import SERIES, Column, ColumnKind, Meaning
from penstock.core.registration import DatastreamFacts
from penstock.core.series import ObservationType, Series, Unit
from penstock.sql.apps.checking import columns_in

#: What derived Datastreams say in their properties: by which app, from which of its columns, and
#: which series they are.
APP, APP_ID, COLUMN, KEYS = "app", "app_id", "column", "keys"

_TYPES = {
    ColumnKind.NUMBER: ObservationType.MEASUREMENT,
    ColumnKind.TRUTH: ObservationType.TRUTH,
    ColumnKind.TEXT: ObservationType.CATEGORY,
    ColumnKind.JSON: ObservationType.COMPLEX,
}


@dataclass(frozen=True, slots=True)
class Groups:
    """The series of an answer: which rows belong to which.

    Attributes:
        keys: For each series, what tells it apart: source, and values of the naming columns.
        of_row: Number of the series of each row.
    """

    keys: Sequence[tuple[object, ...]]
    of_row: npt.NDArray[np.int64]


class Naming:
    """Names the Datastreams of one app.

    Args:
        app: Id of the app; 0 before it has one.
        spec: What was said of the app.
        meaning: What is known of its query.

    Raises:
        InvalidInput: The output names columns that the query does not have.
    """

    def __init__(self, app: int, spec: AppSpec, meaning: Meaning) -> None:
        self._app = app
        self._spec = spec
        self._rowwise = meaning.is_rowwise
        columns = {column.name: column for column in meaning.columns}
        self._template = spec.output.thing
        wanted = columns_in(self._template)
        if not wanted and not self._template:
            wanted = [name for name in columns if name.lower() == "thing"]
            self._template = f"{{{wanted[0]}}}" if wanted else ""
        for what, names in (
            ("thing", wanted), ("unit", spec.output.units), ("property", spec.output.properties),
        ):  # fmt: skip
            _all_known(what, names, columns)
        #: Columns that make the name of the Thing, and those that tell series apart beside them.
        self._of_thing = tuple(dict.fromkeys(wanted))
        self._others = tuple(
            name for name, c in columns.items() if c.is_key and name not in self._of_thing
        )
        #: Columns whose values are kept; times are said by the observation itself.
        self.values: Sequence[Column] = [
            column
            for column in meaning.columns
            if not column.is_key
            and column.name not in self._of_thing
            and column.kind is not ColumnKind.TIME
        ]
        if not self.values:
            msg = (
                "the query gives no values to keep; select one beside "
                "the columns that tell series apart, as `AVG(result) AS mean`"
            )
            raise InvalidInput(msg)

    def groups(self, rows: pa.Table) -> Groups:
        """Return which series an answer has."""
        columns = [rows.column(SERIES), *map(rows.column, (*self._of_thing, *self._others))]
        of_row = np.zeros(rows.num_rows, np.int64)
        first = np.zeros(min(1, rows.num_rows), np.int64)
        for column in columns:
            codes = column.combine_chunks().dictionary_encode(null_encoding="encode")
            codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
            size = max(1, len(codes.dictionary))
            mixed = of_row * size + codes.indices.to_numpy(zero_copy_only=False)
            _, first, of_row = np.unique(mixed, return_index=True, return_inverse=True)
        taken = [column.take(pa.array(first)).to_pylist() for column in columns]
        return Groups(keys=list(zip(*taken, strict=True)), of_row=of_row)

    def facts(
        self, key: tuple[object, ...], column: Column, sources: Mapping[int, tuple[str, str]]
    ) -> DatastreamFacts:
        """Return the Datastream of a series and a value column.

        Args:
            key: One of `Groups.keys`.
            column: One of `values`.
            sources: Full name and Thing of Datastreams by id, for row-by-row queries.
        """
        spec = self._spec
        told = dict(zip((*self._of_thing, *self._others), key[1:], strict=True))
        thing = self._template
        for name in self._of_thing:
            thing = thing.replace(f"{{{name}}}", text_of(told[name]))
        thing = thing.strip() or spec.name
        parts = [column.name] if thing == spec.name else [spec.name, column.name]
        parts += [text_of(told[name]) or "null" for name in self._others]
        if key[0] and self._rowwise:
            full, home = sources.get(int(str(key[0])), (f"{key[0]}", ""))
            parts.append(full.removeprefix(f"{home}.") if thing == home else full)
        keys = {name: told[name] for name in self._others}
        return DatastreamFacts(
            series=Series(
                thing=thing,
                name=".".join(parts),
                observed_property=spec.output.properties.get(column.name, column.name),
                observation_type=_TYPES[column.kind],
                unit=Unit(symbol=spec.output.units.get(column.name, column.unit or "")),
                sensor=f"app {spec.name}",
                properties={
                    APP: spec.name,
                    APP_ID: self._app,
                    COLUMN: column.name,
                    **({KEYS: {k: _plain(v) for k, v in keys.items()}} if keys else {}),
                },
            ),
            description=f"{column.name} of app {spec.name}",
        )


def text_of(value: object) -> str:
    """Return a value as it stands in names and topics."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _all_known(what: str, names: Iterable[str], columns: Mapping[str, Column]) -> None:
    for name in names:
        if name not in columns:
            msg = f"{what} names the column {name!r}; the query gives {', '.join(columns)}"
            raise InvalidInput(msg)
