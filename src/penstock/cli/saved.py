"""Sign-ins that `penstock login` keeps, by address, in a file that only its owner can read."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from penstock.core.errors import ConfigError

#: A key for one command or shell; stronger than what is kept.
KEY_VARIABLE = "PENSTOCK_KEY"
#: File with the certificates of the authorities to trust, for servers with a private one.
CA_VARIABLE = "PENSTOCK_CA"


class SignIn(msgspec.Struct, frozen=True):
    """A session's token or a key, and whose it is."""

    secret: str
    name: str


def file() -> Path:
    """Return where sign-ins are kept: `$XDG_CONFIG_HOME/penstock/sign-ins.json`."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "penstock" / "sign-ins.json"


def read() -> dict[str, SignIn]:
    """Return all that is kept, by address.

    Raises:
        ConfigError: The file is not what `keep` writes.
    """
    path = file()
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, SignIn])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.DecodeError) as error:
        msg = f"cannot read the sign-ins in {path}: {error}; remove the file and sign in again"
        raise ConfigError(msg) from error


def keep(url: str, sign_in: SignIn | None) -> None:
    """Keep a sign-in for an address in place of the one before; None forgets it."""
    found = read()
    found.pop(_name(url), None)
    if sign_in is not None:
        found[_name(url)] = sign_in
    path = file()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(found)))
    fresh.replace(path)


def secret_for(url: str) -> str | None:
    """Return what to show at an address: the key of the environment, or what is kept."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key:
        return key
    found = read().get(_name(url))
    return None if found is None else found.secret


def trusted() -> str | bool:
    """Return the file with the authorities to trust, or True for those of the system."""
    return os.environ.get(CA_VARIABLE) or True


def _name(url: str) -> str:
    return url.rstrip("/").lower()
