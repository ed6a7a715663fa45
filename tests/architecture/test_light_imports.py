"""What a process loads is what it weighs: the door and the supervisor stay light."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "pyarrow", "duckdb", "sqlalchemy", "fastapi", "pydantic", "rich.progress")


def loaded(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "penstock.runtime.door_process",
        "penstock.runtime.config",
        "penstock.runtime.supervisor",
        "penstock.cli.main",
    ],
)
def test_loads_nothing_heavy(module: str) -> None:
    assert loaded(module).isdisjoint(HEAVY)
