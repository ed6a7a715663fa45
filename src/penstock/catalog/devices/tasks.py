"""Tasks, and the SensorThings entities that they stand on: actuators and tasking capabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update

from penstock.catalog.admission import chunks
from penstock.catalog.database import Database
from penstock.catalog.device_models import (
    Actuator,
    DeviceTypeRow,
    TaskingCapability,
    TaskRequest,
    TaskRow,
)
from penstock.catalog.devices.scoping import seen_by
from penstock.catalog.devices.swe import data_record
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.models import Thing
from penstock.core.access import Scope
from penstock.core.commands import (
    TERMINAL,
    CommandType,
    DeviceType,
    Move,
    Task,
    TaskQuery,
    TaskState,
    may_follow,
)
from penstock.core.errors import Conflict

#: The column that says when a task came to a state.
_WHEN = {
    TaskState.SENT: "sent_us",
    TaskState.DELIVERED: "delivered_us",
    TaskState.ACCEPTED: "accepted_us",
    **dict.fromkeys(TERMINAL, "ended_us"),
}


class SqlTasks:
    """Keeps device types and tasks. See `core.commands.TaskRecords`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def types(self) -> Sequence[DeviceType]:
        """Return the device types that were declared, by name."""
        query = select(DeviceTypeRow.definition).order_by(DeviceTypeRow.name)
        with self._database.read() as connection:
            found = connection.execute(query).scalars().all()
        return [msgspec.convert(definition, DeviceType) for definition in found]

    def declare(self, type_: DeviceType) -> None:
        """Keep a device type, in the place of one of the same name."""
        definition = msgspec.to_builtins(type_)
        with self._database.write() as connection:
            connection.execute(
                upsert(DeviceTypeRow)
                .values(name=type_.name, definition=definition)
                .on_conflict_do_update(index_elements=["name"], set_={"definition": definition})
            )

    def create(
        self,
        tasks: Sequence[Task],
        types: Sequence[DeviceType],
        request: str = "",
        digest: str = "",
    ) -> tuple[Sequence[Task], bool]:
        """Keep new tasks, each of a device of a type, and return them with ids, and if new."""
        with self._database.write() as connection:
            if request:
                made = _made_before(connection, request, digest)
                if made is not None:
                    return made, False
                created_us = tasks[0].created_us if tasks else 0
                connection.execute(
                    insert(TaskRequest).values(key=request, digest=digest, created_us=created_us)
                )
            capabilities = _capabilities(connection, tasks, types)
            rows = [
                {
                    "key": task.key,
                    "tasking_capability_id": capabilities[task.thing_id, task.command],
                    "tasking_parameters": dict(task.parameters),
                    "creation_time_us": task.created_us,
                    "state": task.state.value,
                    "expires_us": task.expires_us,
                    "made_by": task.by,
                    "request": request or None,
                }
                for task in tasks
            ]
            ids: dict[str, int] = {}
            if rows:
                made_rows = connection.execute(
                    insert(TaskRow).returning(TaskRow.id, TaskRow.key), rows
                )
                ids = {key: id_ for id_, key in made_rows}
        return [msgspec.structs.replace(task, id=ids[task.key]) for task in tasks], True

    def move(self, moves: Sequence[Move]) -> Sequence[Task]:
        """Move tasks to other states; return those that moved."""
        with self._database.write() as connection:
            held = {
                task.key: task
                for chunk in chunks({move.key for move in moves})
                for task in _load(connection, _tasks().where(TaskRow.key.in_(chunk)))
            }
            moved: dict[str, Task] = {}
            for move in moves:
                task = moved.get(move.key) or held.get(move.key)
                if task is not None and may_follow(task.state, move.state):
                    moved[move.key] = _moved(task, move)
            if moved:
                connection.execute(
                    _update(),
                    [
                        {
                            "at": task.id,
                            "new_state": task.state.value,
                            "new_sent_us": task.sent_us,
                            "new_delivered_us": task.delivered_us,
                            "new_accepted_us": task.accepted_us,
                            "new_ended_us": task.ended_us,
                            "new_message": task.message,
                        }
                        for task in moved.values()
                    ],
                )
        return list(moved.values())

    def tasks(
        self, scope: Scope, query: TaskQuery, keys: Sequence[str] | None = None
    ) -> Sequence[Task]:
        """Return tasks, newest first."""
        wanted = _tasks().where(seen_by(scope, Thing.system_id, Thing.id))
        if query.thing_id is not None:
            wanted = wanted.where(TaskingCapability.thing_id == query.thing_id)
        if query.states:
            wanted = wanted.where(TaskRow.state.in_(sorted(query.states)))
        if query.before is not None:
            wanted = wanted.where(TaskRow.id < query.before)
        if keys is not None:
            wanted = wanted.where(TaskRow.key.in_(list(keys)))
        wanted = wanted.order_by(TaskRow.id.desc()).limit(query.limit)
        with self._database.read() as connection:
            return _load(connection, wanted)

    def open_tasks(self) -> Sequence[Task]:
        """Return all tasks that have not come to their end, oldest first."""
        with self._database.read() as connection:
            return _load(
                connection, _tasks().where(TaskRow.ended_us.is_(None)).order_by(TaskRow.id)
            )

    def forget(self, ended_before_us: int) -> int:
        """Remove tasks that ended before then, and return how many."""
        with self._database.write() as connection:
            done = connection.execute(delete(TaskRow).where(TaskRow.ended_us < ended_before_us))
            connection.execute(
                delete(TaskRequest).where(
                    TaskRequest.created_us < ended_before_us,
                    ~select(TaskRow.id).where(TaskRow.request == TaskRequest.key).exists(),
                )
            )
            return int(done.rowcount)


