"""How an HTTP request becomes a web socket, and who may make it.

Browsers let any page on the internet open a web socket to any address that its visitor reaches,
and say in `Origin` which page it was. Programs that are no browsers send none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from penstock.door.settings import WebSocketSettings

#: Longest request head taken, in bytes.
MAX_HEAD_BYTES = 16_384
HEAD_END = b"\r\n\r\n"
SUBPROTOCOL = Subprotocol("mqtt")


def upgrade(head: bytes, settings: WebSocketSettings) -> tuple[bytes, str]:
    """Answer a request; return the answer, and why it was refused or "".

    Args:
        head: The request, up to and with the empty line.
        settings: Path and origins.
    """
    protocol = ServerProtocol(subprotocols=[SUBPROTOCOL], select_subprotocol=_choose, max_size=0)
    protocol.receive_data(head)
    requests = [event for event in protocol.events_received() if isinstance(event, Request)]
    if not requests:
        return b"".join(protocol.data_to_send()), "it sent no HTTP request that can be read"
    request = requests[0]
    refusal = _refusal(request, settings)
    response = protocol.reject(*refusal) if refusal else protocol.accept(request)
    return response.serialize(), _why(response)


def _why(response: Response) -> str:
    return "" if response.status_code == 101 else bytes(response.body or b"").decode().strip()


def _choose(_: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


def _refusal(request: Request, settings: WebSocketSettings) -> tuple[HTTPStatus, str] | None:
    headers = request.headers
    path = request.path.partition("?")[0]
    if path != settings.path:
        text = f"No web socket is at {path[:200]!r}; connect to {settings.path!r}.\n"
        return HTTPStatus.NOT_FOUND, text
    origins = headers.get_all("Origin")
    hosts = headers.get_all("Host")
    if origins and not (
        len(origins) == len(hosts) == 1 and is_allowed(origins[0], hosts[0], settings)
    ):
        text = (
            f"A page of {origins[0][:200]!r} may not connect here; its address can be added to "
            "`allowed_origins` in section [door.websocket].\n"
        )
        return HTTPStatus.FORBIDDEN, text
    offered = ",".join(headers.get_all("Sec-WebSocket-Protocol"))
    if headers.get_all("Sec-WebSocket-Key") and SUBPROTOCOL not in map(
        str.strip, offered.split(",")
    ):
        text = "The client must offer the subprotocol 'mqtt' (MQTT 5.0, section 6).\n"
        return HTTPStatus.BAD_REQUEST, text
    return None


def is_allowed(origin: str, host: str, settings: WebSocketSettings) -> bool:
    """Say whether a page of `origin` may connect to this server, which it knows as `host`.

    A page that names the server as it was itself named is the server's own. Only names of this
    machine and addresses count there: any other name can be pointed at any machine by its owner.
    """
    if origin in settings.allowed_origins or "*" in settings.allowed_origins:
        return True
    try:
        ours, theirs = urlsplit(f"//{host}").hostname, urlsplit(origin).hostname
    except ValueError:
        return False
    return ours is not None and ours == theirs and _cannot_be_moved(ours)


def _cannot_be_moved(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
