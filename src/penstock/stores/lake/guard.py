"""One process at a time: a lock on the directory that ends with the process."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from penstock.core.errors import Conflict

NAME = "lock"


def lock_directory(directory: Path) -> IO[bytes]:
    """Lock a directory until the file returned is closed.

    Raises:
        Conflict: Another process, or another lake of this one, holds it.
    """
    file = (directory / NAME).open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        msg = f"{directory} is in use by another process; stop that or choose another directory"
        raise Conflict(msg) from error
    return file
