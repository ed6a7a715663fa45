from tests.api.house import AsgiStream, House

from penstock.core.platform import Check


async def test_up_and_ready_are_said_in_a_word(house: House) -> None:
    for path in ("/healthz", "/readyz"):
        response = await house.client.get(path)
        assert (response.status_code, response.text) == (200, "OK")


async def test_not_ready_says_why_and_up_stays_up(house: House) -> None:
    house.platform.checks = [
        Check("door", False, "it does not answer; see its log"),
        Check("store", True, "fine"),
        Check("disk", False, "full"),
    ]
    response = await house.client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["error"] == {
        "code": "not-ready",
        "message": "door: it does not answer; see its log; disk: full",
    }
    assert (await house.client.get("/healthz")).status_code == 200


async def test_health_shows_every_field(house: House) -> None:
    health = await house.get("/health")
    assert health["ready"] is True
    assert health["checks"] == [{"name": "door", "ok": True, "message": "2 connections"}]
    assert health["observations_total"] == 14
    assert len(health) == 14


async def test_metrics_are_in_the_format_of_prometheus(house: House) -> None:
    response = await house.client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = response.text.splitlines()
    assert "# TYPE penstock_messages_total counter" in lines
    assert "penstock_messages_total 7.0" in lines
    assert "# TYPE penstock_lag_s gauge" in lines
    assert "penstock_lag_s 0.5" in lines
    house.platform.counters = {"penstock_messages_total": 8.0}
    assert "penstock_messages_total 8.0" in (await house.client.get("/metrics")).text


async def test_answers_and_live_streams_are_counted(house: House) -> None:
    await house.client.get("/healthz")
    await house.client.get("/healthz")
    await house.client.get("/nothing")
    await house.client.request("INVENTED", "/healthz")
    await house.client.get("/healthz", headers={"host": "evil.example"})
    async with AsgiStream(house.app, "/api/v1/observations/stream") as stream:
        await stream.block()
        lines = (await house.client.get("/metrics")).text.splitlines()
    assert 'penstock_api_requests_total{method="GET",status="200"} 3.0' in lines
    assert 'penstock_api_requests_total{method="GET",status="404"} 1.0' in lines
    assert 'penstock_api_requests_total{method="GET",status="421"} 1.0' in lines
    assert 'penstock_api_requests_total{method="other",status="405"} 1.0' in lines
    assert "penstock_api_streams 1.0" in lines
    lines = (await house.client.get("/metrics")).text.splitlines()
    assert "penstock_api_streams 0.0" in lines
