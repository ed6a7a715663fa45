"""`TO_UNIT`: numbers of one unit as numbers of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from penstock.sql.functions.making import merged, quoted
from penstock.sql.functions.units import conversion, measure
from penstock.sql.signature import SOURCE_UNIT, Function, Kind, Value

#: Name in DuckDB of the conversion of rows that each have a unit of their own.
UDF = "penstock_to_unit"


def _to_unit(values: Sequence[Value]) -> Value:
    number, *units = values
    target = units[-1].literal
    if not isinstance(target, str):
        msg = "the unit to convert to must be written out, as in TO_UNIT(result, unit, 'km/h')"
        raise ValueError(msg)  # noqa: TRY004
    measure(target)
    if len(units) > 1:
        source = units[0].literal if isinstance(units[0].literal, str) else None
    elif number.unit is None or number.unit == SOURCE_UNIT:
        msg = (
            "it is not known here which unit the number has; say it in the middle, "
            f"as a text or a column: TO_UNIT(result, unit, {quoted(target)})"
        )
        raise ValueError(msg)
    else:
        source = number.unit
    if source is None:
        sql = f"{UDF}({number.sql}, {units[0].sql}, {quoted(target)})"
    else:
        how = conversion(source, target)
        multiply, divide, add = (f"{x!r}::DOUBLE" for x in (how.multiply, how.divide, how.add))
        sql = f"(({number.sql}) * {multiply} / {divide} + {add})"
    return merged(values, sql, Kind.NUMBER, target)


def convert(numbers: pa.Array, units: pa.Array, targets: pa.Array) -> pa.Array:
    """Convert numbers row by row; null where the unit is unknown or measures something else.

    Args:
        numbers: Doubles.
        units: The unit of each.
        targets: The unit wanted, the same in all rows.
    """
    import numpy as np

    count = len(numbers)
    if count == 0:
        return pa.array([], pa.float64())
    target = targets[0].as_py()
    kinds = _chunk(units).dictionary_encode()
    # One more at the end, for rows without a unit.
    factors = np.full((len(kinds.dictionary) + 1, 3), np.nan)
    known = np.zeros(len(factors), dtype=bool)
    for at, unit in enumerate(kinds.dictionary.to_pylist()):
        try:
            how = conversion(unit, target)
        except ValueError:
            continue
        factors[at] = how.multiply, how.divide, how.add
        known[at] = True
    indices = kinds.indices.fill_null(len(kinds.dictionary)).to_numpy(zero_copy_only=False)
    column = _chunk(numbers)
    values = column.to_numpy(zero_copy_only=False)
    multiply, divide, add = factors[indices].T
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values * multiply / divide + add
    missing = ~known[indices]
    if column.null_count:
        missing |= column.is_null().to_numpy(zero_copy_only=False)
    return pa.array(converted, pa.float64(), mask=missing)


def _chunk(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


FUNCTIONS = {
    "TO_UNIT": Function(
        takes=(Kind.NUMBER, Kind.TEXT, Kind.TEXT),
        gives=Kind.NUMBER,
        sql=_to_unit,
        needs=2,
        example="TO_UNIT(result, unit, 'km/h')",
    ),
}
