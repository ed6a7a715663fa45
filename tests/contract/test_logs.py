from pathlib import Path

import pytest

from penstock.log import LogSettings, MemoryLog, SegmentLog
from penstock.testing.log_contract import LogContract, OpenLog


class TestMemoryLog(LogContract):
    @pytest.fixture
    def open_log(self) -> OpenLog:
        log = MemoryLog()
        return lambda: log


class TestSegmentLog(LogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        return lambda: SegmentLog(tmp_path / "log")


class TestSegmentLogWithTinySegments(LogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        settings = LogSettings(segment_bytes=4096, index_bytes=512)
        return lambda: SegmentLog(tmp_path / "log", settings)
