"""The short form of the fault campaign; `make faults` runs the long one."""

from pathlib import Path

import pytest
from tests.faults.campaign import KINDS, run_full_disks, run_kills


@pytest.mark.timeout(300)
async def test_killing_and_tearing_loses_and_doubles_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = await run_kills(tmp_path, KINDS[2:], 7, print, briefly=True)
    assert len(verdict.trials) == 4
    assert verdict.acknowledged > 1000
    assert verdict.sent_again > 0
    assert verdict.is_clean, f"{verdict}\n{(tmp_path / 'data.stderr').read_text()}"


@pytest.mark.timeout(300)
async def test_a_full_disk_loses_and_doubles_nothing(tmp_path: Path) -> None:
    verdict = await run_full_disks(tmp_path, 1, 7, print, briefly=True)
    if verdict.not_tried:
        pytest.skip(verdict.not_tried[0])
    assert verdict.acknowledged > 100
    assert verdict.is_clean, f"{verdict}\n{(tmp_path / 'full-disk.stderr').read_text()}"
