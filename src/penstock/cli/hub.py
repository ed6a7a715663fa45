"""How commands talk to a running Penstock: its HTTP API, with errors a person can act on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from penstock.cli import saved
from penstock.core.errors import (
    Backpressure,
    Conflict,
    Forbidden,
    InvalidInput,
    NotConnected,
    NotFound,
    PenstockError,
    TooManyRequests,
    Unauthenticated,
)

if TYPE_CHECKING:
    import httpx

#: Option of every command that asks a running Penstock.
Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="PENSTOCK_URL", help="Address of the running Penstock.", metavar="URL"
    ),
]
#: Option of every command that can answer scripts.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
#: Option of every command that asks before it does what cannot be undone.
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

DEFAULT_URL = "http://127.0.0.1:8080"
#: A replay of many dead letters takes its time.
TIMEOUT_S = 3600.0
#: Items asked for at once.
PAGE = 1000

_ERRORS: Mapping[int, type[PenstockError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    429: TooManyRequests,
}


def ask(method: str, url: str, path: str, body: object = None, **query: object) -> Any:
    """Return what the API of a running Penstock answers.

    Who asks is said by the key in `PENSTOCK_KEY`, or else by what `penstock login` kept.

    Args:
        method: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
        url: Address of the running Penstock.
        path: Path below `/api/v1`.
        body: JSON document to send, if any.
        query: Query parameters; those that are None are left out, lists are repeated.

    Raises:
        NotConnected: Nothing answers there.
        Unauthenticated: It wants to know who asks, or what was shown is not valid.
        Forbidden: Who asks may not do this.
        NotFound: It does not know what was asked for.
        Conflict: It exists already, or its state does not allow this.
        Backpressure: It is busy, or was asked too often.
        InvalidInput: The address is not one, or it refuses what was asked for.
        PenstockError: It failed.
    """
    with _answered(url), _client(url) as client:
        answer = client.request(method, f"/api/v1{path}", params=_known(query), **_body(body))
    _check(answer)
    return answer.json() if answer.content else None


def send_text(url: str, path: str, text: str) -> Any:
    """Return what the API answers to a text that is sent to it.

    Raises:
        PenstockError: As `ask`.
    """
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    with _answered(url), _client(url) as client:
        answer = client.post(f"/api/v1{path}", content=text.encode(), headers=headers)
    _check(answer)
    return answer.json()


def asking_long(url: str, path: str, **query: object) -> AbstractContextManager[httpx.Response]:
    """Give the answer to a GET while it arrives: a large file, or events that follow.

    Raises:
        PenstockError: As `ask`.
    """
    return _long("GET", url, path, None, query)


def posting_long(url: str, path: str, body: object) -> AbstractContextManager[httpx.Response]:
    """Give the answer to a POST while it arrives.

    Raises:
        PenstockError: As `ask`.
    """
    return _long("POST", url, path, body, {})


@contextmanager
def _long(
    method: str, url: str, path: str, body: object, query: Mapping[str, object]
) -> Iterator[httpx.Response]:
    import httpx

    with _answered(url), _client(url) as client:
        address = f"/api/v1{path}"
        request = client.build_request(method, address, params=_known(query), **_body(body))
        request.extensions["timeout"] = httpx.Timeout(5.0, read=None).as_dict()
        answer = client.send(request, stream=True)
        try:
            if not answer.is_success:
                answer.read()
            _check(answer)
            yield answer
        finally:
            answer.close()


def pages(url: str, path: str, limit: int | None = None, **query: object) -> Iterator[Any]:
    """Give the items of a list, page by page, up to `limit`."""
    after: object = None
    left = sys.maxsize if limit is None else limit
    while left > 0:
        page = ask("GET", url, path, after=after, limit=min(left, PAGE), **query)
        yield from page["items"]
        left -= len(page["items"])
        after = page.get("next")
        # A page may be empty and not the last: what stood there is not for whoever asks.
        if after is None:
            return


def quoted(name: object) -> str:
    """Return a name as one part of a path."""
    return quote(str(name), safe="")


def read_text(file: Path) -> str:
    """Return the text of a file; `-` is the input.

    Raises:
        InvalidInput: It cannot be read.
    """
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        msg = f"{file} cannot be read: {reason}"
        raise InvalidInput(msg) from error


def print_json(document: object) -> None:
    """Write a document for scripts."""
    import msgspec

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")


def tell(message: str, answer: object, *, as_json: bool) -> None:
    """Say what was done: in words, or to scripts as the API did; `{}` where it said nothing."""
    if as_json:
        print_json({} if answer is None else answer)
    else:
        typer.echo(message)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone; without a terminal only `--yes` answers."""
    if yes:
        return
    if not sys.stdin.isatty():
        msg = f"{question} There is nobody to ask here; say --yes"
        raise InvalidInput(msg)
    typer.confirm(question, abort=True, err=True)


def _client(url: str) -> httpx.Client:
    import httpx

    secret = saved.secret_for(url)
    if not all(" " < one < "\x7f" for one in secret or ""):
        msg = (
            "the key has characters that no key has; keys begin with `pnk_`: look at PENSTOCK_KEY, "
            "or sign in anew with `penstock login`"
        )
        raise Unauthenticated(msg)
    return httpx.Client(
        base_url=url.rstrip("/"),
        headers={"Authorization": f"Bearer {secret}"} if secret else {},
        timeout=httpx.Timeout(TIMEOUT_S, connect=5.0),
        # Reading the authorities takes longer than most answers; without TLS nobody needs them.
        verify=saved.trusted() if url.startswith("https:") else False,
        # A proxy of the environment is not asked for addresses of this machine.
        trust_env=not is_local(url),
    )


def is_local(url: str) -> bool:
    """Tell whether an address is one of this machine."""
    from urllib.parse import urlsplit

    return (urlsplit(url).hostname or "") in {"localhost", "127.0.0.1", "::1"}


def _known(query: Mapping[str, object]) -> dict[str, Any]:
    return {
        name: [str(one) for one in value] if isinstance(value, list | tuple) else _text(value)
        for name, value in query.items()
        if value is not None
    }


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _body(document: object) -> dict[str, Any]:
    import msgspec

    if document is None:
        return {}
    headers = {"Content-Type": "application/json"}
    return {"content": msgspec.json.encode(document), "headers": headers}


@contextmanager
def _answered(url: str) -> Iterator[None]:
    """Tell of a server that does not answer in words that help."""
    import httpx

    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        msg = f"{url!r} is not an address; an example is {DEFAULT_URL}"
        raise InvalidInput(msg) from error
    except httpx.HTTPError as error:
        hint = (
            "its certificate is not trusted; name the authority's file in PENSTOCK_CA"
            if "CERTIFICATE_VERIFY_FAILED" in str(error)
            else "is Penstock running there? Start it with `penstock up`, or name its address with "
            "--url or PENSTOCK_URL"
        )
        msg = f"no answer from {url}: {error}; {hint}"
        raise NotConnected(msg) from error


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    status, message = answer.status_code, _message(answer)
    if status == 401 and "penstock login" not in message:
        message += "; `penstock login` signs in, PENSTOCK_KEY takes a key"
    raise _error(status)(message)


def _error(status: int) -> type[PenstockError]:
    if status in _ERRORS:
        return _ERRORS[status]
    if status == 503:
        return Backpressure
    return InvalidInput if status < 500 else PenstockError


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answered {answer.status_code}; is that the address of Penstock?"
