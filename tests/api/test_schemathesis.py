"""Requests that nobody thought of: no 5xx, and every answer is what the OpenAPI document says.

`make schemathesis` asks longer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.house import House

from penstock.api import ApiSettings
from penstock.api.who import _who
from penstock.core.access import PLATFORM, Principal

#: Requests for each operation.
EXAMPLES = int(os.environ.get("PENSTOCK_SCHEMATHESIS_EXAMPLES", "3"))
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
#: Every operation, as another test makes sure; but for live streams, which do not end.
OPERATIONS = [
    operation
    for operation in re.findall(r"^### ([A-Z]+ /.+)$", REFERENCE.read_text(), re.MULTILINE)
    if not operation.endswith("/stream")
]
#: What a house without devices and without waiting answers on purpose.
NOT_HERE = {501, 503}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    house = House(folder, ApiSettings(allowed_hosts=("testserver",)))
    house.add_user("root")
    (datastream,) = house.enrol(("site.boiler", "temp"))
    house.keep(datastream, 1.0, 2.0, None)
    yield house
    house.passwords.close()
    house.catalog.close()


@pytest.fixture(scope="module")
def document(house: House) -> Any:
    """The document; whoever asks may do everything, and stays who they are."""

    async def who() -> Principal:
        return PLATFORM

    house.app.dependency_overrides[_who] = who
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", house.app)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_request_breaks_anything(document: Any, operation: str) -> None:
    method, path = operation.split()

    @given(document[path][method].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES < 10,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        response = case.call()
        assert response.status_code < 500 or response.status_code in NOT_HERE, response.text
        case.validate_response(response, checks=CHECKS)

    ask()
