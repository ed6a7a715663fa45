"""What devices say beside their results: handed on by ingest, and kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.clock import Clock
from penstock.core.commands import Move, TaskQuery, TaskRecords
from penstock.core.device_logs import LogLine
from penstock.core.devices import Device, DeviceFacts, DeviceRecords, Presence, check_serial
from penstock.core.errors import Backpressure, InvalidInput, NotConnected
from penstock.core.listening import Heard, Kind, Sighting, Unheard
from penstock.devices.device_types import ACCELEROMETER
from penstock.devices.directory import ALL
from penstock.devices.dispatcher import Dispatcher, DoorStarted
from penstock.devices.log_store import LogStore
from penstock.devices.naming import base_of, name_of
from penstock.devices.reading import (
    Answer,
    read_answer,
    read_lines,
    read_presence,
    read_registry,
    read_start,
    read_state,
)
from penstock.devices.settings import DeviceSettings
from penstock.devices.states import StateDesk
from penstock.devices.watching import Watch

#: Topics of the door's own messages.
_CLIENTS = "$SYS/penstock/clients/"
_DOOR = "$SYS/penstock/door"
#: Tasks looked up at once, well within what one statement takes.
MAX_KEYS = 1000
#: A task's key, as correlation data.
_KEY = re.compile(rb"[0-9a-f]{32}")
#: Devices that are known to be enrolled, so that nobody has to be asked.
MAX_KNOWN = 100_000


class DeviceListener:
    """Hears devices. See `core.listening.Listener`.

    Args:
        devices: Keeps the devices.
        tasks: Keeps the tasks.
        logs: Keeps the logs.
        states: Keeps the states.
        watch: Remembers who was seen.
        dispatcher: Is told what becomes of tasks, and when a door starts.
        policy: What to do with devices never seen before.
        settings: Bounds.
        clock: Tells the time.
    """

    def __init__(
        self,
        *,
        devices: DeviceRecords,
        tasks: TaskRecords,
        logs: LogStore,
        states: StateDesk,
        watch: Watch,
        dispatcher: Dispatcher,
        policy: Policy,
        settings: DeviceSettings,
        clock: Clock,
    ) -> None:
        self._devices = devices
        self._tasks = tasks
        self._logs = logs
        self._states = states
        self._watch = watch
        self._dispatcher = dispatcher
        self._policy = policy
        self._settings = settings
        self._clock = clock
        #: The Things of devices known to be enrolled.
        self._enrolled: dict[tuple[int, str], int] = {}
        self._ways: dict[Kind, Callable[[Heard], Sequence[Unheard]]] = {
            Kind.REGISTRY: self._hear_registry,
            Kind.LOGS: self._hear_logs,
            Kind.STATE: self._hear_states,
            Kind.ANSWER: self._hear_answers,
            Kind.PLATFORM: self._hear_platform,
        }

    def hear(self, kind: Kind, heard: Heard) -> Sequence[Unheard]:
        """Take messages; durable when it returns, and harmless when they come again."""
        return self._ways[kind](heard)

    def saw(self, sightings: Sequence[Sighting]) -> None:
        """Learn who sent results."""
        self._watch.saw(sightings)

    def forget(self) -> None:
        """Ask anew whether devices are enrolled."""
        self._enrolled = {}

    # -- registry -----------------------------------------------------------------------------

    def _hear_registry(self, heard: Heard) -> Sequence[Unheard]:
        unheard: list[Unheard] = []
        facts: dict[int, DeviceFacts] = {}
        for at in range(len(heard)):
            local = name_of(Kind.REGISTRY, heard.paths[at], heard.fields[at])
            try:
                serial = check_serial(local)
                entry = read_registry(heard.payloads[at], serial)
            except InvalidInput as error:
                unheard.append(Unheard(at, str(error)))
                continue
            facts[at] = DeviceFacts(
                name=heard.prefixes[at] + serial,
                system=heard.systems[at],
                type=ACCELEROMETER.name,
                topic=base_of(Kind.REGISTRY, heard.topics[at]),
                sample_frequency=entry.sample_frequency,
            )
        refused = self._enrol(facts, heard)
        self._saw(heard, {at: (one.system, one.name) for at, one in facts.items()})
        return [*unheard, *refused]

    def _saw(self, heard: Heard, names: Mapping[int, tuple[int, str]]) -> None:
        """Remember that devices said something."""
        for at, name in names.items():
            thing = self._enrolled.get(name)
            if thing is not None:
                self._watch.saw_device(thing, heard.arrived_us[at], heard.clients[at])

    def _enrol(self, facts: dict[int, DeviceFacts], heard: Heard) -> list[Unheard]:
        """Register devices and return those that are not let in (yet)."""
        late = self._from_before(facts, heard)
        facts = {at: one for at, one in facts.items() if at not in late}
        return [*late.values(), *self._register(facts)]

    def _from_before(self, facts: dict[int, DeviceFacts], heard: Heard) -> dict[int, Unheard]:
        """Return what devices said before they were deleted: it does not bring them back."""
        deleted = self._devices.deleted() if facts else {}
        return {
            at: Unheard(at, f"device {one.name!r} was deleted after this came")
            for at, one in facts.items()
            if heard.arrived_us[at] < deleted.get((one.system, one.name), 0)
        }

    def _register(self, facts: dict[int, DeviceFacts]) -> list[Unheard]:
        if not facts:
            return []
        found = self._devices.register(list(facts.values()), self._policy, self._clock.now_us())
        enrolled = {
            (one.system, one.name): one.thing_id
            for one in found
            if one.status is DeviceStatus.ENROLLED and one.thing_id is not None
        }
        if len(self._enrolled) > MAX_KNOWN:
            self._enrolled = {}
        self._enrolled.update(enrolled)
        refused = {at: one for at, one in facts.items() if (one.system, one.name) not in enrolled}
        leaving = set(self._devices.leaving()) if refused else set()
        return [
            Unheard(at, f"device {one.name!r} was deleted with its data; this may be older")
            if (one.system, one.name) in leaving
            else Unheard(at, f"device {one.name!r} is not enrolled", one.name)
            for at, one in refused.items()
        ]

    # -- logs ---------------------------------------------------------------------------------

    def _hear_logs(self, heard: Heard) -> Sequence[Unheard]:
        unheard: list[Unheard] = []
        lines: dict[int, list[LogLine]] = {}
        unknown: dict[int, DeviceFacts] = {}
        for at in range(len(heard)):
            name, topic = self._whose(Kind.LOGS, heard, at)
            system = heard.systems[at]
            if not 1 <= len(name) <= 255:
                unheard.append(Unheard(at, f"{name[:40]!r} is no name of a device"))
                continue
            try:
                lines[at] = read_lines(
                    heard.payloads[at],
                    name,
                    system,
                    heard.arrived_us[at],
                    self._settings.max_log_message_chars,
                )
            except InvalidInput as error:
                unheard.append(Unheard(at, str(error)))
                continue
            if (system, name) not in self._enrolled:
                unknown[at] = DeviceFacts(name=name, system=system, topic=topic)
        refused = self._enrol(unknown, heard)
        for one in refused:
            del lines[one.message]
        self._logs.append([line for some in lines.values() for line in some])
        self._saw(
            heard, {at: (some[0].system, some[0].device) for at, some in lines.items() if some}
        )
        return [*unheard, *refused]

    def _whose(self, kind: Kind, heard: Heard, at: int) -> tuple[str, str]:
        """Return name and topic of the device that said something."""
        topic = base_of(kind, heard.topics[at])
        name = heard.prefixes[at] + name_of(kind, heard.paths[at], heard.fields[at])
        if (heard.systems[at], name) not in self._enrolled and topic:
            known = self._device(kind, heard, at)
            if known is not None:
                return known.name, topic
        return name, topic

    def _device(self, kind: Kind, heard: Heard, at: int) -> Device | None:
        """Return the device that said something, by its topic or by its name."""
        system = heard.systems[at]
        topic = base_of(kind, heard.topics[at])
        if topic:
            found = self._devices.devices(ALL, topic=topic)
            if any(one.system == system for one in found):
                return next(one for one in found if one.system == system)
        name = heard.prefixes[at] + name_of(kind, heard.paths[at], heard.fields[at])
        found = self._devices.devices(ALL, name=name)
        return next((one for one in found if one.system == system), None)

    # -- states -------------------------------------------------------------------------------

    def _hear_states(self, heard: Heard) -> Sequence[Unheard]:
        unheard: list[Unheard] = []
        for at in range(len(heard)):
            device = self._device(Kind.STATE, heard, at)
            if device is None or device.thing_id is None:
                local = name_of(Kind.STATE, heard.paths[at], heard.fields[at])
                unheard.append(Unheard(at, f"device {local[:80]!r} is not known or not enrolled"))
                continue
            try:
                state = read_state(heard.payloads[at], self._settings.max_state_bytes)
                self._states.report(device, state, heard.arrived_us[at])
                self._watch.saw_device(device.thing_id, heard.arrived_us[at], heard.clients[at])
            except (Backpressure, NotConnected):
                raise
            except InvalidInput as error:
                unheard.append(Unheard(at, str(error)))
        return unheard

    # -- answers ------------------------------------------------------------------------------

    def _hear_answers(self, heard: Heard) -> Sequence[Unheard]:
        unheard: list[Unheard] = []
        answers: dict[int, Answer] = {}
        for at in range(len(heard)):
            try:
                answers[at] = read_answer(heard.payloads[at], _task_of(heard, at))
            except InvalidInput as error:
                unheard.append(Unheard(at, str(error)))
        if not answers:
            return unheard
        keys = sorted({answer.task for answer in answers.values()})
        tasks = {
            task.key: task
            for start in range(0, len(keys), MAX_KEYS)
            for task in self._tasks.tasks(
                ALL, TaskQuery(limit=MAX_KEYS), keys[start : start + MAX_KEYS]
            )
        }
        moves: list[Move] = []
        for at, answer in answers.items():
            task = tasks.get(answer.task)
            name, _ = self._whose(Kind.ANSWER, heard, at)
            if task is None or (task.system, task.device) != (heard.systems[at], name):
                unheard.append(
                    Unheard(at, f"device {name[:80]!r} has no task {answer.task[:40]!r}")
                )
                continue
            self._watch.saw_device(task.thing_id, heard.arrived_us[at], heard.clients[at])
            moves.append(
                Move(
                    key=answer.task,
                    state=answer.state,
                    at_us=heard.arrived_us[at],
                    message=answer.message,
                )
            )
        if moves:
            self._dispatcher.put(self._tasks.move(moves))
        return unheard

    # -- the door -----------------------------------------------------------------------------

    def _hear_platform(self, heard: Heard) -> Sequence[Unheard]:
        presence: dict[tuple[int, str], Presence] = {}
        unheard: list[Unheard] = []
        for at, topic in enumerate(heard.topics):
            try:
                if topic.startswith(_CLIENTS):
                    one = read_presence(heard.payloads[at])
                    presence[one.system, one.client] = one
                elif topic == _DOOR:
                    self._devices.note(presence=list(presence.values()))
                    presence.clear()
                    started_us = read_start(heard.payloads[at])
                    self._devices.note(started_us=started_us)
                    self._dispatcher.put(DoorStarted(started_us))
            except InvalidInput as error:
                unheard.append(Unheard(at, str(error)))
        if presence:
            self._devices.note(presence=list(presence.values()))
        return unheard


def _task_of(heard: Heard, at: int) -> str:
    """Return the task that an answer names outside of its payload; "" for none.

    A device that answers by MQTT 5.0 request and response gives back what came as correlation data.
    """
    task = heard.fields[at].get("task", "")
    if task or not heard.correlations:
        return task
    data = heard.correlations[at]
    return data.decode() if _KEY.fullmatch(data) else ""
