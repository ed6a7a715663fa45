from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.alarms.living import Caller
from tests.api.live_house import LiveHouse

from penstock.alarms.settings import AlarmSettings
from penstock.api import ApiSettings


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHouse]:
    near = AlarmSettings(webhook_private=True, retry_s=0.05, max_retry_s=0.2, max_episodes=500)
    with LiveHouse(tmp_path_factory.mktemp("alarms"), ApiSettings(), near) as house:
        yield house


@pytest.fixture
def ask(house: LiveHouse) -> Caller:
    return Caller(house.url)
