"""Requests to the platform's HTTP API, with the standard library, and its errors as ours."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from penstock.core import errors
from penstock.core.errors import ConfigError, NotConnected, PenstockError

T = TypeVar("T")

#: Answers are read in pieces of this many bytes.
PIECE_BYTES = 262_144


class Problem(msgspec.Struct):
    """What an answer says went wrong."""

    code: str = "error"
    message: str = ""
    hint: str = ""


class ErrorAnswer(msgspec.Struct):
    """The body of an answer with status 400 or more."""

    error: Problem


class Web:
    """Asks the API of one platform.

    Args:
        url: Its address.
        key: Shown with each request; "" shows none.
        ca_file: Certificates to trust beside the machine's; "" for none.
        timeout_s: Longest silence of the server.
    """

    def __init__(self, url: str, key: str, ca_file: str, timeout_s: float) -> None:
        self.url = url.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s
        self._context = tls_context(ca_file) if url.startswith("https") else None

    def get(self, path: str, kind: type[T], params: Mapping[str, Any] | None = None) -> T:
        """Return the answer to a GET as a type. Errors as in `open`."""
        return self.ask("GET", path, kind, params=params)

    def ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, Any] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> T:
        """Return the answer as a type. Errors as in `open`."""
        data = None if body is None else msgspec.json.encode(body)
        sent = {"Content-Type": "application/json"} if data is not None else {}
        with self.open(
            method, path, params, data, {**sent, **(headers or {})}, timeout_s
        ) as answer:
            content = answer.read()
        if kind is type(None):
            return None
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:
            msg = f"{self.url} does not answer like Penstock: {error}; is it one, and as new?"
            raise NotConnected(msg) from error

    @contextlib.contextmanager
    def open(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[IO[bytes]]:
        """Send a request and give the answer's body, to be read piece by piece.

        Raises:
            NotConnected: Nobody answers, or the answer ends too early.
            PenstockError: The platform says what went wrong; the type is the one of its code.
        """
        import http.client
        import urllib.error
        import urllib.request

        request = urllib.request.Request(  # noqa: S310 - settings allow http and https only
            self.address(path, params), data, dict(headers or {}), method=method
        )
        if self._key:
            request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=timeout_s or self._timeout_s, context=self._context
            ) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error.code, error.read(), self.url) from None
        except (OSError, http.client.HTTPException) as error:
            raise NotConnected(_unreachable(self.url, error)) from error

    def address(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """Return the address of a path under /api/v1; parameters that are None are left out."""
        pairs: list[tuple[str, str]] = []
        for name, value in (params or {}).items():
            many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            pairs += [(name, str(one)) for one in many if one is not None]
        query = f"?{urlencode(pairs)}" if pairs else ""
        return f"{self.url}/api/v1{quote(path)}{query}"


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return what checks a server's certificate.

    Raises:
        ConfigError: The file cannot be read or holds no certificates.
    """
    try:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        msg = f"ca_file {ca_file!r} cannot be used: {error}; name a PEM file with certificates"
        raise ConfigError(msg) from error
    return context


def _unreachable(url: str, error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {url} is not trusted: {reason.verify_message}; give the file with "
            "its issuer as ca_file (PENSTOCK_CA_FILE)"
        )
    if isinstance(reason, ConnectionRefusedError):
        return (
            f"nobody answers at {url}: connection refused; is Penstock up there (`penstock up`), "
            "and is this its address (url, PENSTOCK_URL)?"
        )
    if isinstance(reason, TimeoutError):
        return f"{url} did not answer in time; is the network slow, or the platform very busy?"
    return f"cannot reach {url}: {reason}; check the address (url, PENSTOCK_URL) and the network"


def _problem(status: int, body: bytes, url: str) -> PenstockError:
    try:
        problem = msgspec.json.decode(body, type=ErrorAnswer).error
    except msgspec.DecodeError:
        text = body[:200].decode(errors="replace").strip()
        return NotConnected(f"{url} answers {status}, and not as Penstock does: {text!r}")
    text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    if problem.code == "unauthenticated":
        text += " (key, PENSTOCK_KEY)"
    found = _BY_CODE.get(problem.code)
    if found is not None:
        return found(text)
    if status in {429, 502, 503, 504}:
        return NotConnected(text)
    made = PenstockError(text)
    made.code = problem.code  # type: ignore[misc]
    return made


_BY_CODE: Mapping[str, type[PenstockError]] = {
    value.code: value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, PenstockError)
}
