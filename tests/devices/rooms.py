"""A room of devices over a real catalog, a post in memory and a clock that stands still."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from tests.catalog.template import fresh_catalog

from penstock.catalog import SqlCatalog
from penstock.catalog.devices.tasks import SqlTasks
from penstock.core.access import Scope
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.commands import Order, Task, TaskState
from penstock.core.devices import Device, DeviceFacts
from penstock.core.listening import HUB_CLIENT, Heard, Kind, Unheard
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.devices.post import Letter, MemoryPost
from penstock.devices.settings import DeviceSettings
from penstock.ingest.settings import IngestSettings
from penstock.ingest.tenancy import no_organisation
from penstock.runtime.config import Config
from penstock.runtime.fleet import make_room
from penstock.stores.memory import MemoryStore

ALL = Scope(everything=True)
SENSOR = "AAD-1123"


class Room:
    """A room, and the world around it."""

    def __init__(
        self,
        folder: Path,
        *,
        policy: Policy = Policy.AUTOMATIC,
        settings: DeviceSettings | None = None,
        is_up: bool = True,
    ) -> None:
        self.folder = folder
        self.policy = policy
        self.settings = settings or DeviceSettings()
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.catalog: SqlCatalog = fresh_catalog(folder)
        self.open(is_up=is_up)

    def open(self, *, is_up: bool = True) -> None:
        """Put the room together, as a hub that starts does."""
        self.post = MemoryPost(is_up=is_up)
        config = Config(
            data_dir=str(self.folder),
            devices=self.settings,
            ingest=IngestSettings(enrolment=self.policy),
        )
        access = no_organisation()
        self.room = make_room(config, self.catalog, self.store, self.clock, access, self.post)
        self.tasks = SqlTasks(self.catalog.database)
        self.dispatcher = self.room.dispatcher
        self.dispatcher.take_up()
        self.post.open(self.dispatcher.put)
        self.dispatcher.turn()

    def end(self) -> None:
        """End as by `kill -9`: nothing is written any more."""
        self.room.logs.close()

    def close(self) -> None:
        self.room.close()
        self.catalog.close()

    # -- what people do -----------------------------------------------------------------------

    def sensor(self, serial: str = SENSOR, rate: float = 100.0) -> Device:
        facts = DeviceFacts(name=serial, type="accelerometer", sample_frequency=rate)
        (device,) = self.room.records.register([facts], Policy.AUTOMATIC, self.clock.now_us())
        return device

    def device(self, name: str = SENSOR) -> Device:
        (device,) = self.room.records.devices(ALL, name=name)
        return device

    def order(self, *devices: Device, command: str = "sleep", **more: object) -> Sequence[Task]:
        things = [device.thing_id or 0 for device in devices]
        tasks = self.room.commands.request(
            msgspec.convert({"things": things, "command": command, **more}, Order)
        )
        self.dispatcher.turn()
        return tasks

    def state(self, task: Task) -> TaskState:
        return self.room.commands.task(task.id).state

    def letters(self, task: Task) -> list[tuple[int, Letter]]:
        """The letters sent for a task, with their numbers."""
        return [(at, one) for at, one in enumerate(self.post.letters) if one.key == task.key]

    # -- what devices and the door do ---------------------------------------------------------

    def take(self, task: Task, *, is_heard: bool = True) -> None:
        """The door acknowledges the newest letter of a task."""
        self.post.take(self.letters(task)[-1][0], is_heard=is_heard)
        self.dispatcher.turn()

    def receive(self, task: Task) -> None:
        """The device acknowledges a task."""
        self.post.receive(task.key, self.clock.now_us())
        self.dispatcher.turn()

    def hear(
        self,
        kind: Kind,
        topic: str,
        payload: object,
        client: str = SENSOR,
        correlation: bytes = b"",
        arrived_us: int | None = None,
    ) -> Sequence[Unheard]:
        """Ingest hands on one message."""
        body = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
        fields = {}
        parts = topic.split("/")
        if kind is Kind.ANSWER and parts[-1] != "tasks" and not parts[-1].endswith(".tasks"):
            fields = {"task": parts[-1]}
        heard = Heard(
            topics=[topic],
            paths=[topic],
            systems=[DEFAULT_SYSTEM],
            prefixes=[""],
            payloads=[body],
            arrived_us=[self.clock.now_us() if arrived_us is None else arrived_us],
            clients=[client],
            fields=[fields],
            correlations=[correlation],
        )
        unheard = self.room.listener.hear(kind, heard)
        self.dispatcher.turn()
        return unheard

    def say_presence(self, client: str, *, online: bool, at_us: int, reason: str = "") -> None:
        """The door tells that a client came or went."""
        about = {"online": online, "at": at_us, "client": client, "reason": reason}
        topic = f"$SYS/penstock/clients/{client}"
        assert self.hear(Kind.PLATFORM, topic, about, HUB_CLIENT) == []
