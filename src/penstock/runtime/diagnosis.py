"""Looks at everything that can keep a platform from working, and says what to do about it."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from penstock.core.errors import ConfigError, Conflict, PenstockError
from penstock.door.listeners import Listeners
from penstock.runtime import data_dir
from penstock.runtime.catalog import catalog_health
from penstock.runtime.certificate_health import certificates
from penstock.runtime.config import Config, load
from penstock.runtime.finding import Finding, Level
from penstock.runtime.people import accounts_health
from penstock.runtime.stores import look_at_store

#: Open files that one connection each needs, beside those of the platform itself.
SPARE_FILES = 200
#: A clock before this time (2024-01-01, seconds since the epoch) was never set.
PLAUSIBLE_S = 1_704_067_200
#: File systems that do not survive a power loss or do not sync reliably.
UNSAFE_FILESYSTEMS = {
    "tmpfs": "it is memory: everything is gone after a restart of the machine",
    "ramfs": "it is memory: everything is gone after a restart of the machine",
    "nfs": "locks and syncs over the network are not reliable",
    "nfs4": "locks and syncs over the network are not reliable",
    "cifs": "locks and syncs over the network are not reliable",
}


def diagnose(file: Path | None, overrides: dict[str, object]) -> Sequence[Finding]:
    """Look at configuration, folder, disk, addresses, limits and what is kept."""
    try:
        config = load(file, overrides=overrides)
    except ConfigError as error:
        do = "mend the setting; docs/reference/settings.md lists all of them"
        return [Finding("configuration", Level.PROBLEM, str(error), do)]
    origin = str(file) if file is not None else "defaults and environment"
    findings = [Finding("configuration", Level.OK, origin)]
    folder = list(_folder(config))
    findings += folder
    running = any(finding.what == "instance" for finding in folder)
    if all(finding.level is not Level.PROBLEM for finding in folder):
        findings += [_filesystem(config), _disk(config)]
        findings += [catalog_health(config), look_at_store(config), *accounts_health(config)]
    findings += _doors(config, running=running)
    findings.append(_address("HTTP", config.api.host, config.api.port, "--http", running=running))
    findings += [*certificates(config), _files(config), _clock()]
    return findings


def _folder(config: Config) -> Iterator[Finding]:
    path = config.data_path
    if not path.exists():
        parent = next(parent for parent in path.parents if parent.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield Finding("data folder", Level.OK, f"{path} will be created")
        else:
            yield Finding(
                "data folder",
                Level.PROBLEM,
                f"{path} does not exist and {parent} is not writable by {_user()}",
                f"choose another with --data-dir, or: sudo install -d -o {_user()} {path}",
            )
        return
    try:
        os.close(data_dir.lock(path))
    except Conflict as error:
        yield Finding("instance", Level.WARNING, str(error), "nothing, if you meant it to run")
        return
    except PenstockError as error:
        do = f"sudo chown -R {_user()} {path}, or choose another with --data-dir"
        yield Finding("data folder", Level.PROBLEM, str(error), do)
        return
    alien = next((p for p in path.rglob("*") if not os.access(p, os.R_OK | os.W_OK)), None)
    if alien is not None:
        do = f"sudo chown -R {_user()} {path}"
        yield Finding("data folder", Level.PROBLEM, f"{alien} is not {_user()}'s to write", do)
    else:
        yield Finding("data folder", Level.OK, str(path))


def _user() -> str:
    import getpass

    return getpass.getuser()


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _filesystem(config: Config) -> Finding:
    path = _existing(config.data_path).resolve()
    best, kind = "", "unknown"
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        mounts = []
    for line in mounts:
        _, where, name, *_ = line.split()
        inside = str(path) == where or str(path).startswith(where.rstrip("/") + "/")
        if inside and len(where) >= len(best):
            best, kind = where, name
    if kind in UNSAFE_FILESYSTEMS:
        do = "keep the data folder on a local disk: --data-dir"
        return Finding("file system", Level.WARNING, f"{kind}: {UNSAFE_FILESYSTEMS[kind]}", do)
    return Finding("file system", Level.OK, kind)


def _disk(config: Config) -> Finding:
    where = _existing(config.data_path)
    free = shutil.disk_usage(where).free
    text = f"{free / 1e9:.1f} GB free"
    if free >= config.min_free_bytes:
        return Finding("disk", Level.OK, text)
    do = f"make room on {where}, or lower log.max_bytes, log.max_age_s or store.retention_s"
    level = Level.PROBLEM if free < config.min_free_bytes / 10 else Level.WARNING
    return Finding("disk", level, text, do)


def _doors(config: Config, *, running: bool) -> Iterator[Finding]:
    try:
        places = Listeners(config.door).places
    except ConfigError as error:
        yield Finding("MQTT", Level.PROBLEM, str(error), "see docs/guides/tls.md")
        return
    for place in places:
        plain = place.scheme == "mqtt"
        what = "MQTT" if plain else f"MQTT ({place.scheme})"
        option = "--mqtt" if plain else place.setting
        yield _address(what, place.host, place.port, option, running=running)


def _address(what: str, host: str, port: int, option: str, *, running: bool) -> Finding:
    where = f"{host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
    except OSError as error:
        if running and error.errno == errno.EADDRINUSE:
            return Finding(what, Level.OK, f"{where} is used, probably by the running instance")
        reason = os.strerror(error.errno or 0) if not isinstance(error, socket.gaierror) else error
        return Finding(what, Level.PROBLEM, f"{where}: {reason}", _mend(error, port, option))
    return Finding(what, Level.OK, f"{where} is free")


def _mend(error: OSError, port: int, option: str) -> str:
    if error.errno == errno.EACCES:
        return f"ports below 1024 need privileges; choose another with {option}{_form(option)}"
    if error.errno == errno.EADDRINUSE:
        return f"see who has it: ss -ltnp 'sport = :{port}'; or choose another with {option}"
    return f"give an address of this machine with {option}{_form(option)}"


def _form(option: str) -> str:
    return " HOST:PORT" if option.startswith("--") else ""


def _files(config: Config) -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = config.door.max_connections + SPARE_FILES
    if hard == resource.RLIM_INFINITY or hard >= need:
        return Finding("open files", Level.OK, f"{soft} now, {hard} at most")
    do = f"raise it: ulimit -Hn {need}, or LimitNOFILE={need} in the service; or lower "
    return Finding(
        "open files",
        Level.WARNING,
        f"{hard} at most, too few for door.max_connections = {config.door.max_connections}",
        do + "door.max_connections",
    )


def _clock() -> Finding:
    now = time.time()
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now > PLAUSIBLE_S:
        return Finding("clock", Level.OK, text)
    return Finding("clock", Level.PROBLEM, f"{text} cannot be", "set the clock: timedatectl")
