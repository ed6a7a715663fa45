"""Settings of a client: where the platform is, who asks, and how much is kept meanwhile."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from penstock.core.errors import ConfigError

#: Environment variables by the setting that they give.
ENVIRONMENT = {
    "url": "PENSTOCK_URL",
    "key": "PENSTOCK_KEY",
    "system": "PENSTOCK_SYSTEM",
    "name": "PENSTOCK_CLIENT",
    "mqtt": "PENSTOCK_MQTT",
    "ca_file": "PENSTOCK_CA_FILE",
    "buffer": "PENSTOCK_BUFFER",
}


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client needs to know; each may come from a file or the environment."""

    url: Annotated[str, Meta(description="Address of the platform.")] = "http://localhost:8080"
    key: Annotated[str, Meta(description="Key of the client or user; empty without accounts.")] = ""
    system: Annotated[
        str, Meta(description="System that the client acts for; empty asks the platform.")
    ] = ""
    name: Annotated[
        str,
        Meta(
            description="Name of the client: its MQTT client id and user name. Two that run at "
            "one time need two names. Empty takes a new one at each start.",
            max_length=200,
        ),
    ] = ""
    mqtt: Annotated[
        str,
        Meta(description="`mqtt://HOST:PORT` or `mqtts://HOST:PORT`; empty asks the platform."),
    ] = ""
    ca_file: Annotated[
        str,
        Meta(description="Certificates (PEM) to trust beside the machine's; for https and mqtts."),
    ] = ""
    buffer: Annotated[
        str,
        Meta(description="Folder that keeps what waits to be sent; empty keeps it in memory."),
    ] = ""
    max_buffer_bytes: Annotated[
        int, Meta(description="Most bytes that wait to be sent.", ge=65_536)
    ] = 268_435_456
    max_memory_bytes: Annotated[int, Meta(description="The same without a folder.", ge=65_536)] = (
        16_777_216
    )
    drop_oldest: Annotated[
        bool,
        Meta(description="What a full buffer does: drop the oldest, or refuse what is new."),
    ] = False
    sync_every_s: Annotated[
        float,
        Meta(
            description="How often the folder is synced to disk, seconds: what a power cut can "
            "lose. 0 syncs each call of `produce`. A crash of the program loses nothing.",
            ge=0,
            le=60,
        ),
    ] = 1.0
    window: Annotated[
        int,
        Meta(description="Most messages sent and not acknowledged yet.", ge=1, le=65_535),
    ] = 8192
    keep_alive_s: Annotated[
        int, Meta(description="A silent connection shows a sign of life this often.", ge=1, le=3600)
    ] = 30
    timeout_s: Annotated[
        float, Meta(description="Longest silence of a server before it counts as gone.", gt=0)
    ] = 20.0
    max_retry_s: Annotated[
        float,
        Meta(description="Longest pause between attempts to connect again, seconds.", gt=0, le=600),
    ] = 30.0
    session_expiry_s: Annotated[
        int,
        Meta(
            description="How long the platform keeps messages for a subscriber that is away, "
            "seconds; the platform's `max_session_expiry_s` bounds it.",
            ge=0,
            le=4_294_967_295,
        ),
    ] = 604_800
    remember: Annotated[
        int,
        Meta(
            description="Consumed messages that are remembered, to tell those that come again.",
            ge=1,
            le=10_000_000,
        ),
    ] = 50_000

    def __post_init__(self) -> None:
        """Refuse addresses that cannot be.

        Raises:
            ConfigError: `url` or `mqtt` is not an address.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = f"url {self.url!r} is not an address; write http://HOST:PORT or https://HOST:PORT"
            raise ConfigError(msg)
        if self.mqtt:
            split_mqtt(self.mqtt)


def split_mqtt(address: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an MQTT address.

    Raises:
        ConfigError: It is none.
    """
    text = address if "://" in address else f"mqtt://{address}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
        msg = f"mqtt {address!r} is not an address; write mqtt://HOST:PORT or mqtts://HOST:PORT"
        raise ConfigError(msg)
    return parts.scheme, parts.hostname, port or (8883 if parts.scheme == "mqtts" else 1883)


def gather(
    given: Mapping[str, Any], config: str | Path | Mapping[str, Any] | None
) -> ClientSettings:
    """Return settings: what is given, then the environment, then a TOML or JSON file.

    Raises:
        ConfigError: The file cannot be read, or a setting is unknown or not allowed.
    """
    values = dict(config) if isinstance(config, Mapping) else _read(config)
    for name, variable in ENVIRONMENT.items():
        if os.environ.get(variable):
            values[name] = os.environ[variable]
    values.update({name: value for name, value in given.items() if value is not None})
    for name in ("buffer", "ca_file"):
        if isinstance(values.get(name), Path):
            values[name] = str(values[name])
    try:
        return msgspec.convert(values, ClientSettings)
    except msgspec.ValidationError as error:
        known = ", ".join(ClientSettings.__struct_fields__)
        msg = f"the client's settings are wrong: {error}; there are: {known}"
        raise ConfigError(msg) from error


def _read(config: str | Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        content = Path(config).read_bytes()
        if str(config).endswith(".json"):
            found = msgspec.json.decode(content, type=dict[str, Any])
        else:
            found = tomllib.loads(content.decode())
    except OSError as error:
        msg = f"cannot read {config}: {error.strerror}; name a readable TOML or JSON file"
        raise ConfigError(msg) from error
    except (ValueError, msgspec.DecodeError) as error:
        msg = f"{config} is not valid TOML or JSON: {error}"
        raise ConfigError(msg) from error
    section = found.get("client", found)
    return dict(section) if isinstance(section, Mapping) else found
