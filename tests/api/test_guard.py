from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from tests.api.house import House

from penstock.api import ApiSettings, create_app
from penstock.api.guard import is_loopback
from penstock.api.settings import ApiTlsSettings
from penstock.core.errors import ConfigError

MESSAGE = "/api/v1/messages/a"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "x.localhost"],
)
async def test_names_of_this_machine_are_answered(house: House, host: str) -> None:
    response = await house.client.get("/healthz", headers={"host": host})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "192.168.1.5", "", "[", "a b"],
)
async def test_a_foreign_name_is_not_answered(house: House, host: str) -> None:
    """A page can point its own name at 127.0.0.1 (DNS rebinding)."""
    for path in ("/", "/api/v1/datastreams", "/healthz"):
        response = await house.client.get(path, headers={"host": host})
        assert response.status_code == 421
        assert response.json()["error"]["code"] == "wrong-host"


async def test_allowed_names_are_answered(tmp_path: Path) -> None:
    house = House(tmp_path, ApiSettings(allowed_hosts=("Plant.example",)))
    for host, status in (("plant.example:443", 200), ("other.example", 421), ("localhost", 200)):
        response = await house.client.get("/healthz", headers={"host": host})
        assert response.status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://localhost", "sec-fetch-site": "cross-site"},
    ],
)
async def test_a_page_of_another_site_changes_nothing(
    house: House, headers: dict[str, str]
) -> None:
    for method, path in (
        ("POST", MESSAGE),
        ("DELETE", "/api/v1/dead-letters"),
        ("PUT", "/api/v1/datastreams/1/retention"),
    ):
        response = await house.client.request(method, path, content=b"1", headers=headers)
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "cross-site"
    assert house.platform.published == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "http://localhost"},
        {"sec-fetch-site": "none"},
        {"origin": "http://localhost"},
        {"origin": "http://127.0.0.1:8080", "host": "127.0.0.1:8080"},
    ],
)
async def test_our_own_page_and_programs_may_change_things(
    house: House, headers: dict[str, str]
) -> None:
    response = await house.client.post(MESSAGE, content=b"1", headers=headers)
    assert response.status_code == 201


async def test_reading_is_left_to_the_browsers_own_rules(house: House) -> None:
    response = await house.client.get("/healthz", headers={"sec-fetch-site": "cross-site"})
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["cross-origin-resource-policy"] == "same-origin"


def make(house: House, settings: ApiSettings) -> None:
    create_app(
        store=house.store,
        catalog=house.catalog,
        live=house.live,
        platform=house.platform,
        registry=CollectorRegistry(),
        settings=settings,
        identities=house.identities,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "plant.example"])
def test_listening_to_everybody_needs_somebody_who_can_sign_in(house: House, host: str) -> None:
    with pytest.raises(ConfigError, match="make a user first"):
        make(house, ApiSettings(host=host))
    house.add_user("root")
    make(house, ApiSettings(host=host))


async def test_when_open_to_everybody_any_name_is_answered_unless_some_are_named(
    tmp_path: Path,
) -> None:
    for folder, allowed, status in (("a", (), 200), ("b", ("plant.example",), 421)):
        (tmp_path / folder).mkdir()
        settings = ApiSettings(host="0.0.0.0", allowed_hosts=allowed)
        house = House(tmp_path / folder, settings, accounts=True)
        response = await house.client.get("/healthz", headers={"host": "192.168.1.5:8080"})
        assert response.status_code == status


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


async def test_over_https_a_name_is_to_be_asked_by_https_only(tmp_path: Path) -> None:
    tls = ApiTlsSettings(certificate="c.pem")
    settings = ApiSettings(allowed_hosts=("plant.example",), tls=tls)
    house = House(tmp_path, settings)
    strict = "strict-transport-security"
    answer = await house.client.get("/healthz", headers={"host": "plant.example:8443"})
    assert answer.headers[strict] == "max-age=31536000"
    # `localhost` is also the name of servers that have no certificate.
    answer = await house.client.get("/healthz", headers={"host": "localhost:8443"})
    assert strict not in answer.headers


async def test_over_http_nobody_is_sent_to_https(house: House) -> None:
    answer = await house.client.get("/healthz")
    assert "strict-transport-security" not in answer.headers
