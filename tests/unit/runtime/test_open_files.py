from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import logging, resource
logging.basicConfig(format="%(message)s", level="INFO")
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
from penstock.runtime.open_files import allow_connections
print(allow_connections({wanted}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "possible", "limit", "is_said"),
    [
        (256, 1024, 500, 500, 700, False),
        (1000, 1024, 500, 500, 1000, False),
        (256, 1024, 5000, 824, 1024, True),
    ],
)
def test_the_limit_of_open_files_fits_the_connections_as_far_as_it_can(
    soft: int, hard: int, wanted: int, possible: int, limit: int, is_said: bool
) -> None:
    script = SCRIPT.format(soft=soft, hard=hard, wanted=wanted)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == [str(possible), str(limit)]
    assert ("LimitNOFILE" in done.stderr) is is_said
