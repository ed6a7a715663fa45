"""Opening a connection to the MQTT door, and moving bytes over it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from penstock.client.packets import (
    CONNACK,
    RECEIVE_MAXIMUM,
    SERVER_KEEP_ALIVE,
    Cutter,
    Packet,
    connect,
)
from penstock.client.settings import ClientSettings
from penstock.client.web import tls_context
from penstock.client.whereabouts import Whereabouts
from penstock.core.errors import NotConnected

#: Bytes taken from the network, or given to it, at once.
_PIECE = 262_144
#: Unacknowledged messages that the server may send us; it has a limit of its own too.
_RECEIVE_MAXIMUM = 1000


@dataclass(frozen=True, slots=True)
class Greeted:
    """A connection that the server has let in.

    Attributes:
        link: The socket, not blocking.
        cutter: Cuts what comes next.
        early: Packets that came with the greeting.
        window: Unacknowledged messages that the server takes.
        alive_s: How often it wants a sign of life, seconds, with some to spare.
        session_present: Whether it has kept the session.
    """

    link: socket.socket
    cutter: Cutter
    early: list[Packet]
    window: int
    alive_s: float
    session_present: bool


def dial(
    settings: ClientSettings,
    whereabouts: Whereabouts,
    client_id: str,
    *,
    keeps_session: bool,
    wants_offsets: bool = False,
) -> Greeted:
    """Connect and be let in.

    Raises:
        NotConnected: The door cannot be reached, or does not let us in; the message says why.
        ConfigError: As `Whereabouts.door`.
    """
    scheme, host, port = whereabouts.door()
    try:
        link = socket.create_connection((host, port), settings.timeout_s)
    except OSError as error:
        msg = (
            f"cannot reach the MQTT door at {host}:{port}: {error.strerror or error}; is "
            "Penstock up, and may this machine connect to it?"
        )
        raise NotConnected(msg) from error
    try:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if scheme == "mqtts":
            link = tls_context(settings.ca_file).wrap_socket(link, server_hostname=host)
        found = _greet(
            link,
            settings,
            client_id,
            keeps_session=keeps_session,
            wants_offsets=wants_offsets,
        )
        link.setblocking(False)
    except ssl.SSLError as error:
        link.close()
        msg = (
            f"no encrypted connection to {host}:{port}: {error}; give the file with the issuer of "
            "its certificate as ca_file (PENSTOCK_CA_FILE)"
        )
        raise NotConnected(msg) from error
    except BaseException:
        link.close()
        raise
    return found


def _greet(
    link: socket.socket,
    settings: ClientSettings,
    client_id: str,
    *,
    keeps_session: bool,
    wants_offsets: bool,
) -> Greeted:
    link.sendall(
        connect(
            client_id,
            username=settings.name if settings.key else "",
            password=settings.key,
            keep_alive_s=settings.keep_alive_s,
            session_expiry_s=settings.session_expiry_s if keeps_session else 0,
            receive_maximum=_RECEIVE_MAXIMUM,
            clean_start=not keeps_session,
            wants_offsets=wants_offsets,
        )
    )
    cutter = Cutter()
    packets: list[Packet] = []
    while not packets:
        data = link.recv(_PIECE)
        if not data:
            raise NotConnected("the MQTT door closed the connection at once; see its log")
        packets += cutter.feed(data)
    answer = packets[0]
    if answer.kind != CONNACK or answer.reason >= 0x80:
        hint = "; check the key (key, PENSTOCK_KEY)" if answer.reason in {0x86, 0x87} else ""
        raise NotConnected(f"the MQTT door does not let us in: {answer.why}{hint}")
    window = answer.properties.get(RECEIVE_MAXIMUM, 65_535)
    alive = int(answer.properties.get(SERVER_KEEP_ALIVE, 0)) or settings.keep_alive_s
    return Greeted(
        link=link,
        cutter=cutter,
        early=packets[1:],
        window=int(window),
        alive_s=min(settings.keep_alive_s, alive) * 0.8,
        session_present=answer.session_present,
    )


def send_some(link: socket.socket, out: bytearray) -> int:
    """Send what goes now, and return how many bytes that were.

    Raises:
        NotConnected: The connection broke.
    """
    try:
        with memoryview(out) as view:
            return link.send(view[:_PIECE])
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return 0
    except OSError as error:
        raise NotConnected(f"the connection broke: {error.strerror or error}") from error


def receive(link: socket.socket) -> bytes:
    """Return what has come; nothing when nothing has.

    Raises:
        NotConnected: The connection broke, or was closed.
    """
    parts: list[bytes] = []
    try:
        while True:
            data = link.recv(_PIECE)
            if not data:
                if parts:
                    break
                raise NotConnected("the MQTT door closed the connection")
            parts.append(data)
            if len(data) < _PIECE and not isinstance(link, ssl.SSLSocket):
                break
            if len(parts) >= 16 and not isinstance(link, ssl.SSLSocket):
                break  # what TLS has decrypted already would not wake us again
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        pass
    except OSError as error:
        raise NotConnected(f"the connection broke: {error.strerror or error}") from error
    return b"".join(parts)
