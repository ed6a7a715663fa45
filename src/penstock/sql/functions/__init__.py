"""Functions of the stream SQL that DuckDB does not have, or means differently.

`FUNCTIONS` is the table for the language; what it makes may call functions that `register` adds
to a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.sql.functions import converting, geography, signals, structured
from penstock.sql.settings import MAX_LIST

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from penstock.sql.signature import Functions

__all__ = ["FUNCTIONS", "LISTED", "register"]

FUNCTIONS: Functions = {
    **geography.FUNCTIONS,
    **converting.FUNCTIONS,
    **structured.FUNCTIONS,
    **signals.FUNCTIONS,
}


#: What a text is put through that `LISTAGG` has made of many.
LISTED = "__listed"


def register(connection: DuckDBPyConnection, max_list: int = MAX_LIST) -> None:
    """Add to a connection what the SQL of the language calls; its cursors have it too.

    Args:
        connection: See above. It understands times without an offset as UTC from now on.
        max_list: Characters that `LISTAGG` may give; of more it says that they are too many.
    """
    from duckdb.func import ARROW, SPECIAL

    connection.execute("SET TimeZone = 'UTC'")
    too_long = (
        f"LISTAGG gives a text of more than {max_list} characters (sql.max_list_characters); "
        "take shorter windows, or count"
    )
    connection.execute(
        f"CREATE MACRO {LISTED}(t) AS CASE WHEN length(t) > {max_list} "
        f"THEN error('{too_long}') ELSE t END"
    )

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
