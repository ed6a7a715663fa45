from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.house import House

from penstock.core.series import Unit


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.fleet.close()
    house.catalog.close()


@pytest.fixture
def boiler(house: House) -> int:
    """One datastream with ten seconds of numbers 0 to 9."""
    (id_,) = house.enrol(("site.boiler", "temp"), unit=Unit("degree Celsius", "°C"))
    house.keep(id_, *range(10))
    return id_
