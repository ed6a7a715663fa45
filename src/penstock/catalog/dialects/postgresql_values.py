"""How values go to PostgreSQL and come back: numbers as they are, not as doubles are rounded."""

from __future__ import annotations

from typing import Any

from psycopg.adapt import Dumper, Loader
from psycopg.postgres import types

#: From here on whole numbers are not all doubles, and are said as doubles are.
_WHOLE = 9.2e18


class _Double(Dumper):
    """A double as `numeric`: whole ones exactly, others by their shortest decimal."""

    oid = types["numeric"].oid

    def dump(self, obj: float) -> bytes:
        is_whole = obj.is_integer() and abs(obj) < _WHOLE
        return (str(int(obj)) if is_whole else repr(obj)).encode()


class _Number(Loader):
    """A `numeric` as the whole number or double that it is."""

    def load(self, data: Any) -> int | float:
        said = bytes(data)
        return float(said) if b"." in said or len(said) > 19 else int(said)


def register(connection: Any) -> None:
    """Let a connection of psycopg give and take numbers so."""
    connection.adapters.register_dumper(float, _Double)
    connection.adapters.register_loader("numeric", _Number)
