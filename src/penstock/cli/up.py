"""`penstock up`: run the platform."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast

import typer

from penstock.cli.hub import AsJson, tell

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder that holds everything that is kept.")
]
Http = Annotated[str | None, typer.Option("--http", help="Address of web page and API: HOST:PORT.")]
Mqtt = Annotated[str | None, typer.Option("--mqtt", help="Address for MQTT devices: HOST:PORT.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]


def up(
    data_dir: DataDir = None, http: Http = None, mqtt: Mqtt = None, config: ConfigFile = None
) -> None:
    """Run the platform until Ctrl-C or SIGTERM."""
    run_platform(overrides(data_dir, http, mqtt), config)


def overrides(data_dir: Path | None, http: str | None, mqtt: str | None) -> dict[str, object]:
    """Return command-line options as settings.

    Raises:
        ConfigError: An address is not HOST:PORT.
    """
    found: dict[str, object] = {}
    if data_dir is not None:
        found["data_dir"] = str(data_dir)
    if http is not None:
        found["api"] = _address(http, "--http")
    if mqtt is not None:
        found["door"] = _address(mqtt, "--mqtt")
    return found


def run_platform(
    settings: dict[str, object], file: Path | None, *, then: list[str] | None = None
) -> None:
    """Run door and hub until told to stop.

    Args:
        settings: Settings from the command line.
        file: The TOML file, if any.
        then: Command of a further process to run when the platform is ready; `{mqtt}` and
            `{http}` in it are replaced by the addresses.
    """
    import msgspec

    from penstock.runtime import config, data_dir
    from penstock.runtime.companion import Companion
    from penstock.runtime.supervisor import Supervisor

    loaded = config.load(file, overrides=settings)
    loaded = msgspec.structs.replace(loaded, data_dir=str(loaded.data_path))
    data_dir.lock(loaded.data_path)
    companion = Companion(then)

    def on_ready(about: Mapping[str, Mapping[str, object]]) -> None:
        hub, doors = about["hub"], cast("Mapping[str, tuple[str, int]]", about["door"]["doors"])
        http = f"{hub['scheme']}://{_at(str(hub['host']), hub['port'])}"
        mqtt = _at(*doors["mqtt"])
        where = [f"MQTT on {mqtt}"]
        where += [f"{scheme} on {_at(*doors[scheme])}" for scheme in doors if scheme != "mqtt"]
        sys.stdout.write(
            f"Penstock is ready: {http}  ({', '.join(where)}, data in {loaded.data_dir})\n"
        )
        sys.stdout.flush()
        companion.start(supervisor.internal_secret, http=http, mqtt=mqtt)

    supervisor = Supervisor(msgspec.json.encode(loaded), on_ready)
    try:
        asyncio.run(supervisor.run())
    finally:
        companion.stop()


def _at(host: str, port: object) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def version(*, as_json: AsJson = False) -> None:
    """Print the version."""
    from penstock import __version__

    tell(__version__, {"version": __version__}, as_json=as_json)


def password(*, as_json: AsJson = False) -> None:
    """Ask for a password and print its hash, for `[[door.users]]` in the configuration."""
    from penstock.door.auth import hash_password

    text = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=as_json)
    hashed = hash_password(text)
    tell(hashed, {"password_hash": hashed}, as_json=as_json)


def _address(text: str, option: str) -> dict[str, object]:
    from penstock.core.errors import ConfigError

    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        msg = f"{option} {text!r} is not an address; give HOST:PORT, as in 127.0.0.1:1883"
        raise ConfigError(msg)
    return {"host": host.strip("[]") or "127.0.0.1", "port": int(port)}
