"""Pages: where the next one begins, and its address."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import Request

from penstock.core.errors import InvalidInput
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US
from penstock.core.selection import Cursor

#: Datastreams that one address can name.
MAX_DATASTREAMS = 1000

_CURSOR = re.compile(r"(-?\d{1,18})_(\d{1,19})_(-?\d{1,19})")
_MIN_ID, _MAX_ID = -(2**63), 2**63 - 1


def cursor_text(cursor: Cursor) -> str:
    """Return a cursor as it stands in addresses."""
    return f"{cursor.time_us}_{cursor.datastream}_{cursor.feature}"


def parse_cursor(text: str) -> Cursor:
    """Return the cursor that `cursor_text` wrote.

    Raises:
        InvalidInput: It did not write this.
    """
    if match := _CURSOR.fullmatch(text):
        time_us, datastream, feature = map(int, match.groups())
        fits = all(_MIN_ID <= part <= _MAX_ID for part in (datastream, feature))
        if fits and MIN_TIME_US <= time_us <= MAX_TIME_US:
            return Cursor(time_us, datastream, feature)
    msg = f"after={text[:80]!r} is no place to continue at; follow the `next` of an answer"
    raise InvalidInput(msg)


def next_page(request: Request, after: object | None) -> dict[str, str]:
    """Return the header that links to the next page (RFC 8288); none when there is none."""
    if after is None:
        return {}
    given = [(k, v) for k, v in request.query_params.multi_items() if k != "after"]
    query = urlencode([*given, ("after", str(after))])
    return {"Link": f'<{request.url.path}?{query}>; rel="next"'}


def last_row(table: pa.Table) -> Cursor:
    """Return the identity of the last row."""
    last = table.num_rows - 1
    time, datastream, feature = (
        table.column(name)[last] for name in ("time", "datastream", "feature")
    )
    return Cursor(time.cast("int64").as_py(), datastream.as_py(), feature.as_py())
