"""What a service without accounts must refuse: foreign names, foreign pages, endless bodies.

A page on the internet can make a browser send requests to `127.0.0.1` (cross-site request
forgery), or point its own name there (DNS rebinding). Browsers tell the truth in `Host`, `Origin`
and `Sec-Fetch-Site`; programs that are no browsers send none of the latter two.
"""

from __future__ import annotations

import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.api.errors import Refused, answer
from penstock.api.meters import Meters
from penstock.api.settings import ApiSettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: Sent with every answer.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'",
}

#: Sent over HTTPS: ask for nothing else for a year. Not to those who call us localhost, where
#: other servers are that have no certificate.
STRICT_TRANSPORT = "max-age=31536000"


def is_loopback(host: str) -> bool:
    """Tell whether a name or address reaches this machine only."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware that refuses what must not come in.

    Args:
        app: What it protects.
        settings: Names that are allowed, size of bodies.
        meters: Counts the answers.
    """

    def __init__(self, app: ASGIApp, settings: ApiSettings, meters: Meters) -> None:
        self._app = app
        self._meters = meters
        self._max_body_bytes = settings.max_body_bytes
        self._names = {name.lower() for name in (*settings.allowed_hosts, settings.host)}
        self._is_https = bool(settings.tls.certificate)
        self._any_name = not is_loopback(settings.host) and not settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._meters.count(scope["method"], message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self._is_https and not is_loopback(
                    _name_of(Headers(scope=scope).get("host", ""))
                ):
                    headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
            await send(message)

        taken = 0

        async def receive_bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body_bytes:
                raise self._too_large()
            return message

        try:
            self._check(scope["method"], Headers(scope=scope))
        except Refused as error:
            await answer(error)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive_bounded, send_with_headers)

    def _check(self, method: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if not self._is_known(host):
            msg = (
                f"this server does not answer to the name {host[:100]!r}; ask it as localhost, or "
                "add the name to `allowed_hosts` in section [api]"
            )
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "wrong-host", msg)
        if method not in SAFE_METHODS and self._is_foreign(host, headers):
            msg = "a page of another site must not change anything here"
            raise Refused(HTTPStatus.FORBIDDEN, "cross-site", msg)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            raise self._too_large()

    def _is_known(self, host: str) -> bool:
        if self._any_name:
            return True
        name = _name_of(host)
        return is_loopback(name) or name in self._names

    @staticmethod
    def _is_foreign(host: str, headers: Headers) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        origin = headers.get("origin")
        return origin is not None and urlsplit(origin).netloc.lower() != host.lower()

    def _too_large(self) -> Refused:
        msg = f"the body is larger than {self._max_body_bytes} bytes (`max_body_bytes` in [api])"
        return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", msg)


def _name_of(host: str) -> str:
    """Return the name or address in a `Host` header; "" if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
