"""The hub: everything behind the log, put together, and what the API may ask of it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

import pyarrow as pa
from prometheus_client import CollectorRegistry

from penstock import __version__
from penstock.codecs.registry import make
from penstock.core.catalog import DeviceStatus
from penstock.core.clock import SystemClock
from penstock.core.errors import PenstockError
from penstock.core.listening import ALARMS_CLIENT, APPS_CLIENT
from penstock.core.passwords import Passwords
from penstock.core.platform import Arrived, Check, DeadLetter, Health, Replayed
from penstock.core.selection import Selection
from penstock.core.settled import SettledClock
from penstock.ingest.ingest import Ingest
from penstock.log.segments import SegmentLog
from penstock.runtime.alarms import make_alarms
from penstock.runtime.apps import AppRoom
from penstock.runtime.arrivals import Arrivals
from penstock.runtime.awaiting import Awaited
from penstock.runtime.catalog import open_catalog
from penstock.runtime.clock_file import read_clock, write_clock
from penstock.runtime.config import Config
from penstock.runtime.courier import Courier
from penstock.runtime.data_dir import door_stats_file, read_doors, read_stats
from penstock.runtime.fleet import door_address, make_post, make_room
from penstock.runtime.people import open_identities
from penstock.runtime.publisher import Publisher
from penstock.runtime.stores import open_store
from penstock.runtime.streams import make_streams
from penstock.runtime.things import make_notifier, make_things
from penstock.runtime.watched_store import watched
from penstock.sensorthings.mqtt_changes import Change

_log = logging.getLogger(__name__)

#: Log partitions that hub and door write: all that hold messages from outside.
PARTITION, DOOR_PARTITION = "hub", "door"
PARTITIONS = (DOOR_PARTITION, PARTITION)
#: Checks that warn: the platform does its work all the same.
WARNINGS = ("disk", "clock", "apps")
#: Age in seconds from which the door's counters mean that the door is gone.
DOOR_SILENT_S = 5.0
#: With less space than this the door cannot write, bytes: its log takes room ahead.
DOOR_NEEDS_BYTES = 4_194_304
#: How often retention is looked at, in seconds.
RETENTION_EVERY_S = 3600.0
#: How often it is written down which keys and sessions were used, in seconds.
FLUSH_EVERY_S = 60.0
#: How often the observations are counted for the health report, in seconds.
COUNT_EVERY_S = 1.0
#: How often those who wait for their messages to be ingested are looked after, in seconds.
INGESTED_EVERY_S = 0.001
#: How long a replay waits until ingest is where the log ended when it was asked for, in seconds.
REPLAY_WAIT_S = 10.0


class Hub:
    """Log reader, ingest, catalog and store of one platform; implements `core.platform`."""

    def __init__(self, config: Config, internal_secret: str = "") -> None:
        self._config = config
        self._clock = SystemClock()
        self._started_us = self._clock.now_us()
        data = config.data_path
        self._settled = SettledClock(
            self._clock, config.clock_margin_s, config.clock_settle_s, read_clock(data)
        )
        self.log = SegmentLog(data / "log", config.log, self._clock)
        self.catalog = open_catalog(config, is_hub=True)
        self.passwords = Passwords()
        self.identities = open_identities(config, self.catalog, self._clock, self.passwords)
        store = open_store(config, self._clock)
        # What is computed from what is removed is computed again without it.
        self.store = watched(store, self._removing)
        self.post = post = make_post(self.doors, internal_secret)
        self.fleet = make_room(
            config,
            self.catalog,
            self.store,
            self._clock,
            self.identities.access,
            post,
            self._settled.now_us,
        )
        codec = partial(make, settings=config.codecs)
        self.registry = CollectorRegistry()
        self.ingest = Ingest(
            self.log,
            self.catalog,
            store,
            codec,
            config.ingest,
            self._clock,
            registry=self.registry,
            ends=self.log.ends,
            access=self.identities.access,
            listener=self.fleet.listener,
            deleted=self.fleet.records.deleted,
        )
        self.streams = make_streams(
            config,
            store,
            self.catalog,
            self.ingest,
            self.identities.access,
            self._clock,
        )
        self.fleet.forget_series = self.ingest.forget_series
        self.fleet.log_passed = self._passing
        #: Where the HTTP server is, for links in what subscribers are told.
        self.http = f"http://{config.api.host}:{config.api.port}"
        self.things = make_things(
            self.catalog,
            self._clock,
            config.sensorthings,
            self.ingest.forget_series,
            self._tell,
            self._is_wanted,
        )
        self.notifier = make_notifier(
            self.things,
            catalog=self.catalog,
            store=self.store,
            live=self.ingest.live,
            clock=self._clock,
            access=self.identities.access,
            door=door_address(self.doors),
            secret=internal_secret,
            address=lambda: self.http,
        )
        self.apps = AppRoom(
            config=config,
            catalog=self.catalog,
            store=self.store,
            engine=self.streams,
            clock=self._clock,
            access=self.identities.access,
            note=self.identities.trail.write,
            post=make_post(self.doors, internal_secret, APPS_CLIENT),
            delete=self._delete_datastreams,
        )
        self._courier = Courier(make_post(self.doors, internal_secret, ALARMS_CLIENT))
        self.alarms = make_alarms(
            config.alarms,
            self.catalog,
            self.streams,
            self.identities,
            lambda topic, payload: self._courier.send([(topic, payload)]),
            lambda system: self.identities.access().system_scope(system),
            self._clock,
        )
        self._arrivals = Arrivals(self.log, DOOR_PARTITION)
        self._publisher = Publisher(self.log.writer(PARTITION), self._clock)
        self._awaited = Awaited(
            lambda: self.ingest.position(PARTITION), self.ingest.wake, INGESTED_EVERY_S
        )
        self._observations = self.store.count()
        self._store_trouble = ""
        self._tasks: list[asyncio.Task[None]] = []

    def _tell(self, changes: Sequence[Change]) -> None:
        """Tell subscribers of entities that were made or changed."""
        self.notifier.tell(changes)

    def _removing(self, gone: pa.Table | Selection) -> AbstractContextManager[None]:
        """Compute again without what is removed within."""
        return self.streams.removing(gone)

    def _is_wanted(self, type_: str) -> bool:
        """Tell whether somebody listens to SensorThings entities of a type."""
        return self.notifier.is_wanted(type_)

    def _delete_datastreams(self, ids: Sequence[int]) -> None:
        """Delete Datastreams and their observations, as SensorThings does."""
        for id_ in ids:
            self.things.writer.delete("Datastream", id_)
        self.fleet.forget()
        self.fleet.bury()

    def start(self) -> None:
        """Begin to take in messages; to be called in the event loop."""
        write_clock(self._config.data_path, self._settled.mark())
        self.ingest.start()
        self.streams.open()
        self.apps.start()
        self.alarms.start()
        self.fleet.start()
        self.notifier.start()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._expire_forever()),
            loop.create_task(self._count_forever()),
            loop.create_task(self._flush_forever()),
        ]

    async def close(self) -> None:
        """Take in what is there, flush the store and release everything."""
        for task in self._tasks:
            task.cancel()
        self.notifier.close()
        self._publisher.close()
        write_clock(self._config.data_path, self._settled.mark())
        await asyncio.to_thread(self.alarms.close)
        await asyncio.to_thread(self._courier.close)
        await asyncio.to_thread(self.apps.close)
        await asyncio.to_thread(self.streams.close)
        await asyncio.to_thread(self.ingest.close)
        await asyncio.to_thread(self.fleet.close)
        await asyncio.to_thread(self.store.close)
        self.identities.flush()
        self.passwords.close()
        self.catalog.close()
        self.log.close()

    async def _expire_forever(self) -> None:
        while True:
            await asyncio.sleep(RETENTION_EVERY_S)
            try:
                await asyncio.to_thread(self._expire)
            except Exception:
                _log.exception("old messages and observations were not removed; trying again later")

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            try:
                await asyncio.to_thread(self.identities.flush)
                mark = self._settled.mark()
                await asyncio.to_thread(write_clock, self._config.data_path, mark)
            except Exception:
                _log.exception("it could not be written down who signed in; trying again later")

    async def _count_forever(self) -> None:
        """Keep the count at hand: an exact one may take a while when much comes late."""
        while True:
            trouble = ""
            try:
                self._observations = await asyncio.to_thread(self.store.count)
            except PenstockError as error:
                trouble = str(error)
                if trouble != self._store_trouble:
                    _log.warning("the observations could not be counted: %s", trouble)
            except Exception:
                _log.exception("the observations could not be counted")
            self._store_trouble = trouble
            await asyncio.sleep(COUNT_EVERY_S)

    def _expire(self) -> None:
        now = self._settled.now_us()
        self.log.expire(now)
        default = self._config.store.retention_s
        own = {key: round(age * 1e6) for key, age in self.catalog.retentions().items()}
        if own or default is not None:
            self.store.expire(own, None if default is None else round(default * 1e6), now)

    @property
    def refused(self) -> int:
        """How many messages became dead letters since the start."""
        return self.ingest.meters.failed

    async def publish(self, messages: Sequence[tuple[str, bytes]], client: str) -> int:
        """Put messages into the log; see `core.platform.Platform.publish`."""
        return await self._publisher.publish(messages, client)

    def arrived(self, offset: int | None, is_wanted: Callable[[str], bool], most: int) -> Arrived:
        """Return messages that came by MQTT."""
        return self._arrivals.read(offset, is_wanted, most)

    async def ingested(self, offset: int, timeout_s: float) -> bool:
        """Wait until the hub's messages before `offset` are in the store."""
        return await self._awaited.reach(offset, timeout_s)

    async def all_ingested(self, timeout_s: float) -> bool:
        """Wait until all partitions are in the store as far as they go now."""
        is_passed = self._passing()
        deadline_s = self._clock.monotonic_s() + timeout_s
        self.ingest.wake()
        while not is_passed() and self._clock.monotonic_s() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(INGESTED_EVERY_S)
        return is_passed()

    def dead_letters(self, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        """Return waiting dead letters."""
        return self.ingest.dead_letters(after, limit)

    async def replay_dead_letters(self) -> Replayed:
        """Ingest waiting dead letters again."""
        return await asyncio.wrap_future(self.ingest.replay_dead_letters())

    async def discard_dead_letters(self) -> int:
        """Drop waiting dead letters."""
        return (await asyncio.wrap_future(self.ingest.discard_dead_letters())).messages

    async def replay_log(
        self, partition: str, from_offset: int, until_offset: int | None = None
    ) -> Replayed:
        """Ingest a range of the log again, with what was acknowledged before this was asked for."""
        await self.all_ingested(REPLAY_WAIT_S)
        replay = self.ingest.replay(partition, from_offset, until_offset)
        return await asyncio.wrap_future(replay)

    def doors(self) -> Mapping[str, tuple[str, int]]:
        """Return where the door listens, as it said itself."""
        return read_doors(door_stats_file(self._config.data_path))

    def stats(self) -> Mapping[str, float]:
        """Return all counters by their Prometheus name."""
        door = {k: v for k, v in self._door().items() if k.startswith("penstock_")}
        return {
            **door,
            **self.ingest.stats(),
            **self.streams.stats(),
            **self.apps.stats(),
            "penstock_store_observations": self._observations,
        }

    def health(self) -> Health:
        """Return the state now."""
        door = self._door()
        stats = self.ingest.stats()
        checks = [
            self._check_door(door),
            self._check_ingest(),
            self._check_store(),
            self._check_disk(),
            self._check_clock(),
            self.apps.check(),
        ]
        return Health(
            ready=all(check.ok for check in checks if check.name not in WARNINGS),
            checks=checks,
            connections=int(door.get("penstock_door_connections", 0)),
            messages_per_s=stats["penstock_ingest_messages_per_second"],
            observations_per_s=stats["penstock_ingest_observations_per_second"],
            lag_messages=int(stats["penstock_ingest_lag_messages"]),
            lag_s=stats["penstock_ingest_lag_seconds"],
            messages_total=sum(end for name, end in self.log.ends().items() if name in PARTITIONS),
            observations_total=self._observations,
            datastreams_total=self.catalog.count_datastreams(),
            dead_letters=int(stats["penstock_ingest_dead_letters"]),
            devices_pending=len(self.catalog.devices(DeviceStatus.PENDING)),
            started_us=self._started_us,
            version=__version__,
        )

    def _passing(self) -> Callable[[], bool]:
        """Return what tells whether ingest has passed all that is in the log now."""
        ends = {name: end for name, end in self.log.ends().items() if name in PARTITIONS}
        return lambda: all(self.ingest.position(name) >= end for name, end in ends.items())

    def _door(self) -> dict[str, float]:
        return read_stats(door_stats_file(self._config.data_path))

    def _check_door(self, door: Mapping[str, float]) -> Check:
        age = time.time() - door.get("at", 0.0)
        if age < DOOR_SILENT_S:
            where = f"{self._config.door.host}:{self._config.door.port}"
            return Check("door", ok=True, message=f"MQTT on {where}")
        if shutil.disk_usage(self._config.data_path).free < DOOR_NEEDS_BYTES:
            # It cannot even write down that it is there.
            message = (
                "the MQTT door waits for space on the disk: it acknowledges nothing until there is "
                "some, and what was acknowledged is safe"
            )
            return Check("door", ok=False, message=message)
        return Check(
            "door",
            ok=False,
            message="the MQTT door does not answer; it is started again by itself, and what was "
            "acknowledged is safe",
        )

    def _check_ingest(self) -> Check:
        trouble = self.ingest.trouble
        if trouble or not self.ingest.is_running:
            what = trouble or "ingest has ended; restart Penstock"
            return Check("ingest", ok=False, message=what)
        return Check("ingest", ok=True, message="messages are decoded and stored")

    def _check_store(self) -> Check:
        said = self._store_trouble
        return Check("store", ok=not said, message=said or "observations can be read")

    def _check_clock(self) -> Check:
        ahead_s = self._settled.ahead_s
        if ahead_s <= self._config.clock_margin_s:
            return Check("clock", ok=True, message="the clock goes as it should")
        return Check(
            "clock",
            ok=False,
            message=f"the machine's clock is {ahead_s / 3600:.1f} hours ahead of what was seen "
            "before, so nothing is deleted for its age until it has stood there for "
            f"{self._config.clock_settle_s / 3600:.0f} hours; if it is wrong, set it right now "
            "(`timedatectl`)",
        )

    def _check_disk(self) -> Check:
        free = shutil.disk_usage(self._config.data_path).free
        text = f"{free / 1e9:.1f} GB free"
        if free >= self._config.min_free_bytes:
            return Check("disk", ok=True, message=text)
        return Check(
            "disk", ok=False, message=f"{text}; make room on {self._config.data_path} soon"
        )
