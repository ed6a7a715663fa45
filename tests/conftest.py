"""Settings for all tests."""

import gc

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.postgres_server"]

# Machines differ: how long an example takes says nothing about whether it is right.
settings.register_profile("penstock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("penstock")

#: Files of a few long tests, that start browsers, platforms and programs which are killed.
LONG = (
    "tests/browser", "tests/integration", "tests/faults", "tests/client", "tests/examples",
    "tests/sensorthings/writing/test_killed.py", "tests/sensorthings/columns", "tests/sql/engine",
    "tests/catalog", "tests/alarms", "tests/ingest", "tests/stores",
)  # fmt: skip


#: Many short ones, of a platform that each process starts once and that costs while it idles.
LAST = "tests/conformance/sensorthings"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: no process is left alone with it when all others are done."""
    items.sort(key=lambda item: (item.nodeid.startswith(LAST), not item.nodeid.startswith(LONG)))


def pytest_collection_finish() -> None:
    """What was loaded stays: nobody need look through it for what could be freed."""
    gc.collect()
    gc.freeze()
