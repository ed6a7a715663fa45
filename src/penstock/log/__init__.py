"""The log: segment files on the local disk, and one in memory for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.lazy import lazily
from penstock.log.settings import LogSettings

if TYPE_CHECKING:
    from penstock.log.memory import MemoryLog
    from penstock.log.segments import SegmentLog

__all__ = ["LogSettings", "MemoryLog", "SegmentLog"]

__getattr__ = lazily(
    __name__, {"MemoryLog": "penstock.log.memory", "SegmentLog": "penstock.log.segments"}
)
