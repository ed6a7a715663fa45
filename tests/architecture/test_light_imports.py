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
        "penstock.client",
        "penstock.client.client",
    ],
)
def test_loads_nothing_heavy(module: str) -> None:
    assert loaded(module).isdisjoint(HEAVY)


def test_the_client_loads_no_part_of_the_server() -> None:
    ours = {name for name in loaded("penstock.client.client") if name.startswith("penstock.")}
    assert {name.split(".")[1] for name in ours} <= {"client", "core"}


def test_the_hub_loads_no_pandas_though_it_is_installed() -> None:
    code = (
        "import sys\n"
        "import penstock.runtime.hub_process\n"
        "assert 'pandas' not in sys.modules, 'loaded by an import'\n"
        "from penstock.runtime.without_pandas import go_without_pandas\n"
        "go_without_pandas()\n"
        "import pyarrow\n"
        "assert pyarrow.array([1]).to_pylist() == [1]\n"
        "assert 'pandas' not in sys.modules, 'loaded by pyarrow'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
