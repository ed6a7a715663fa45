"""Where the MQTT door is and which system this is: asked from the platform, or remembered."""

from __future__ import annotations

import hashlib
import ipaddress
import threading
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from penstock.client.settings import ClientSettings, split_mqtt
from penstock.client.things import Connection, Registered
from penstock.client.web import Web
from penstock.core.errors import ConfigError, NotConnected

_ANYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 - what a server says that listens everywhere


class Known(msgspec.Struct):
    """What is remembered on disk, so that a device starts without the network."""

    url: str = ""
    connection: Connection | None = None
    registered: dict[str, Registered] = {}


class Whereabouts:
    """Answers with what the platform said last, when it cannot be reached.

    Args:
        settings: Of the client.
        web: Asks the platform.
        file: Where answers are remembered; None forgets them with the process.
    """

    def __init__(self, settings: ClientSettings, web: Web, file: Path | None) -> None:
        self._settings = settings
        self._web = web
        self._file = file
        self._lock = threading.Lock()
        self._known = self._load()
        self._fresh = False

    def connection(self) -> Connection:
        """Return what the platform says of itself.

        Raises:
            NotConnected: It cannot be reached, and has never been.
        """
        if self._fresh and self._known.connection is not None:
            return self._known.connection
        try:
            found = self._web.get("/connection", Connection)
        except NotConnected:
            if self._known.connection is None:
                raise
            return self._known.connection
        with self._lock:
            self._known.connection = found
            self._fresh = bool(found.mqtt)
            self._save()
        return found

    def forget(self) -> None:
        """Ask again next time: the door may have moved."""
        self._fresh = False

    def system(self) -> str:
        """Return the name of the system that the client acts for. Errors as in `connection`."""
        return self._settings.system or self.connection().system

    def door(self) -> tuple[str, str, int]:
        """Return scheme, host and port of the MQTT door.

        Raises:
            NotConnected: The platform cannot be reached, or has no door now.
            ConfigError: It has no encrypted door, and was asked by an encrypted way.
        """
        if self._settings.mqtt:
            return split_mqtt(self._settings.mqtt)
        doors = self.connection().mqtt
        asked = urlsplit(self._web.url)
        wanted = "mqtts" if "mqtts" in doors and asked.scheme == "https" else "mqtt"
        if wanted not in doors:
            wanted = "mqtts"
        if wanted not in doors:
            raise NotConnected(f"{self._web.url} has no MQTT door now; see its page on health")
        host, port = doors[wanted]
        ours = asked.hostname or ""
        if host in _ANYWHERE or (_is_loopback(host) and not _is_loopback(ours)):
            host = ours
        if asked.scheme == "https" and wanted == "mqtt" and not _is_loopback(host):
            msg = (
                f"{self._web.url} offers an unencrypted MQTT door only, which would show the key "
                f"to everybody on the way; open one with TLS, or say mqtt='mqtt://{host}:{port}'"
            )
            raise ConfigError(msg)
        return wanted, host, port

    def register(self, document: object) -> Registered:
        """Register a document, or return what was answered when it was last registered.

        Raises:
            NotConnected: The platform cannot be reached, and this was never registered.
            PenstockError: The platform refuses it, and says why.
        """
        system = self._settings.system or None
        content = msgspec.json.encode([system, document], order="deterministic")
        digest = hashlib.sha256(content).hexdigest()
        try:
            found = self._web.ask(
                "PUT", "/registration", Registered, params={"system": system}, body=document
            )
        except NotConnected:
            known = self._known.registered.get(digest)
            if known is None:
                raise
            return known
        with self._lock:
            self._known.registered[digest] = found
            while len(self._known.registered) > 16:
                del self._known.registered[next(iter(self._known.registered))]
            self._save()
        return found

    def _load(self) -> Known:
        if self._file is not None:
            try:
                known = msgspec.json.decode(self._file.read_bytes(), type=Known)
            except (OSError, msgspec.DecodeError):
                return Known()
            if known.url == self._web.url:
                return known
        return Known()

    def _save(self) -> None:
        if self._file is None:
            return
        self._known.url = self._web.url
        new = self._file.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(self._known))
            new.replace(self._file)
        except OSError:  # it is only a convenience
            return


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
