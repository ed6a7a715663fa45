"""How the next page of entities is asked for: by the sort keys of the last one, else by number."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote

import msgspec

from penstock.core.errors import InvalidInput
from penstock.sensorthings.grammar import Options, print_options

#: Characters that stay as they are in the options of links.
_SAFE = "$=,/()';:@*!"


def next_option(last: tuple[object, ...] | None) -> str:
    """Return the option that leads to what is behind a row, by its `@sort`; empty without one."""
    if last is None:
        return ""
    text = base64.urlsafe_b64encode(msgspec.json.encode(last)).decode().rstrip("=")
    return f"$skiptoken={text}"


def sort_values(token: str) -> tuple[object, ...]:
    """Return the values that a token says.

    Raises:
        InvalidInput: It is not one of ours.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        values = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=list)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        msg = f"$skiptoken={token[:60]!r} is none that a nextLink gave"
        raise InvalidInput(msg) from error
    return tuple(values)


def following(options: Options) -> str:
    """Return the options of an expanded set for its next page, but for what leads there."""
    plain = msgspec.structs.replace(options, skip=0, skip_token=None)
    text = print_options(plain)
    return "".join(f"{quote(part, safe=_SAFE)}&" for part in text.split("&")) if text else ""
