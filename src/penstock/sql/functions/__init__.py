"""Functions of the stream SQL that DuckDB does not have, or means differently.

`FUNCTIONS` is the table for the language; what it makes may call functions that `register` adds
to a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.sql.functions import converting, geography, signals, structured

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from penstock.sql.signature import Functions

__all__ = ["FUNCTIONS", "register"]

FUNCTIONS: Functions = {
    **geography.FUNCTIONS,
    **converting.FUNCTIONS,
    **structured.FUNCTIONS,
    **signals.FUNCTIONS,
}


def register(connection: DuckDBPyConnection) -> None:
    """Add to a connection what the SQL of `FUNCTIONS` calls; its cursors have it too."""
    from duckdb.func import ARROW, SPECIAL

    number, numbers, text = "DOUBLE", "DOUBLE[]", "VARCHAR"
    functions: tuple[tuple[str, Callable[..., Any], list[str], str], ...] = (
        (converting.UDF, converting.convert, [number, text, text], number),
        (signals.SPECTRUM, signals.spectrum, [numbers, number, text], text),
        (signals.SPECTRAL_PEAK, signals.spectral_peak, [numbers, number, text], number),
        (signals.BAND_RMS, signals.band_rms, [numbers, number, number, number], number),
    )
    for name, function, takes, gives in functions:
        connection.create_function(
            name, function, list(takes), gives, type=ARROW, null_handling=SPECIAL
        )
