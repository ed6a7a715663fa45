import pytest
from tests.api.house import T0, House

from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.series import Series


@pytest.fixture
def waiting(house: House) -> str:
    name = "site/boiler 7"
    house.catalog.enrol([Series(thing=name, name="x")], Policy.APPROVAL, T0)
    return name


async def test_devices_are_listed_by_status(house: House, boiler: int, waiting: str) -> None:
    pending = await house.get("/devices", status="pending")
    (one,) = pending["items"]
    assert (one["name"], one["status"], one["first_seen_us"]) == (waiting, "pending", T0)
    assert one["thing_id"] is None
    names = [item["name"] for item in (await house.get("/devices"))["items"]]
    assert names == ["site.boiler", waiting]
    assert (await house.client.get("/api/v1/devices?status=gone")).status_code == 400


@pytest.mark.parametrize(
    ("verb", "status"), [("approve", DeviceStatus.ENROLLED), ("refuse", DeviceStatus.REFUSED)]
)
async def test_a_device_is_decided_about(
    house: House, waiting: str, verb: str, status: DeviceStatus
) -> None:
    response = await house.client.post(f"/api/v1/devices/{waiting}/{verb}")
    assert (response.status_code, response.content) == (204, b"")
    assert house.catalog.devices()[0].status is status


async def test_a_device_never_seen_is_not_found(house: House) -> None:
    response = await house.client.post("/api/v1/devices/ghost/approve")
    assert response.status_code == 404
    assert "ghost" in response.json()["error"]["message"]
