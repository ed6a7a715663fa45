"""The command desk: checks orders, keeps them as tasks, and hands them to the dispatcher."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence

import msgspec

from penstock.core.access import Scope
from penstock.core.clock import Clock
from penstock.core.commands import (
    CommandType,
    DeviceType,
    Order,
    Task,
    TaskQuery,
    TaskRecords,
    TaskState,
    Value,
)
from penstock.core.devices import Device
from penstock.core.errors import Conflict, InvalidInput, NotFound
from penstock.devices.device_types import BUILTIN, check_parameters, check_type
from penstock.devices.directory import ALL, Directory
from penstock.devices.dispatcher import Dispatcher, Envelope
from penstock.devices.naming import answer_topic, command_topic
from penstock.devices.open_tasks import OpenTasks
from penstock.devices.post import Post
from penstock.devices.reading import write_command
from penstock.devices.settings import DeviceSettings

#: Longest time to live of a command, in seconds: a year.
MAX_TIME_TO_LIVE_S = 31_536_000.0
#: Largest number that records hold.
MAX_ID = 2**63 - 1
#: Longest idempotency key, in characters.
MAX_KEY_CHARS = 200


class CommandDesk:
    """Takes orders. See `core.commands.Commands`.

    Args:
        records: Keeps tasks and types.
        directory: Knows the devices.
        post: Reaches the door.
        settings: Times to live.
        clock: Tells the time.
        open_tasks: Knows how many there may be.
    """

    def __init__(
        self,
        records: TaskRecords,
        directory: Directory,
        post: Post,
        settings: DeviceSettings,
        clock: Clock,
        open_tasks: OpenTasks,
    ) -> None:
        self._records = records
        self._directory = directory
        self._settings = settings
        self._clock = clock
        self._open = open_tasks
        self.dispatcher = Dispatcher(records, post, settings, clock, self._envelopes, open_tasks)

    def types(self) -> Sequence[DeviceType]:
        """Return all device types by name, those that come with Penstock among them."""
        return list(self._directory.types().values())

    def type_of(self, name: str) -> DeviceType:
        """Return a device type."""
        found = self._directory.types().get(name)
        if found is None:
            known = ", ".join(self._directory.types())
            msg = f"there is no device type {name[:80]!r}; there are {known}"
            raise NotFound(msg)
        return found

    def declare(self, type_: DeviceType) -> DeviceType:
        """Declare a device type, or declare it anew."""
        if type_.name in BUILTIN or type_.builtin:
            msg = f"device type {type_.name!r} comes with Penstock; give yours another name"
            raise Conflict(msg)
        self._records.declare(check_type(type_))
        self._directory.forget_types()
        return type_

    def request(
        self, order: Order, when_new: Callable[[Sequence[Task]], None] | None = None
    ) -> Sequence[Task]:
        """Order a command of devices and return a task for each; on disk, on its way."""
        if len(order.key) > MAX_KEY_CHARS:
            msg = f"an idempotency key has at most {MAX_KEY_CHARS} characters"
            raise InvalidInput(msg)
        things = list(dict.fromkeys(order.things))
        devices = self._directory.devices(things)
        now_us = self._clock.now_us()
        types = [self._directory.type_of(device) for device in devices]
        tasks = [
            self._task(device, type_, order, now_us)
            for device, type_ in zip(devices, types, strict=True)
        ]
        envelopes = [
            self._envelope(task, device, type_)
            for task, device, type_ in zip(tasks, devices, types, strict=True)
        ]
        request = f"{order.by}\n{order.key}" if order.key else ""
        taken = self._open.take(task.system for task in tasks)
        is_new = False
        try:
            made, is_new = self._records.create(tasks, types, request, _digest(order, things))
        finally:
            if not is_new:
                for system, amount in taken.items():
                    self._open.end(system, amount)
        if is_new:
            self.dispatcher.put(
                [
                    msgspec.structs.replace(envelope, task=task)
                    for envelope, task in zip(envelopes, made, strict=True)
                ]
            )
            if when_new is not None:
                when_new(made)
        return made

    def tasks(self, scope: Scope, query: TaskQuery) -> Sequence[Task]:
        """Return tasks, newest first."""
        return self._records.tasks(scope, query)

    def task(self, id_: int) -> Task:
        """Return a task."""
        found = self._records.tasks(ALL, TaskQuery(before=min(id_ + 1, MAX_ID), limit=1))
        if not found or found[0].id != id_:
            msg = f"there is no task with id {id_}"
            raise NotFound(msg)
        return found[0]

    def _task(self, device: Device, type_: DeviceType, order: Order, now_us: int) -> Task:
        command = _command(device, type_, order.command)
        lives_s = order.time_to_live_s or command.time_to_live_s or self._settings.time_to_live_s
        if not 0 < lives_s <= MAX_TIME_TO_LIVE_S:
            msg = (
                f"time_to_live_s {lives_s!r} is not allowed; more than 0 and up to "
                f"{MAX_TIME_TO_LIVE_S:.0f} seconds is"
            )
            raise InvalidInput(msg)
        parameters: Mapping[str, Value] = check_parameters(command, order.parameters)
        return Task(
            id=0,
            key=secrets.token_hex(16),
            device=device.name,
            system=device.system,
            thing_id=device.thing_id or 0,
            command=command.name,
            parameters=parameters,
            state=TaskState.QUEUED,
            created_us=now_us,
            expires_us=now_us + round(lives_s * 1e6),
            by=order.by,
        )

    def _envelopes(self, tasks: Sequence[Task]) -> Sequence[Envelope]:
        """Put tasks that were read from the records in their envelopes."""
        things = list(dict.fromkeys(task.thing_id for task in tasks))
        found = {}
        for thing in things:
            try:
                found[thing] = self._directory.devices([thing])[0]
            except NotFound:
                continue
        types = {thing: self._directory.type_of(device) for thing, device in found.items()}
        return [
            self._envelope(task, found[task.thing_id], types[task.thing_id], is_new=False)
            for task in tasks
            if task.thing_id in found
        ]

    def _envelope(
        self, task: Task, device: Device, type_: DeviceType, *, is_new: bool = True
    ) -> Envelope:
        """Put a task in its envelope; an old one that cannot be delivered any more goes nowhere."""
        system = self._directory.system_name(device.system)
        topic = command_topic(type_, device, system, task.command)
        reply_topic = f"{answer_topic(type_, device, system)}/{task.key}"
        try:
            for one in (topic, reply_topic):
                self._directory.check_topic(device, one)
        except InvalidInput:
            if is_new:
                raise
            topic = ""
        local = device.name.removeprefix(f"{system}.") if system else device.name
        return Envelope(
            task=task,
            topic=topic,
            payload=write_command(task, local),
            reply_topic=reply_topic,
            is_answered=type_.answers,
            clients=tuple(dict.fromkeys(one for one in (local, device.name, device.client) if one)),
        )


def _command(device: Device, type_: DeviceType, name: str) -> CommandType:
    declared = {command.name: command for command in type_.commands}
    # `change-sample-frequency` is how routes and the command line spell it.
    for spelled in (name, name.replace("-", "_")):
        if spelled in declared:
            return declared[spelled]
    if not type_.name:
        msg = (
            f"device {device.name!r} has no known type, so it has no commands; set its type with "
            "`PATCH /api/v1/devices/NAME`"
        )
        raise InvalidInput(msg)
    known = ", ".join(command.name for command in type_.commands) or "none"
    msg = (
        f"device {device.name!r} of type {type_.name!r} has no command {name[:80]!r}; it has "
        f"{known}"
    )
    raise InvalidInput(msg)


def _digest(order: Order, things: Sequence[int]) -> str:
    """Return what makes two orders the same."""
    what = (sorted(things), order.command, sorted(order.parameters.items()), order.time_to_live_s)
    return hashlib.sha256(msgspec.json.encode(what)).hexdigest()
