"""The short form of the campaign on lasting sessions; `make faults` runs the long one."""

from pathlib import Path

import pytest
from tests.faults.sessions import run


@pytest.mark.timeout(300)
def test_killing_the_door_loses_no_queued_message_and_doubles_none(tmp_path: Path) -> None:
    verdict = run(tmp_path, 3, 5, print)
    assert verdict.kills == 3
    assert verdict.acknowledged[1] > 50
    assert verdict.acknowledged[2] > 50
    assert verdict.is_clean, verdict


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_killing_the_door_ten_times_ten_times(tmp_path: Path, seed: int) -> None:
    verdict = run(tmp_path, 10, seed, print)
    assert verdict.is_clean, verdict