def _tasks() -> Select[Any]:
    return (
        select(
            TaskRow.__table__,
            TaskingCapability.name.label("command"),
            Thing.id.label("thing_id"),
            Thing.name.label("device"),
            Thing.system_id,
        )
        .join(TaskingCapability, TaskingCapability.id == TaskRow.tasking_capability_id)
        .join(Thing, Thing.id == TaskingCapability.thing_id)
    )


def _load(connection: Connection, query: Select[Any]) -> list[Task]:
    return [
        Task(
            id=row.id,
            key=row.key,
            device=row.device,
            system=row.system_id,
            thing_id=row.thing_id,
            command=row.command,
            parameters=row.tasking_parameters,
            state=TaskState(row.state),
            created_us=row.creation_time_us,
            expires_us=row.expires_us,
            sent_us=row.sent_us,
            delivered_us=row.delivered_us,
            accepted_us=row.accepted_us,
            ended_us=row.ended_us,
            message=row.message,
            by=row.made_by,
        )
        for row in connection.execute(query)
    ]


def _moved(task: Task, move: Move) -> Task:
    changes: dict[str, Any] = {"state": move.state, _WHEN[move.state]: move.at_us}
    if move.message:
        changes["message"] = move.message
    return msgspec.structs.replace(task, **changes)


def _update() -> Any:
    names = ("state", "sent_us", "delivered_us", "accepted_us", "ended_us", "message")
    return (
        update(TaskRow)
        .where(TaskRow.id == bindparam("at"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )


def _made_before(connection: Connection, request: str, digest: str) -> list[Task] | None:
    held = connection.execute(select(TaskRequest.digest).where(TaskRequest.key == request)).scalar()
    if held is None:
        return None
    if held != digest:
        msg = (
            "this Idempotency-Key was used for another order; take a new key for a new order, and "
            "the same order for the same key"
        )
        raise Conflict(msg)
    return _load(connection, _tasks().where(TaskRow.request == request).order_by(TaskRow.id))


def _capabilities(
    connection: Connection, tasks: Sequence[Task], types: Sequence[DeviceType]
) -> Mapping[tuple[int, str], int]:
    """Return the capability of each (thing, command), made if missing."""
    found: dict[tuple[int, str], int] = {}
    wanted = {
        (task.thing_id, task.command): type_ for task, type_ in zip(tasks, types, strict=True)
    }
    for chunk in chunks({thing for thing, _ in wanted}):
        rows = connection.execute(
            select(TaskingCapability.thing_id, TaskingCapability.name, TaskingCapability.id)
            .where(TaskingCapability.thing_id.in_(chunk))
            .order_by(TaskingCapability.id.desc())
        )
        found.update(((thing, name), id_) for thing, name, id_ in rows)
    missing = {key: type_ for key, type_ in wanted.items() if key not in found}
    if missing:
        actuators = _actuators(connection, {type_.name: type_ for type_ in missing.values()})
        made = connection.execute(
            insert(TaskingCapability).returning(
                TaskingCapability.id, TaskingCapability.thing_id, TaskingCapability.name
            ),
            [
                _capability(thing, _command(type_, name), actuators[type_.name])
                for (thing, name), type_ in missing.items()
            ],
        )
        found.update(((thing, name), id_) for id_, thing, name in made)
    return found


def _command(type_: DeviceType, name: str) -> CommandType:
    return next((one for one in type_.commands if one.name == name), CommandType(name=name))


def _capability(thing: int, command: CommandType, actuator: int) -> dict[str, Any]:
    return {
        "thing_id": thing,
        "actuator_id": actuator,
        "name": command.name,
        "description": command.description or command.name,
        "properties": {},
        "tasking_parameters": data_record(command),
    }


def _actuators(connection: Connection, types: Mapping[str, DeviceType]) -> dict[str, int]:
    query = (
        select(Actuator.name, Actuator.id)
        .where(Actuator.name.in_(sorted(types)))
        .order_by(Actuator.id.desc())
    )
    found: dict[str, int] = {row.name: row.id for row in connection.execute(query)}
    missing = [type_ for name, type_ in types.items() if name not in found]
    if missing:
        made = connection.execute(
            insert(Actuator).returning(Actuator.name, Actuator.id),
            [
                {
                    "name": type_.name,
                    "description": type_.description or type_.name,
                    "properties": {},
                    "encoding_type": "text/plain",
                    "actuator_metadata": type_.command_topic,
                }
                for type_ in missing
            ],
        )
        found.update((name, id_) for name, id_ in made)
    return found
