"""Which segments may go: too old or too many, and nobody needs them any more."""

from __future__ import annotations

from penstock.log.folder import PartitionFolder
from penstock.log.settings import LogSettings


def expire(folder: PartitionFolder, settings: LogSettings, now_us: int | None = None) -> int:
    """Delete a partition's oldest segments as the settings say; return how many.

    Without a time that can be believed nothing is too old.

    The newest segment stays, and so does everything at or after the smallest committed position
    of a named reader.
    """
    bases = folder.bases()
    sizes = [_size(folder, base) for base in bases]
    total = sum(sizes)
    needed = min(folder.committed().values(), default=None)
    gone = 0
    for base, following, size in zip(bases, bases[1:], sizes, strict=False):
        if needed is not None and following > needed:
            break
        if not (_is_too_much(settings, total) or _is_too_old(folder, settings, following, now_us)):
            break
        folder.index(base).unlink(missing_ok=True)
        folder.segment(base).unlink(missing_ok=True)
        total -= size
        gone += 1
    return gone


def _size(folder: PartitionFolder, base: int) -> int:
    try:
        return folder.segment(base).stat().st_size
    except FileNotFoundError:
        return 0


def _is_too_much(settings: LogSettings, total: int) -> bool:
    return settings.max_bytes is not None and total > settings.max_bytes


def _is_too_old(
    folder: PartitionFolder, settings: LogSettings, following: int, now_us: int | None
) -> bool:
    """Judge a segment by when the next one was begun: nothing in it came later."""
    if settings.max_age_s is None or now_us is None:
        return False
    header = folder.header(following)
    return header is not None and now_us - header.created_us > settings.max_age_s * 1e6
