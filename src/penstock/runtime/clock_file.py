"""The time that was believed last, kept while the platform does not run."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from penstock.core.settled import ClockMark

_log = logging.getLogger(__name__)


def read_clock(data: Path) -> ClockMark | None:
    """Return what was written; None when nothing was, or it cannot be read."""
    try:
        return msgspec.json.decode(_file(data).read_bytes(), type=ClockMark)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("%s cannot be read (%s); the machine's clock is believed", _file(data), error)
        return None


def write_clock(data: Path, mark: ClockMark) -> None:
    """Replace what was written, in one step and on disk."""
    file = _file(data)
    new = file.with_suffix(".new")
    try:
        with new.open("wb") as out:
            out.write(msgspec.json.encode(mark))
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    except OSError as error:
        _log.warning("the time that was believed cannot be written down: %s", error)


def _file(data: Path) -> Path:
    return data / "clock.json"
