"""The picture of the organisation, left in the data directory for the door to read.

It holds digests of keys and passwords, so nobody else may read it. It is replaced in one step: a
reader sees the old one or the new one, whole.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from penstock.core.errors import Corrupt, DiskFull, NotConnected
from penstock.core.organisation import Organisation


def access_file(path: Path) -> Path:
    """Return where it is in a data directory."""
    return path / "access.json"


def write_access(file: Path, organisation: Organisation) -> None:
    """Replace it; on disk when this returns.

    Raises:
        DiskFull: It could not be written; the old one is still there.
    """
    new = file.with_suffix(".new")
    try:
        held = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(held, "wb") as out:
            out.write(msgspec.json.encode(organisation))
            out.flush()
            os.fsync(held)
        new.replace(file)
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        msg = f"cannot write {file}: {error.strerror}; nothing was changed, make room and try again"
        raise DiskFull(msg) from error


def read_access(file: Path) -> Organisation:
    """Return the picture; one without accounts when there is none yet.

    Raises:
        Corrupt: It is no picture.
        NotConnected: It cannot be read.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=Organisation)
    except FileNotFoundError:
        return Organisation()
    except OSError as error:
        msg = f"cannot read {file}: {error.strerror}; let the user that runs Penstock own it"
        raise NotConnected(msg) from error
    except msgspec.DecodeError as error:
        msg = f"{file} cannot be understood: {error}; restart Penstock, which writes it anew"
        raise Corrupt(msg) from error
