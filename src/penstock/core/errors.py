"""What can go wrong, as one tree; the type tells the caller what to do next.

PenstockError
├── ConfigError          stop; a setting is wrong
├── MissingDependency    stop; install what the message names
├── InvalidInput         refuse this input; the sender must change it
│   ├── CannotDecode     keep the message in the dead letters
│   └── InvalidQuery     refuse this SQL; the place and a suggestion are in it
├── Unauthenticated      say who you are: sign in, or show a key that is valid
├── Forbidden            who asks may not do this; the owner can allow it
├── NotFound             the thing asked for does not exist
├── NotSupported         it is understood, and cannot be done here
├── TooMuch              it would take more time, memory or rows than allowed
├── Conflict             it exists already, or someone else holds it
├── NotConnected         nothing was kept; open again and retry
├── Backpressure         nothing was kept; retry after `retry_after_s`
│   ├── DiskFull         no space left; acknowledge nothing until there is
│   └── TooManyRequests  slow down; this client or address has used up its share
├── Corrupt              stored bytes fail their checksum
├── EndOfInput           a finite source is exhausted
└── Bug                  a promise inside Penstock was broken; report it

A message says what failed, the value it got, what is allowed and the next step.
Every error has a stable `code`, used in the API, the logs and the documentation.
"""

from __future__ import annotations

from typing import ClassVar


class PenstockError(Exception):
    """Root of every error that Penstock raises on purpose."""

    code: ClassVar[str] = "error"


class ConfigError(PenstockError):
    """Raised when a setting is unknown, out of range or contradicts another."""

    code = "config"


class MissingDependency(PenstockError, ImportError):
    """Raised when an optional package is needed; the message holds the pip line."""

    code = "missing-dependency"


class InvalidInput(PenstockError):
    """Raised when input from outside cannot be accepted as it is."""

    code = "invalid-input"


class CannotDecode(InvalidInput):
    """Raised when a message's payload is not what its route expects."""

    code = "cannot-decode"


class InvalidQuery(InvalidInput):
    """Raised when SQL cannot be run as it is.

    Args:
        message: What is wrong, and what to write instead.
        line: Line of the SQL, from 1; 0 when no place can be told.
        column: Column in that line, from 1; 0 when no place can be told.
    """

    code = "invalid-query"

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"line {line}, column {column}: {message}" if line else message)
        self.line = line
        self.column = column


class Unauthenticated(PenstockError):
    """Raised when someone must say who they are, or what they showed is not valid (any more)."""

    code = "unauthenticated"


class Forbidden(PenstockError):
    """Raised when the one who asks is known and may not do this."""

    code = "forbidden"


class NotFound(PenstockError):
    """Raised when the named thing does not exist."""

    code = "not-found"


class NotSupported(PenstockError):
    """Raised when a request is understood and this platform lacks what it needs."""

    code = "not-supported"


class TooMuch(PenstockError):
    """Raised when a request would take more time, memory or rows than the settings allow."""

    code = "too-much"


class Conflict(PenstockError):
    """Raised when the name is taken, or another process holds the resource."""

    code = "conflict"


class NotConnected(PenstockError):
    """Raised when nothing was kept because the other side is gone; open again and retry."""

    code = "not-connected"


class Backpressure(PenstockError):
    """Raised when nothing was kept because the receiver is busy.

    Args:
        message: What is busy and why.
        retry_after_s: Seconds after which a retry makes sense.
    """

    code = "backpressure"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class DiskFull(Backpressure):
    """Raised when a write or sync failed for lack of space; nothing was acknowledged."""

    code = "disk-full"


class TooManyRequests(Backpressure):
    """Raised when one client or address asks too often; nothing was done."""

    code = "too-many-requests"


class Corrupt(PenstockError):
    """Raised when stored bytes fail their checksum or break their format."""

    code = "corrupt"


class EndOfInput(PenstockError):
    """Raised when a finite source has no more input."""

    code = "end-of-input"


class Bug(PenstockError):
    """Raised when a promise inside Penstock was broken; please report it."""

    code = "bug"
