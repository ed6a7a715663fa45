"""Where the front door listens: plain TCP always, TLS and web sockets if they are set up."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from penstock.core.certificates import ServerCertificate
from penstock.core.errors import ConfigError
from penstock.door.mistakes import Mistakes
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats
from penstock.door.tls import TlsLayer

_log = logging.getLogger(__name__)

#: Time between looks at the files of the certificate.
LOOK_S = 10.0

Make = Callable[[], asyncio.Protocol]


@dataclass(frozen=True, slots=True)
class Place:
    """One address to listen on.

    Attributes:
        setting: What says so.
    """

    scheme: str
    host: str
    port: int
    setting: str

    @property
    def encrypted(self) -> bool:
        """Whether it wants TLS."""
        return self.scheme in ("mqtts", "wss")


class Listeners:
    """All the sockets that listen, and the certificate they show.

    Args:
        settings: Where to listen.

    Raises:
        ConfigError: Settings do not fit.
    """

    def __init__(self, settings: DoorSettings) -> None:
        #: Where it listens, by scheme, with real ports; empty before `open`.
        self.addresses: dict[str, tuple[str, int]] = {}
        self._settings = settings
        #: Where it is to listen.
        self.places = list(_places(settings))
        self._servers: list[asyncio.Server] = []
        self._certificate: ServerCertificate | None = None
        self._looked_at_s = 0.0
        self._counts = Stats()
        for place in self.places:
            if not 0 <= place.port <= 65535:
                raise ConfigError(f"{place.setting}: {place.port} is no port; give 0 to 65535")
        #: Whether others than this machine could come in without showing anything.
        self.is_exposed = is_exposed(settings)
        tls = settings.tls
        if tls.certificate:
            self._certificate = ServerCertificate(
                tls.certificate,
                tls.key,
                client_ca=tls.client_ca,
                require_client=tls.require_client_certificate,
                minimum_version=tls.minimum_version,
            )

    async def open(self, make: Make, mistakes: Mistakes, counts: Stats) -> None:
        """Listen; `make` gives a protocol for every connection.

        Raises:
            ConfigError: An address is taken or not ours, or the certificate cannot be used.
        """
        self._counts = counts
        if self._certificate is not None:
            self._certificate.load()
            counts.certificate_until_s = self._certificate.validity().until_s
        loop = asyncio.get_running_loop()
        for place in self.places:
            factory = self._factory(place, make, mistakes, counts)
            try:
                server = await loop.create_server(factory, place.host, place.port, backlog=1024)
            except OSError as error:
                self.close()
                raise ConfigError(
                    f"the front door cannot listen on {place.host}:{place.port}: {error}; set "
                    f"{place.setting} to a free address of this machine"
                ) from error
            self._servers.append(server)
            host, port = server.sockets[0].getsockname()[:2]
            self.addresses[place.scheme] = (str(host), int(port))

    def close(self) -> None:
        """Listen no more; connections stay. Safe to call twice."""
        for server in self._servers:
            server.close()

    def tick(self, now_s: float) -> None:
        """Take a new certificate when there is one."""
        certificate = self._certificate
        if certificate is None or now_s - self._looked_at_s < LOOK_S:
            return
        self._looked_at_s = now_s
        if certificate.has_changed():
            self.reload()

    def reload(self) -> None:
        """Read the certificate again; what cannot be used leaves the old one in use."""
        if self._certificate is None:
            return
        try:
            self._certificate.load()
            self._counts.certificate_until_s = self._certificate.validity().until_s
        except ConfigError as error:
            _log.error("The certificate in use stays, since the new one is no good: %s", error)
        else:
            _log.info("New connections are shown %s", self._certificate.certificate)

    def _factory(self, place: Place, make: Make, mistakes: Mistakes, counts: Stats) -> Make:
        settings = self._settings
        if place.scheme in ("ws", "wss"):
            from penstock.door.websocket import WebSocketLayer

            inner = make

            def make() -> asyncio.Protocol:
                return WebSocketLayer(
                    inner(),
                    settings.websocket,
                    mistakes,
                    max_frame_bytes=settings.max_packet_bytes,
                    max_unread_bytes=2 * settings.max_outbound_bytes,
                )

        certificate = self._certificate
        if not place.encrypted or certificate is None:
            return make
        return lambda: TlsLayer(
            make(), certificate, mistakes, counts, max_unread_bytes=2 * settings.max_outbound_bytes
        )


def _places(settings: DoorSettings) -> Iterator[Place]:
    """Return every address there is to listen on.

    Raises:
        ConfigError: A web socket with TLS is wanted, but there is no certificate.
    """
    tls, web = settings.tls, settings.websocket
    yield Place("mqtt", settings.host, settings.port, "`door.host` and `door.port`")
    if tls.certificate:
        yield Place(
            "mqtts", tls.host or settings.host, tls.port, "`door.tls.host` and `door.tls.port`"
        )
    elif tls.key or tls.client_ca or tls.require_client_certificate:
        raise ConfigError(
            "[door.tls] is set up, but has no `certificate`; name the PEM file, or leave the "
            "section out"
        )
    if web.port is not None:
        yield Place("ws", web.host or settings.host, web.port, "`door.websocket.host` and `port`")
    if web.tls_port is not None:
        if not tls.certificate:
            raise ConfigError(
                "`tls_port` in [door.websocket] needs a certificate; name it as `certificate` in "
                "section [door.tls], or leave `tls_port` out"
            )
        yield Place(
            "wss", web.host or settings.host, web.tls_port, "`door.websocket.host` and `tls_port`"
        )


def is_exposed(settings: DoorSettings) -> bool:
    """Say whether others can reach the door, and TLS alone does not keep them out."""
    return bool(exposed(settings))


def exposed(settings: DoorSettings) -> list[Place]:
    """Return where others can reach the door, and TLS alone does not keep them out."""
    return [place for place in _places(settings) if _is_open_house(place, settings)]


def _is_open_house(place: Place, settings: DoorSettings) -> bool:
    """Say whether others can reach it, and TLS alone does not keep them out."""
    if is_loopback(place.host):
        return False
    return not (place.encrypted and settings.tls.require_client_certificate)


def is_loopback(host: str) -> bool:
    """Say whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
