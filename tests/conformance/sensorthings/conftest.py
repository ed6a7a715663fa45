"""One platform for all tests of a module, and an empty service for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.catalog.template import ON_POSTGRES, empty_database
from tests.conformance.platform import Running
from tests.conformance.sensorthings.service import Service
from tests.postgres_server import shared


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform in a process of its own, with the catalog that `PENSTOCK_TEST_CATALOG` says."""
    folder: Path = tmp_path_factory.mktemp("sensorthings")
    settings = ""
    if ON_POSTGRES:
        settings = f'[catalog]\nurl = "{shared().new_database(empty_database())}"\n'
    with Running(folder / "data", settings=settings) as platform:
        yield platform


@pytest.fixture(scope="module")
def filled(running: Running) -> Iterator[Service]:
    """A service that was empty when the module began; for modules that fill it once."""
    service = Service(f"{running.http}/v1.1", running.mqtt)
    service.clear()
    yield service
    service.clear()
    service.http.close()


@pytest.fixture
def sta(running: Running) -> Iterator[Service]:
    """An empty service."""
    service = Service(f"{running.http}/v1.1", running.mqtt)
    service.clear()
    yield service
    service.http.close()
