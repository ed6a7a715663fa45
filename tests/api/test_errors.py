import logging

import pytest
from tests.api.house import House

from penstock.api.errors import answer, status_of
from penstock.core import errors

EVERY = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.PenstockError)
]


@pytest.mark.parametrize("kind", EVERY)
def test_every_error_has_a_status_and_the_one_shape(kind: type[errors.PenstockError]) -> None:
    error = kind("what failed")
    response = answer(error)
    assert response.status_code == status_of(error) >= 400
    assert bytes(response.body) == (
        b'{"error":{"code":"%s","message":"what failed"}}' % kind.code.encode()
    )


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/api/v1/datastreams/", 404, "not-found"),
        ("PUT", "/api/v1/latest", 405, "method-not-allowed"),
        ("DELETE", "/api/v1/datastreams/1", 405, "method-not-allowed"),
        ("GET", "/api/v1/datastreams?limit=x", 400, "invalid-input"),
        ("GET", "/api/v1/datastreams/x", 400, "invalid-input"),
    ],
)
async def test_whatever_is_wrong_has_the_one_shape(
    house: House, method: str, path: str, status: int, code: str
) -> None:
    response = await house.client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert error["code"] == code
    assert set(error) <= {"code", "message", "hint"}
    assert error["message"]
    assert (status == 405) == ("allow" in response.headers)


async def test_a_wrong_parameter_is_named_with_its_value(house: House) -> None:
    response = await house.client.get("/api/v1/datastreams?limit=many&after=-1")
    message = response.json()["error"]["message"]
    assert "limit = 'many'" in message
    assert "after = '-1'" in message


async def test_a_fault_of_ours_tells_nothing_secret_and_is_logged(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(house.platform, "health", fail)
    with caplog.at_level(logging.ERROR):
        response = await house.client.get("/api/v1/health")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert "secret" not in response.text
    assert "secret" in caplog.text


@pytest.mark.parametrize("depth", [900, 20_000])
@pytest.mark.parametrize("path", ["/targets", "/devices"])
async def test_a_body_that_is_too_deep_is_the_askers_mistake(
    house: House, path: str, depth: int
) -> None:
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    body = b'{"name":"x","properties":%s}' % deep
    response = await house.client.post(f"/api/v1{path}", content=body)
    assert response.status_code < 500, response.text
