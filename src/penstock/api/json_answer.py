"""JSON in and out, by msgspec: fast, and NaN becomes null."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from fastapi import Request, Response

from penstock.core.errors import InvalidInput

T = TypeVar("T")


class Json(Response):
    """An answer in JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode."""
        return content if isinstance(content, bytes) else msgspec.json.encode(content)


async def read_json(request: Request, kind: type[T]) -> T:
    """Return the body of a request as a type; none at all is an object without members.

    Raises:
        InvalidInput: It is not JSON, or not of this type.
    """
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        msg = f"the body cannot be read: {error}"
        raise InvalidInput(msg) from error
