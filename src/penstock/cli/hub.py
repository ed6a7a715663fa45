"""How commands talk to a running Penstock: its HTTP API, with errors a person can act on."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from penstock.core.errors import InvalidInput, NotConnected, NotFound, PenstockError

#: Option of every command that asks a running Penstock.
Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="PENSTOCK_URL", help="Address of the running Penstock.", metavar="URL"
    ),
]
#: Option of every command that can answer scripts.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

DEFAULT_URL = "http://127.0.0.1:8080"
#: A replay of many dead letters takes its time.
TIMEOUT_S = 3600.0


def ask(method: str, url: str, path: str, **query: object) -> Any:
    """Return what the API of a running Penstock answers.

    Args:
        method: `GET`, `POST` or `DELETE`.
        url: Address of the running Penstock.
        path: Path below `/api/v1`.
        query: Query parameters; those that are None are left out.

    Raises:
        NotConnected: Nothing answers there.
        NotFound: It does not know what was asked for.
        InvalidInput: The address is not one, or it refuses what was asked for.
        PenstockError: It failed.
    """
    import httpx

    known = {name: str(value) for name, value in query.items() if value is not None}
    address = f"{url.rstrip('/')}/api/v1{path}"
    try:
        timeout = httpx.Timeout(TIMEOUT_S, connect=5.0)
        answer = httpx.request(method, address, params=known, timeout=timeout)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        msg = f"{url!r} is not an address; an example is {DEFAULT_URL}"
        raise InvalidInput(msg) from error
    except httpx.HTTPError as error:
        msg = (
            f"no answer from {url}: {error}; is Penstock running there? Start it with "
            "`penstock up`, or name its address with --url or PENSTOCK_URL"
        )
        raise NotConnected(msg) from error
    if answer.is_success:
        return answer.json() if answer.content else None
    raise _error(answer.status_code)(_message(answer))


def _error(status: int) -> type[PenstockError]:
    if status == 404:
        return NotFound
    return InvalidInput if status < 500 else PenstockError


def _message(answer: Any) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code}; is that the address of Penstock?"


def print_json(document: object) -> None:
    """Write a document for scripts."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
