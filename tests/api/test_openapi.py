import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.api.house import House

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


@pytest.fixture
async def document(house: House) -> dict[str, Any]:
    return (await house.client.get("/api/v1/openapi.json")).json()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


async def test_every_operation_is_described_with_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        assert operation["responses"]["default"], where
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), f"{where} {parameter['name']}"
        for media in operation.get("requestBody", {}).get("content", {}).values():
            assert "example" in media, where
        for status, response in operation["responses"].items():
            if status == "200" and "application/json" in response["content"]:
                assert "example" in response["content"]["application/json"], where


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = msgspec.json.encode(document).decode()
    names = set(re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', text))
    assert names
    assert names <= set(document["components"]["schemas"])


async def test_an_answer_in_json_is_never_described_as_a_string_of_bytes(
    document: dict[str, Any],
) -> None:
    for method, path, operation in operations(document):
        for response in operation["responses"].values():
            for media, content in response.get("content", {}).items():
                if media.endswith(("/json", "+json")):
                    assert content["schema"].get("format") != "binary", f"{method} {path} {media}"


async def test_operation_ids_are_unique(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(ids)) == len(ids)


async def test_every_operation_has_its_heading_in_the_reference(document: dict[str, Any]) -> None:
    wanted = {f"{method} {path}" for method, path, _ in operations(document)}
    assert set(re.findall(r"^### (.+)$", REFERENCE.read_text(), re.MULTILINE)) == wanted


async def test_every_parameter_of_the_data_is_in_the_reference(document: dict[str, Any]) -> None:
    text = REFERENCE.read_text()
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                assert f"`{parameter['name']}`" in text or f"{parameter['name']}=" in text, (
                    parameter["name"]
                )


async def test_no_page_of_documentation_that_needs_the_internet_is_served(house: House) -> None:
    for path in ("/docs", "/redoc", "/api/v1/docs"):
        assert (await house.client.get(path)).status_code == 404
