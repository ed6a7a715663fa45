"""A platform with all the parts that `penstock up` has, in threads of this process.

In this process, so that a test can say who asks; over HTTP and MQTT, as everybody else would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from fastapi import FastAPI
from paho.mqtt.enums import CallbackAPIVersion
from uvicorn import Config as ServerConfig

from penstock.alarms.settings import AlarmSettings
from penstock.api import ApiSettings, create_app
from penstock.core.clock import SystemClock
from penstock.door.door import Door
from penstock.door.journal import Journal
from penstock.door.settings import DoorSettings
from penstock.log.segments import SegmentLog
from penstock.runtime import door_process
from penstock.runtime.access_file import access_file
from penstock.runtime.config import Config
from penstock.runtime.data_dir import door_folder, door_stats_file, write_stats
from penstock.runtime.hub import Hub
from penstock.runtime.hub_process import Server
from penstock.sql.settings import SqlSettings

#: A device that does what it is told; another one is registered and never there.
SENSOR = "AAD-1123"


class LiveHouse:
    """Hub, door and web server on a data folder, and a device.

    Attributes:
        app: The API.
        url: Where it is served.
        hub: What is behind it.
        mqtt: Where the door listens.
    """

    app: FastAPI
    url: str
    hub: Hub
    mqtt: tuple[str, int]

    def __init__(
        self,
        folder: Path,
        settings: ApiSettings,
        alarms: AlarmSettings | None = None,
        sql: SqlSettings | None = None,
    ) -> None:
        door = DoorSettings(host="127.0.0.1", port=0)
        self._config = Config(
            data_dir=str(folder),
            api=settings,
            door=door,
            alarms=alarms or AlarmSettings(),
            sql=sql or SqlSettings(),
        )
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(120), "the house does not open"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        secret = secrets.token_hex(16)
        async with self._door(secret):
            self.hub = await asyncio.to_thread(Hub, self._config, secret)
            self.hub.start()
            self.app = create_app(
                store=self.hub.store,
                catalog=self.hub.catalog,
                live=self.hub.ingest.live,
                platform=self.hub,
                registry=self.hub.registry,
                settings=self._config.api,
                identities=self.hub.identities,
                passwords=self.hub.passwords,
                fleet=self.hub.fleet,
                apps=self.hub.apps.apps,
                adhoc=self.hub.apps.questions,
                alarms=self.hub.alarms,
                things=self.hub.things,
            )
            sock = socket.create_server(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            server = Server(ServerConfig(self.app, log_config=None, lifespan="off", ws="none"))
            serving = asyncio.create_task(server.serve(sockets=[sock]))
            await server.serving.wait()
            self._ready.set()
            await self._stopping.wait()
            self.app.state.context.closing.set()
            server.should_exit = True
            await serving
            await self.hub.close()

    @contextlib.asynccontextmanager
    async def _door(self, secret: str) -> Any:
        data, clock = self._config.data_path, SystemClock()
        stats = door_stats_file(data)
        stats.parent.mkdir(parents=True, exist_ok=True)
        log = SegmentLog(data / "log", self._config.log, clock)
        door = Door(
            self._config.door,
            log.writer(door_process.PARTITION),
            clock,
            internal_secret=secret,
            journal=Journal(door_folder(data)),
            organisation=access_file(data),
        )
        await door.start()
        self.mqtt = door.address

        async def tell() -> None:
            while True:
                write_stats(stats, {"at": time.time(), "doors": door.addresses, **door.stats()})
                await asyncio.sleep(door_process.STATS_EVERY_S)

        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            telling.cancel()
            await door.close()
            log.close()


@contextmanager
def obedient_device(house: LiveHouse, serial: str = SENSOR) -> Iterator[None]:
    """A sensor that is there and answers every command with *done*."""
    device = paho.Client(CallbackAPIVersion.VERSION2, client_id=serial)
    is_there = threading.Event()

    def obey(client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        answer = {"Task": json.loads(message.payload)["Task"], "State": "done"}
        client.publish(f"sensor.{serial}.tasks", json.dumps(answer), qos=1)

    device.on_message = obey
    device.on_subscribe = lambda *_: is_there.set()
    device.connect(*house.mqtt)
    for command in ("sleep", "awake", "change_sample_frequency"):
        device.subscribe(f"sensor.{serial}.commands.{command}", qos=1)
    device.loop_start()
    try:
        assert is_there.wait(120), "the device does not get in"
        yield
    finally:
        device.disconnect()
        device.loop_stop()
