"""Commands: what devices understand, and tasks: what became of each command.

A task only ever goes forward, `queued > sent > delivered > accepted > done | failed | expired`, and
may leave out steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Literal, Protocol

import msgspec

from penstock.core.access import Scope

#: Value of a command's parameter.
Value = bool | int | float | str


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter of a command.

    Attributes:
        name: As it stands in `Params`.
        kind: What its values are.
        label: For people.
        unit: Symbol of its unit.
        minimum: Smallest value allowed.
        maximum: Largest value allowed.
        above: Values must be larger than this.
        max_length: Longest text allowed.
        values: The only values allowed, when there are any.
        required: Whether it must be given.
    """

    name: str
    kind: Literal["number", "integer", "text", "boolean"] = "number"
    label: str = ""
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    max_length: int = 1000
    values: Sequence[Value] = ()
    required: bool = True


class CommandType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command that a device type understands.

    Attributes:
        name: 1 to 64 letters, digits, '_' and '-'.
        description: For people.
        parameters: What it needs to know.
        time_to_live_s: How long the device has to accept it, seconds; None is the default.
    """

    name: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    time_to_live_s: float | None = None


class DeviceType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What devices of a kind understand, and where they listen.

    In topics `{name}` is the name of the device, `{topic}` the topic below which it talks and
    `{command}` the command.

    Attributes:
        name: 1 to 64 letters, digits, '_', '-' and '.'.
        description: For people.
        commands: What it understands.
        topic: Below which topic it talks, unless it was heard to talk below another one.
        command_topic: Where it listens for commands.
        answer_topic: Where it answers.
        state_topic: Where it is told the desired state.
        answers: Whether it says what became of a command; one that does not is done when it has
            the command.
        builtin: Whether it comes with Penstock and cannot be changed.
    """

    name: str
    description: str = ""
    commands: Sequence[CommandType] = ()
    topic: str = "{name}"
    command_topic: str = "{topic}/commands/{command}"
    answer_topic: str = "{topic}/tasks"
    state_topic: str = "{topic}/state/desired"
    answers: bool = True
    builtin: bool = False


class TaskState(StrEnum):
    """Where a task stands; it only ever goes forward."""

    #: On disk here; the door does not have it yet.
    QUEUED = "queued"
    #: On disk in the door.
    SENT = "sent"
    #: The device has it.
    DELIVERED = "delivered"
    #: The device will do it.
    ACCEPTED = "accepted"
    #: The device did it.
    DONE = "done"
    #: The device could not do it, or refused.
    FAILED = "failed"
    #: Nobody accepted it in time.
    EXPIRED = "expired"


_RANK = {
    TaskState.QUEUED: 0,
    TaskState.SENT: 1,
    TaskState.DELIVERED: 2,
    TaskState.ACCEPTED: 3,
    TaskState.DONE: 4,
    TaskState.FAILED: 4,
    TaskState.EXPIRED: 4,
}
TERMINAL = frozenset({TaskState.DONE, TaskState.FAILED, TaskState.EXPIRED})


def may_follow(before: TaskState, after: TaskState) -> bool:
    """Tell whether a task may go from one state to another: forward only, and never from an end."""
    return _RANK[after] > _RANK[before]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One command for one device.

    Attributes:
        id: Number, never used again; the id of the SensorThings Task.
        key: Name under which device and door know it; nobody can guess it.
        device: Name of the device.
        system: Its system.
        thing_id: Its Thing.
        command: Name of the command.
        parameters: As given.
        state: Where it stands.
        created_us: When it was asked for.
        expires_us: When it expires unless accepted.
        sent_us: When the door had it.
        delivered_us: When the device had it.
        accepted_us: When the device accepted it.
        ended_us: When it came to its end.
        message: What the device or the platform says about it.
        by: Who asked for it.
    """

    id: int
    key: str
    device: str
    system: int
    thing_id: int
    command: str
    parameters: Mapping[str, Value]
    state: TaskState
    created_us: int
    expires_us: int
    sent_us: int | None = None
    delivered_us: int | None = None
    accepted_us: int | None = None
    ended_us: int | None = None
    message: str = ""
    by: str = ""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A task goes to another state."""

    key: str
    state: TaskState
    at_us: int
    message: str = ""


class TaskQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which tasks, newest first.

    Attributes:
        thing_id: Of this device only.
        states: In these states; empty is all.
        before: Ids below this one.
        limit: At most so many.
    """

    thing_id: int | None = None
    states: frozenset[TaskState] = frozenset()
    before: int | None = None
    limit: int = 100


class TaskRecords(Protocol):
    """Keeps device types and tasks. Safe to call from any thread; durable when a call returns."""

    def types(self) -> Sequence[DeviceType]:
        """Return the device types that were declared, by name."""
        ...

    def declare(self, type_: DeviceType) -> None:
        """Keep a device type, in the place of one of the same name."""
        ...

    def create(
        self,
        tasks: Sequence[Task],
        types: Sequence[DeviceType],
        request: str = "",
        digest: str = "",
    ) -> tuple[Sequence[Task], bool]:
        """Keep new tasks, each of a device of a type, and return them with ids, and if new.

        With a `request` (idempotency key) that was used before, the tasks that it made.

        Raises:
            Conflict: The request was used for something else, as `digest` shows.
        """
        ...

    def move(self, moves: Sequence[Move]) -> Sequence[Task]:
        """Move tasks to other states; return those that moved. What may not follow is left out."""
        ...

    def tasks(
        self, scope: Scope, query: TaskQuery, keys: Sequence[str] | None = None
    ) -> Sequence[Task]:
        """Return tasks, newest first."""
        ...

    def open_tasks(self) -> Sequence[Task]:
        """Return all tasks that have not come to their end, oldest first."""
        ...

    def forget(self, ended_before_us: int) -> int:
        """Remove tasks that ended before then, and return how many."""
        ...


class Commands(Protocol):
    """Commands devices; what the API talks to. Safe to call from any thread."""

    def types(self) -> Sequence[DeviceType]:
        """Return all device types by name, those that come with Penstock among them."""
        ...

    def type_of(self, name: str) -> DeviceType:
        """Return a device type.

        Raises:
            NotFound: There is none of this name.
        """
        ...

    def declare(self, type_: DeviceType) -> DeviceType:
        """Declare a device type, or declare it anew.

        Raises:
            InvalidInput: It contradicts itself.
            Conflict: It comes with Penstock and cannot be changed.
        """
        ...

    def request(
        self, order: Order, when_new: Callable[[Sequence[Task]], None] | None = None
    ) -> Sequence[Task]:
        """Order a command of devices and return a task for each; on disk, on its way.

        `when_new` is called with the tasks, unless an earlier order of the same key made them.

        Raises:
            InvalidInput: The command is not one of the device's type, or a parameter is wrong;
                nothing was ordered of any device.
            NotFound: A device does not exist.
            Conflict: The idempotency key was used for another order.
            TooManyRequests: Too many commands of a device's company wait for their end.
        """
        ...

    def tasks(self, scope: Scope, query: TaskQuery) -> Sequence[Task]:
        """Return tasks, newest first."""
        ...

    def task(self, id_: int) -> Task:
        """Return a task.

        Raises:
            NotFound: There is none with this id.
        """
        ...


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A command for some devices.

    Attributes:
        things: Things of the devices.
        command: Name of the command.
        parameters: As the device type asks for.
        time_to_live_s: How long the devices have to accept it; None is the type's.
        by: Who asks.
        key: Idempotency key; "" when there is none.
    """

    things: Sequence[int]
    command: str
    parameters: Mapping[str, Value] = {}
    time_to_live_s: float | None = None
    by: str = ""
    key: str = ""
