"""What PostgreSQL refuses, in our words (its error codes: PostgreSQL manual, appendix A)."""

from __future__ import annotations

import re

from penstock.core.errors import (
    Backpressure,
    ConfigError,
    Corrupt,
    DiskFull,
    InvalidInput,
    NotConnected,
    NotSupported,
    PenstockError,
    TooMuch,
)

#: By code, or by its first two signs, which are its class.
_KINDS: dict[str, tuple[type[PenstockError], str]] = {
    "53100": (DiskFull, "the catalog's server cannot write: {}; free some space there"),
    "53": (Backpressure, "the catalog's server has too much to do: {}; it is tried again"),
    "55P03": (Backpressure, "the catalog is held by another program: {}; it is tried again"),
    "40": (Backpressure, "another program changes the same in the catalog: {}; it is tried again"),
    "57014": (TooMuch, "the catalog's server gave up: {}; ask for less at once"),
    "54": (NotSupported, "this asks more of the catalog at once than it can do ({}); ask in parts"),
    "22003": (InvalidInput, "a number is too large to be kept or looked for: {}"),
    "22": (InvalidInput, "the catalog cannot hold this: {}"),
    "28": (ConfigError, "the catalog's server does not let us in: {}; check user and password"),
    "3D": (ConfigError, "the catalog's database is not there: {}; make it with createdb"),
    "3F": (ConfigError, "the catalog's schema is not there: {}; make it with CREATE SCHEMA"),
    "42501": (ConfigError, "the catalog's user may not do this: {}; GRANT CREATE ON SCHEMA to it"),
    "25006": (NotConnected, "the catalog's server only reads now: {}; it is tried again"),
    "XX001": (Corrupt, "the catalog is damaged: {}; restore it from a backup"),
    "XX002": (Corrupt, "an index of the catalog is damaged: {}; REINDEX it"),
}  # fmt: skip

#: What servers say before there is a connection, when the driver knows no code.
_WHILE_CONNECTING = {
    "28": re.compile(
        'authentication failed|no password supplied|no pg_hba.conf entry|role ".*" does not exist'
    ),
    "3D": re.compile('database ".*" does not exist'),
    "53": re.compile("too many (clients|connections)|remaining connection slots"),
}


def ours(error: BaseException | None) -> PenstockError | None:
    """Return an error of psycopg as one of ours; None where it is nothing special."""
    import psycopg

    if not isinstance(error, psycopg.Error):
        return None
    said = " ".join(str(error).split())
    code = error.sqlstate or ""
    if code == "42883" and "penstock_" in said:
        return NotSupported(
            "conditions about geometries need PostGIS in the catalog's database; let an "
            "administrator run CREATE EXTENSION postgis there, and start again"
        )
    kind = _KINDS.get(code) or _KINDS.get(code[:2])
    if kind is not None:
        return kind[0](kind[1].format(said))
    if isinstance(error, psycopg.DataError):  # of the driver: what cannot be sent at all
        return InvalidInput(f"the catalog cannot hold this: {said}")
    if isinstance(error, psycopg.OperationalError):
        for known, signs in _WHILE_CONNECTING.items():
            if signs.search(said):
                return _KINDS[known][0](_KINDS[known][1].format(said))
        return NotConnected(f"the catalog's server cannot be reached: {said}; it is tried again")
    return None
