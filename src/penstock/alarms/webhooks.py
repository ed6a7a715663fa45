"""Webhooks: one HTTP POST, to where webhooks may go, signed when there is a secret."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from penstock.alarms.settings import AlarmSettings
from penstock.core.errors import InvalidInput, NotConnected

#: Headers of every webhook.
KEY_HEADER = "Penstock-Delivery"
SIGNATURE_HEADER = "Penstock-Signature"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Of an answer only this much is looked at.
MAX_ANSWER = 2000


def check_url(url: str, settings: AlarmSettings) -> SplitResult:
    """Return the parts of an address to which webhooks may be sent, as far as it tells itself.

    Raises:
        InvalidInput: It is none.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        msg = f"{url[:200]!r} is not an address: {error}"
        raise InvalidInput(msg) from error
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
        msg = (
            f"{url[:200]!r} cannot be a webhook; write https://host/path, without a name and "
            "password"
        )
        raise InvalidInput(msg)
    if any(ord(char) <= 32 or ord(char) == 127 for char in url):
        msg = f"{url[:200]!r} holds blanks or control characters; percent-encode them"
        raise InvalidInput(msg)
    allowed = [one.lower() for one in settings.webhook_hosts]
    if allowed and host.lower() not in allowed:
        msg = f"webhooks may not be sent to {host}; `alarms.webhook_hosts` allows {allowed}"
        raise InvalidInput(msg)
    return parts


def post(url: str, body: str, key: str, secret: str, settings: AlarmSettings) -> str:
    """Send a document once and return what the other side answered.

    The signature is `sha256=` and HMAC-SHA256 of the body with the secret, in hexadecimal digits.
    Redirects are not followed.

    Raises:
        InvalidInput: It may not be sent there.
        NotConnected: It was not taken; the message says why.
    """
    parts = check_url(url, settings)
    data = body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Penstock",
        KEY_HEADER: key,
    }
    if secret:
        digest = hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()
        headers[SIGNATURE_HEADER] = f"sha256={digest}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _connection(parts, settings)
    # The timeout of the socket is for each step: who answers byte by byte could keep us for days.
    is_over = threading.Event()
    timer = threading.Timer(settings.webhook_timeout_s, _end, (connection, is_over))
    timer.start()
    try:
        connection.request("POST", path, data, headers)
        answer = connection.getresponse()
        answer.read(MAX_ANSWER)
        if is_over.is_set():
            raise TimeoutError
        said = f"{answer.status} {answer.reason}".strip()
        if not 200 <= answer.status < 300:
            msg = f"{parts.hostname} answered {said}"
            if 300 <= answer.status < 400:
                msg += ": redirects are not followed; give the address itself"
            raise NotConnected(msg)
    except ssl.SSLCertVerificationError as error:
        msg = (
            f"the certificate of {parts.hostname} is refused: {error.verify_message}; a CA of your "
            "own is named by the environment variable SSL_CERT_FILE"
        )
        raise NotConnected(msg) from error
    except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
        if is_over.is_set():
            msg = f"{parts.hostname} took longer than {settings.webhook_timeout_s:g} s"
            raise NotConnected(msg) from error
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        msg = f"{parts.hostname} cannot be reached: {why}"
        raise NotConnected(msg) from error
    finally:
        timer.cancel()
        connection.close()
    return said


def _end(connection: http.client.HTTPConnection, is_over: threading.Event) -> None:
    is_over.set()
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _connection(parts: SplitResult, settings: AlarmSettings) -> http.client.HTTPConnection:
    """Return a connection to an address that was looked at: a name cannot change in between."""
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    address = _address(host, port, settings)
    timeout = settings.webhook_timeout_s
    if is_tls:
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=timeout, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    # The one hook that `http.client` has for it.
    connection._create_connection = (  # type: ignore[attr-defined]  # noqa: SLF001
        lambda _, *given: socket.create_connection(address, *given)
    )
    return connection


def _address(host: str, port: int, settings: AlarmSettings) -> tuple[str, int]:
    try:
        found: Sequence[tuple[object, ...]] = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        msg = f"{host} cannot be found: {error}"
        raise NotConnected(msg) from error
    addresses = [str(one[4][0]) for one in found if isinstance(one[4], tuple)]
    if not settings.webhook_private:
        for address in addresses:
            if not _is_public(address):
                where = host if host == address else f"{host}, which is {address},"
                msg = (
                    f"{where} is an address of this machine or of a private network; webhooks may "
                    "go there only with the setting `alarms.webhook_private = true`"
                )
                raise InvalidInput(msg)
    return addresses[0], port


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        # Addresses that carry another one, which is where they lead to.
        carried = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ())]
        if ip in _NAT64:
            carried.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
        if any(one is not None and not one.is_global for one in carried):
            return False
        ip = ip.ipv4_mapped or ip
    return ip.is_global and not ip.is_multicast
