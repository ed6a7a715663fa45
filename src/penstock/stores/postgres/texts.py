"""Texts of any characters in columns that cannot hold U+0000.

PostgreSQL refuses that character in texts, and devices may send it. It is kept as `ESCAPE` and `0`,
and `ESCAPE` itself, a character that Unicode keeps for private use, as `ESCAPE` and `1`. All other
texts, which are nearly all there are, stand in the database as they are.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

#: What begins a pair of characters that stands for one.
ESCAPE = "\ue000"


def kept(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return texts as they are kept in the database."""
    if not (_has(column, "\0") or _has(column, ESCAPE)):
        return column
    column = pc.replace_substring(column, ESCAPE, ESCAPE + "1")
    return pc.replace_substring(column, "\0", ESCAPE + "0")


def given(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Return the texts that `kept` was given."""
    if not _has(column, ESCAPE):
        return column
    column = pc.replace_substring(column, ESCAPE + "0", "\0")
    return pc.replace_substring(column, ESCAPE + "1", ESCAPE)


def _has(column: pa.Array | pa.ChunkedArray, part: str) -> bool:
    if column.null_count == len(column):
        return False
    return bool(pc.any(pc.match_substring(column, part)).as_py())
