"""The log: segment files on the local disk, and one in memory for tests."""

from penstock.log.memory import MemoryLog
from penstock.log.segments import SegmentLog
from penstock.log.settings import LogSettings

__all__ = ["LogSettings", "MemoryLog", "SegmentLog"]
