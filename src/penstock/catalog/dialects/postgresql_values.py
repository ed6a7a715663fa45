"""How values go to PostgreSQL and come back.

Numbers go as they are, not as doubles are rounded; JSON as it is written.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.postgres import adapters as usual
from psycopg.postgres import types
from psycopg.types.json import set_json_dumps, set_json_loads

from penstock.core.errors import InvalidInput

#: JSON that PostgreSQL cannot take apart; a backslash before it makes it plain text.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class _Double(Dumper):
    """A double as `numeric`: whole ones exactly, others by their shortest decimal."""

    oid = types["numeric"].oid

    def dump(self, obj: float) -> bytes:
        return (str(int(obj)) if obj.is_integer() else repr(obj)).encode()


class _Number(Loader):
    """A `numeric` as the whole number or double that it is."""

    def load(self, data: Any) -> int | float:
        said = bytes(data)
        if b"." in said:
            return float(said)
        whole = int(said)
        return whole if -(2**63) <= whole < 2**63 else float(said)


def _to_json(value: object) -> bytes:
    said = msgspec.json.encode(value)
    if b"\\u0000" in said and _NUL.search(said):
        msg = "a text in JSON holds the character NUL, which the catalog's database cannot keep"
        raise InvalidInput(msg)
    return said


def adapters() -> AdaptersMap:
    """Return what lets connections of psycopg give and take values so."""
    found = AdaptersMap(usual)
    found.register_dumper(float, _Double)
    found.register_loader("numeric", _Number)
    set_json_dumps(_to_json, found)
    set_json_loads(msgspec.json.decode, found)
    return found
