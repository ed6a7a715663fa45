"""The room: everything about devices, put together, and what it does on its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from penstock.core.access import Access
from penstock.core.catalog import Policy
from penstock.core.clock import Clock
from penstock.core.commands import TaskRecords
from penstock.core.devices import DeviceRecords, StateRecords, TargetRecords, TrackRecords
from penstock.core.errors import PenstockError
from penstock.core.selection import Selection
from penstock.core.store import Store
from penstock.devices.commands import CommandDesk
from penstock.devices.directory import Directory
from penstock.devices.dispatcher import Dispatcher
from penstock.devices.listener import DeviceListener
from penstock.devices.log_store import LogStore
from penstock.devices.open_tasks import OpenTasks
from penstock.devices.post import Post
from penstock.devices.settings import DeviceSettings
from penstock.devices.states import StateDesk
from penstock.devices.watching import Watch

_log = logging.getLogger(__name__)

#: Seconds between two looks for what is too old.
TRIM_EVERY_S = 300.0
#: Seconds to wait until ingest has forgotten a device.
FORGET_TIMEOUT_S = 30.0


class DeviceRoom:
    """Devices of one platform. See `core.fleet.Fleet` for what the API asks of it.

    Args:
        records: Keeps devices.
        targets: Keeps targets.
        tracks: Keeps where devices were.
        states: Keeps states.
        tasks: Keeps tasks.
        store: Keeps observations; asked to delete those of devices that are deleted with them.
        post: Reaches the door.
        folder: Where the logs of devices are kept.
        settings: See there.
        policy: What to do with devices never seen before.
        clock: Tells the time.
        access: Gives the organisation as it is now.
        settled_us: Tells the time by which something may be deleted for its age.
    """

    def __init__(
        self,
        *,
        records: DeviceRecords,
        targets: TargetRecords,
        tracks: TrackRecords,
        states: StateRecords,
        tasks: TaskRecords,
        store: Store,
        post: Post,
        folder: Path,
        settings: DeviceSettings,
        policy: Policy,
        clock: Clock,
        access: Callable[[], Access],
        settled_us: Callable[[], int],
    ) -> None:
        self.records = records
        self.targets = targets
        self.tracks = tracks
        self.logs = LogStore(
            folder / "device-logs.sqlite", settings, clock, lambda: _companies(access())
        )
        directory = Directory(records, tasks, access)
        open_tasks = OpenTasks(settings, access)
        self.commands = CommandDesk(tasks, directory, post, settings, clock, open_tasks)
        self.states = StateDesk(states, directory, self.commands.dispatcher, settings, clock)
        self._watch = Watch(records, clock)
        self.listener = DeviceListener(
            devices=records,
            tasks=tasks,
            logs=self.logs,
            states=self.states,
            watch=self._watch,
            dispatcher=self.commands.dispatcher,
            policy=policy,
            settings=settings,
            clock=clock,
        )
        #: Makes ingest ask the catalog anew; set by whoever puts both together.
        self.forget_series: Callable[[float], bool] = _nothing_to_forget
        #: Returns what tells whether ingest has passed all that is in the log now; set likewise.
        self.log_passed: Callable[[], Callable[[], bool]] = _nothing_to_pass
        #: Devices that were deleted with their data, and what tells that they are gone.
        self._leaving: list[tuple[tuple[int, str], Callable[[], bool]]] = []
        self._leaving_lock = threading.Lock()
        self._tasks = tasks
        self._store = store
        self._settings = settings
        self._clock = clock
        self._settled_us = settled_us
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def dispatcher(self) -> Dispatcher:
        """Sends tasks."""
        return self.commands.dispatcher

    def start(self) -> None:
        """Send what waits, and begin to keep house in a thread of its own."""
        self.dispatcher.start()
        self.states.tell_again()
        is_passed = self.log_passed()
        self._leaving = [(device, is_passed) for device in self.records.leaving()]
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write down what is known and release everything. Safe to call twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.dispatcher.close()
        try:
            self._watch.write()
        except PenstockError as error:
            _log.warning("who was seen last is not written down: %s", error)
        self.logs.close()

    def write_seen(self) -> None:
        """Write down now who was seen."""
        self._watch.write()

    def last_seen(self) -> dict[int, int]:
        """Return when Things were seen, as far as that is not written down yet."""
        return self._watch.last_seen()

    def forget(self) -> None:
        """Ask anew about every device: a decision was made on one."""
        self.listener.forget()
        self.forget_series(FORGET_TIMEOUT_S)

    def remove(self, system: int, name: str, *, with_data: bool) -> None:
        """Delete a device, and with data its Thing, observations and logs.

        Raises:
            NotFound: No such device.
        """
        self.records.remove(system, name, with_data=with_data)
        # What it sent until here is not to enrol it again; what it sends from now on may.
        is_passed = self.log_passed()
        self._watch.forget()
        self.forget()
        if with_data:
            self.logs.delete(system, name)
            self.bury()
            with self._leaving_lock:
                self._leaving.append(((system, name), is_passed))
            self.let_leave()

    def let_leave(self) -> None:
        """Let devices be enrolled again of which no message from before their deletion is left."""
        with self._leaving_lock:
            gone = [device for device, is_passed in self._leaving if is_passed()]
            if not gone:
                return
            self.records.left(gone)
            self._leaving = [one for one in self._leaving if one[0] not in gone]
        self.forget()

    def bury(self) -> None:
        """Delete the observations of Datastreams that are gone."""
        ids = tuple(self.records.doomed())
        if ids:
            self._store.delete(Selection(datastreams=ids))
            self.records.buried(ids)

    def _run(self) -> None:
        trimmed_s = self._clock.monotonic_s() - TRIM_EVERY_S + 10.0
        self._try("observations of deleted devices", self.bury)
        while not self._stop.wait(self._settings.seen_every_s):
            self._try("who was seen", self._watch.write)
            self._try("devices that were deleted", self.let_leave)
            is_due = self._clock.monotonic_s() - trimmed_s >= TRIM_EVERY_S
            if is_due or self.logs.is_swollen:
                trimmed_s = self._clock.monotonic_s()
                self.keep_house()

    def keep_house(self) -> None:
        """Remove what is too old: lines of logs, tasks, places of tracks."""
        now_us, settings = self._settled_us(), self._settings
        self._try("logs of devices", lambda: self.logs.trim(now_us))
        self._try(
            "tasks", lambda: self._tasks.forget(now_us - round(settings.task_retention_s * 1e6))
        )
        self._try(
            "tracks",
            lambda: self.tracks.thin(
                before_us=now_us - round(settings.track_fine_s * 1e6),
                every_us=round(settings.track_every_s * 1e6),
                until_us=now_us - round(settings.track_retention_s * 1e6),
            ),
        )

    @staticmethod
    def _try(what: str, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception:
            _log.exception("%s could not be looked after; trying again later", what)


def _companies(access: Access) -> dict[int, int]:
    return {system.id: system.company for system in access.organisation.systems}


def _nothing_to_pass() -> Callable[[], bool]:
    return lambda: True


def _nothing_to_forget(_: float) -> bool:
    return True
