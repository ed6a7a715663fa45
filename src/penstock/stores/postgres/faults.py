"""What PostgreSQL and its driver say, in terms of `core.errors`, and never with a password."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock.core.errors import (
    Backpressure,
    ConfigError,
    Conflict,
    DiskFull,
    InvalidInput,
    MissingDependency,
    NotConnected,
    PenstockError,
)

#: SQLSTATEs after which a connection is of no use, besides class 08 (connection exceptions).
_ENDED = ("57P01", "57P02", "57P03", "57P05", "25P03", "25006")
#: SQLSTATEs of what passes: too many connections, memory, locks, deadlocks, timeouts.
_PASSING = ("53000", "53200", "53300", "53400", "55P03", "40001", "40P01", "57014")
#: SQLSTATEs that only whoever set it up can do something about: wrong password or name, no
#: permission.
_REFUSED = ("28000", "28P01", "3D000", "42501")
_FULL = ("53100",)
_SQLSTATE = re.compile(r"\.?\s*SQLSTATE: \w+")
#: A row that is there already.
_UNIQUE = "23505"
#: A number became too large.
OVERFLOW = "22003"


class Taken(NotConnected):
    """Raised when rows are there that nobody but us can have written; nothing was kept."""


def missing_driver(error: ImportError) -> MissingDependency:
    """Return the error for a driver that is not installed."""
    msg = f"PostgreSQL needs a driver ({error}); pip install 'penstock[postgres]'"
    return MissingDependency(msg)


def sqlstate_of(error: Exception) -> str | None:
    """Return the SQLSTATE of a driver's error; None when the server had no part in it."""
    found = getattr(error, "sqlstate", None)
    return found if isinstance(found, str) and found.strip("\0") else None


def is_gone(error: Exception) -> bool:
    """Return whether the connection is of no use any more."""
    state = sqlstate_of(error)
    return state is None or state.startswith("08") or state in _ENDED


def explained(error: Exception, url: str) -> PenstockError:
    """Return a driver's error as one of ours."""
    state = sqlstate_of(error)
    said = _said(error, url)
    where = shown(url)
    if state in _FULL:
        return DiskFull(f"{where} has no disk space left: {said}; make room there")
    if state in _PASSING:
        return Backpressure(f"{where} is busy: {said}; it is tried again")
    if state in _REFUSED:
        return ConfigError(f"{where} refuses: {said}; see docs/guides/postgresql.md")
    if state is not None and state.startswith("22"):
        return InvalidInput(f"{where} cannot keep these values: {said}")
    if state == _UNIQUE:
        return Taken(f"{where} has rows that something else has written: {said}")
    if is_gone(error):
        return NotConnected(f"{where} does not answer: {said}; it is tried again")
    return NotConnected(f"{where} failed: {said}")


def held_elsewhere(url: str, schema: str, holder: str) -> Conflict:
    """Return the error for a second writer."""
    msg = (
        f"another Penstock{holder} writes to schema {schema!r} of {shown(url)}, and there can be "
        "one writer; stop it, or set another `store.postgres.schema` or another database"
    )
    return Conflict(msg)


def shown(url: str) -> str:
    """Return an address for people: without password and parameters."""
    try:
        parts = urlsplit(url)
        name, host, port = parts.path.lstrip("/"), parts.hostname, parts.port
    except ValueError:
        return "PostgreSQL"
    if not host:
        host = dict(parse_qsl(parts.query)).get("host", "")
    where = f" on {host}" if host else ""
    return f"PostgreSQL database {unquote(name)!r}{where}" + (f":{port}" if port else "")


def _said(error: Exception, url: str) -> str:
    """Return the driver's message in one line, without what is secret."""
    text = str(error)
    for secret in _secrets(url):
        text = text.replace(secret, "***")
    # What comes before the server's own words says how the driver came to ask.
    text = _SQLSTATE.sub("", text.partition("ERROR:")[2] or text)
    lines = [line.strip() for line in text.splitlines() if line.strip(" .")]
    kept = [line for line in lines if not line.startswith(("LINE ", "^", "Query was", "CONTEXT:"))]
    return "; ".join(kept)[:500].rstrip(".")


def _secrets(url: str) -> list[str]:
    """Return what must not be shown, longest first."""
    head, _, query = url.partition("?")
    account = head.partition("://")[2].rpartition("@")[0]
    found = {account.partition(":")[2]}
    parameters = (pair.partition("=") for pair in query.split("&"))
    found.update(value for name, _, value in parameters if "password" in name)
    found.update([unquote(secret) for secret in found])
    return sorted((secret for secret in found if secret), key=len, reverse=True)
