"""Requests that nobody thought of: no 5xx, and every answer is what the OpenAPI document says.

They are asked of everything that `penstock up` has. `make schemathesis` asks longer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.live_house import SENSOR, LiveHouse, obedient_device

from penstock.api import ApiSettings
from penstock.api.who import _who
from penstock.core.access import PLATFORM, Principal

#: Requests for each operation.
EXAMPLES = int(os.environ.get("PENSTOCK_SCHEMATHESIS_EXAMPLES", "3"))
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
#: Every operation, as another test makes sure.
OPERATIONS = re.findall(r"^### ([A-Z]+ /.+)$", REFERENCE.read_text(), re.MULTILINE)
#: Live streams do not end: one event is read, or what comes within so many seconds.
STREAMS = {operation for operation in OPERATIONS if operation.endswith("/stream")}
STREAM_TIMEOUT_S = 0.3
PATIENT_STREAM_TIMEOUT_S = 15.0
TIMEOUT_S = 60.0
#: Parameters that make the platform wait; it need not wait long here.
WAITING = {"GET /api/v1/ingested": "timeout_s", "GET /api/v1/tasks/{task_id}": "wait_s"}
LONGEST_WAIT_S = 0.05
SERIALS = (SENSOR, "BBD-2")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHouse]:
    settings = ApiSettings(heartbeat_s=0.1)

    async def who() -> Principal:
        return PLATFORM

    with LiveHouse(tmp_path_factory.mktemp("house"), settings) as house:
        house.app.dependency_overrides[_who] = who
        with obedient_device(house):
            _fill(house)
            yield house


def _fill(house: LiveHouse) -> None:
    """Register devices, let them be commanded and log, and keep some observations."""

    def ask(method: str, path: str, **more: Any) -> Any:
        answer = requests.request(method, f"{house.url}/api/v1{path}", timeout=TIMEOUT_S, **more)
        assert answer.ok, answer.text
        return answer.json()

    for serial in SERIALS:
        sensor = {"serial_number": serial, "sample_frequency": 100}
        ask("POST", "/sensors", json=sensor)
        log = {"level": "INFO", "message": "boot"}
        ask("POST", f"/messages/sensor.{serial}.logs", json=log)
    sent = ask("POST", "/messages/site/boiler/temp", data=b"1.5")
    assert ask("GET", f"/ingested?offset={sent['offset']}&timeout_s=30")["ingested"]
    task = ask("POST", f"/devices/{SENSOR}/commands", json={"command": "sleep"})
    assert ask("GET", f"/tasks/{task['id']}?wait_s=30")["state"] == "done"


@pytest.fixture(scope="module")
def document(house: LiveHouse) -> Any:
    """The document; whoever asks may do everything, and stays who they are."""
    config = SchemathesisConfig.from_dict({"max-stream-events": 1})
    return schemathesis.openapi.from_url(f"{house.url}/api/v1/openapi.json", config=config)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_request_breaks_anything(document: Any, operation: str) -> None:
    method, path = operation.split()
    timeout_s = STREAM_TIMEOUT_S if operation in STREAMS else TIMEOUT_S

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
        if operation in WAITING:
            name = WAITING[operation]
            given_s = (case.query or {}).get(name, LONGEST_WAIT_S)
            if isinstance(given_s, (int, float)):
                case.query = {**(case.query or {}), name: min(given_s, LONGEST_WAIT_S)}
        try:
            response = case.call(timeout=timeout_s)
        except requests.exceptions.ReadTimeout:
            if operation not in STREAMS:
                raise
            # A machine that is busy with other things has not answered in this short time.
            response = case.call(timeout=PATIENT_STREAM_TIMEOUT_S)
        assert response.status_code < 500, response.text
        case.validate_response(response, checks=CHECKS)

    ask()
