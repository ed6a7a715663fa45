from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.alarms.living import Caller
from tests.api.live_house import LiveHouse

from penstock.alarms.settings import AlarmSettings
from penstock.api import ApiSettings
from penstock.sql.settings import SqlSettings


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHouse]:
    near = AlarmSettings(webhook_private=True, retry_s=0.05, max_retry_s=0.2, max_episodes=500)
    folder = tmp_path_factory.mktemp("alarms")
    with LiveHouse(folder, ApiSettings(), near, SqlSettings(catalog_age_s=0.1)) as house:
        yield house


@pytest.fixture
def ask(house: LiveHouse) -> Caller:
    return Caller(house.url)
