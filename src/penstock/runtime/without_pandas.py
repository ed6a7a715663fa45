"""Keeps pandas out of a process that has no use for it.

pyarrow loads pandas, where it is installed, when it makes its first array: half a second and 60 MB.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _Absent(MetaPathFinder):
    def find_spec(self, name: str, *_: object) -> None:
        if name == "pandas":
            msg = "pandas is not loaded here; see penstock.runtime.without_pandas"
            raise ModuleNotFoundError(msg, name=name)


def go_without_pandas() -> None:
    """Let `import pandas` fail from now on as if it were not installed."""
    sys.meta_path.insert(0, _Absent())
