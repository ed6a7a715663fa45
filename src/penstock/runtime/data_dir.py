"""The data directory: who holds it, and where things are in it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path

from penstock.core.errors import Conflict, PenstockError


def lock(path: Path) -> int:
    """Create the data directory if need be and hold it for this process; return a descriptor.

    The hold ends with the process, however it ends.

    Raises:
        Conflict: Another Penstock runs on it.
        PenstockError: It cannot be created or written to.
    """
    try:
        # It holds everybody's data and what proves who they are: nobody else on this machine reads.
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        msg = (
            f"cannot use {path} as data directory: {_reason(path, error)}; name a folder that you "
            "may write to with --data-dir, or run `penstock doctor`"
        )
        raise PenstockError(msg) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(held, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(held)
        msg = (
            f"another Penstock (process {holder}) runs on {path}; stop it first, or give this one "
            "a folder of its own with --data-dir"
        )
        raise Conflict(msg) from error
    os.ftruncate(held, 0)
    os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
    return held


def door_folder(path: Path) -> Path:
    """Return where the door's journal is: sessions, retained and queued messages."""
    return path / "door"


def door_stats_file(path: Path) -> Path:
    """Return where the door leaves its counters for the hub to read."""
    return path / "run" / "door.json"


def write_stats(file: Path, stats: Mapping[str, object]) -> None:
    """Replace the counters in one step; they are for the moment and need no sync."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(stats), encoding="utf-8")
    new.replace(file)


def read_stats(file: Path) -> dict[str, float]:
    """Return the counters, or nothing when there are none to be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_doors(file: Path) -> dict[str, tuple[str, int]]:
    """Return where the door listens, by scheme; nothing when it has not said so."""
    doors: object = read_stats(file).get("doors")
    if not isinstance(doors, dict):
        return {}
    return {str(scheme): (str(host), int(port)) for scheme, (host, port) in doors.items()}


def _reason(path: Path, error: OSError) -> str:
    return "it is a file" if path.is_file() else error.strerror or str(error)
