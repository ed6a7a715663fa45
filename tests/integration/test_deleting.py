"""A device is deleted while messages of it are on the way."""

import threading
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.api.live_house import LiveHouse

from penstock.api import ApiSettings


def test_what_was_sent_before_does_not_bring_a_device_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LiveHouse(tmp_path, ApiSettings()) as house:
        api = f"{house.url}/api/v1"

        def send(*, wait: bool) -> None:
            answer = requests.post(f"{api}/messages/site/boiler/temp", data=b"1.5", timeout=120)
            offset = answer.json()["offset"]
            if wait:
                path = f"{api}/ingested?offset={offset}&timeout_s=30"
                assert requests.get(path, timeout=120).json()["ingested"]

        def names() -> list[str]:
            found = requests.get(f"{api}/devices", timeout=120).json()["items"]
            return [one["name"] for one in found]

        send(wait=True)
        assert names() == ["site/boiler"]
        pipeline = house.hub.ingest.pipeline
        reading, go_on = threading.Event(), threading.Event()
        read = pipeline.read

        def slow(batch: Any) -> Any:
            reading.set()
            assert go_on.wait(120)
            return read(batch)

        monkeypatch.setattr(pipeline, "read", slow)
        send(wait=False)
        assert reading.wait(120)

        # Ingest has the message in its hands and asks the catalog only after the deletion.
        remove, left = house.hub.fleet.records.remove, house.hub.fleet.records.left
        has_left = threading.Event()

        def removing(*args: Any, **more: Any) -> Any:
            done = remove(*args, **more)
            go_on.set()
            return done

        def leaving(devices: Any) -> None:
            left(devices)
            has_left.set()

        monkeypatch.setattr(house.hub.fleet.records, "remove", removing)
        monkeypatch.setattr(house.hub.fleet.records, "left", leaving)
        path = f"{api}/devices/site%2Fboiler?with_data=true"
        assert requests.delete(path, timeout=120).status_code == 204
        assert has_left.wait(120)
        assert names() == []
        send(wait=True)
        assert names() == ["site/boiler"]
