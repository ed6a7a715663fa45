"""The devices of a hub, put together: what the catalog keeps of them, and the post to the door."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from penstock.catalog.devices.records import SqlDevices
from penstock.catalog.devices.states import SqlStates
from penstock.catalog.devices.targets import SqlTargets
from penstock.catalog.devices.tasks import SqlTasks
from penstock.catalog.devices.tracks import SqlTracks
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import Access
from penstock.core.clock import Clock
from penstock.core.listening import HUB_CLIENT
from penstock.core.store import Store
from penstock.devices.mqtt_post import MqttPost
from penstock.devices.post import Post
from penstock.devices.room import DeviceRoom
from penstock.runtime.config import Config

#: Where the door is, by scheme.
Doors = Mapping[str, tuple[str, int]]
#: Addresses on which a door listens that mean every one of this machine.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


def make_room(
    config: Config,
    catalog: SqlCatalog,
    store: Store,
    clock: Clock,
    access: Callable[[], Access],
    post: Post,
    settled_us: Callable[[], int] | None = None,
) -> DeviceRoom:
    """Return the devices of a platform; nothing is sent before `start`."""
    database = catalog.database
    return DeviceRoom(
        records=SqlDevices(database, config.catalog.max_pending_devices, clock),
        targets=SqlTargets(database),
        tracks=SqlTracks(database),
        states=SqlStates(database, clock),
        tasks=SqlTasks(database),
        store=store,
        post=post,
        folder=config.data_path,
        settings=config.devices,
        policy=config.ingest.enrolment,
        clock=clock,
        access=access,
        settled_us=settled_us or clock.now_us,
    )


def door_address(doors: Callable[[], Doors]) -> Callable[[], tuple[str, int] | None]:
    """Return what tells where the plain MQTT listener of the door is by then, for this machine."""

    def address() -> tuple[str, int] | None:
        found = doors().get("mqtt")
        return None if found is None else (_ANY.get(found[0], found[0]), found[1])

    return address


def make_post(doors: Callable[[], Doors], secret: str, name: str = HUB_CLIENT) -> MqttPost:
    """Return the post to the plain MQTT listener of the door, wherever it is by then."""
    return MqttPost(door_address(doors), secret, name)
