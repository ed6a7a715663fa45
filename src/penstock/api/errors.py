"""One shape for everything that goes wrong, made by one function."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from penstock.core.errors import (
    Backpressure,
    Conflict,
    DiskFull,
    Forbidden,
    InvalidInput,
    InvalidQuery,
    MissingDependency,
    NotConnected,
    NotFound,
    NotSupported,
    PenstockError,
    TooMuch,
    Unauthenticated,
)

logger = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong.

    Attributes:
        code: Stable name of the kind of problem.
        message: What failed, the value given, what is allowed.
        hint: What to do next, where the message does not say it.
        line: Line of the SQL that it is about, from 1; left out where there is none.
        column: Column in that line, from 1.
    """

    code: str
    message: str
    hint: str = ""
    line: int = 0
    column: int = 0


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The body of every answer whose status is 400 or more."""

    error: Problem


class Refused(PenstockError):
    """Raised when a request is refused for what it is, not for what it asks.

    Args:
        status: HTTP status.
        code: Stable name.
        message: For a person.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code  # type: ignore[misc]


class NotReady(Refused):
    """Raised when the platform does not work as a whole yet or any more."""

    def __init__(self, reasons: str) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, "not-ready", reasons)


#: The first type that fits tells the status.
_STATUS: Sequence[tuple[type[PenstockError], HTTPStatus]] = (
    (InvalidInput, HTTPStatus.BAD_REQUEST),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (TooMuch, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DiskFull, HTTPStatus.SERVICE_UNAVAILABLE),
    (Backpressure, HTTPStatus.TOO_MANY_REQUESTS),
    (NotConnected, HTTPStatus.SERVICE_UNAVAILABLE),
    (MissingDependency, HTTPStatus.NOT_IMPLEMENTED),
    (NotSupported, HTTPStatus.NOT_IMPLEMENTED),
)

_HINTS = {
    HTTPStatus.NOT_FOUND: "there is nothing at this address; /api/v1/openapi.json lists what is",
    HTTPStatus.METHOD_NOT_ALLOWED: "the Allow header lists the methods that are possible here",
}


def status_of(error: PenstockError) -> HTTPStatus:
    """Return the status that tells a client what to do about an error."""
    if isinstance(error, Refused):
        return error.status
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(error: PenstockError) -> Problem:
    """Return what an error of ours tells."""
    if isinstance(error, InvalidQuery):
        return Problem(error.code, str(error), line=error.line, column=error.column)
    return Problem(error.code, str(error))


def answer(error: Exception) -> Response:
    """Return the answer that tells of an error; the only place that makes one."""
    headers: dict[str, str] = {}
    hint = ""
    place = (0, 0)
    if isinstance(error, PenstockError):
        status, code, message = status_of(error), error.code, str(error)
        if isinstance(error, Backpressure):
            headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
        elif isinstance(error, NotConnected):
            headers["Retry-After"] = "1"
        elif isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = "Bearer"
        elif isinstance(error, InvalidQuery):
            place = (error.line, error.column)
    elif isinstance(error, RecursionError):
        status, code = HTTPStatus.BAD_REQUEST, InvalidInput.code
        message = "objects and arrays within each other are too deep; a few levels are allowed"
    elif isinstance(error, RequestValidationError):
        status, code = HTTPStatus.BAD_REQUEST, InvalidInput.code
        message = "; ".join(map(_wrong_parameter, error.errors()))
    elif isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "-")
        message = f"{status.phrase}: {error.detail}" if error.detail else status.phrase
        message = status.phrase if error.detail == status.phrase else message
        headers.update(error.headers or {})
        hint = _HINTS.get(status, "")
    else:
        status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "internal"
        message = "something inside Penstock failed; its log says what"
        hint = "please report it with the lines of the log"
    body = msgspec.json.encode(ErrorAnswer(Problem(code, message, hint, *place)))
    return Response(body, status, headers, "application/json")


def _wrong_parameter(detail: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in detail.get("loc", ())[1:])
    value = repr(detail.get("input"))[:60]
    return f"parameter {where} = {value}: {detail.get('msg', 'wrong')}"


def install(app: FastAPI) -> None:
    """Let `answer` speak for every error of an app."""

    async def handle(_: Request, error: Exception) -> Response:
        if isinstance(error, PenstockError):
            if status_of(error) is HTTPStatus.INTERNAL_SERVER_ERROR:
                logger.error("a request failed: %s", error, exc_info=error)
        elif not isinstance(error, (HTTPException, RequestValidationError)):
            logger.error("a request failed", exc_info=error)
        return answer(error)

    for kind in (PenstockError, RecursionError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, handle)
