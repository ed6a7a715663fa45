"""What the C library does with memory that was freed."""

from __future__ import annotations

import ctypes

#: Options of `mallopt` (glibc's malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: So much is kept for what comes next, bytes.
KEPT = 64 << 20
#: Smaller pieces come from what is kept, bytes; glibc allows no more.
_LARGEST = 32 << 20


def keep_freed_memory() -> bool:
    """Keep some freed memory instead of giving it back each time; tell whether that is possible.

    An answer of some megabytes is put together in pieces that are freed at once. Given back to the
    system and asked for again, each page of them costs a fault: a sixth of the time of such an
    answer. Only glibc has this to set.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT) and mallopt(_MMAP_THRESHOLD, _LARGEST))
