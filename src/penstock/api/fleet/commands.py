"""Commands to devices, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Header, Path, Query, Request, Response

from penstock.api.context import MAX_ID, Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.fleet import answers
from penstock.api.fleet.finding import (
    DeviceName,
    SystemId,
    device_called,
    find_device,
    resource_of,
    scope_of,
    thing_of,
)
from penstock.api.json_answer import Json, read_json
from penstock.api.paging import next_page
from penstock.api.who import By, Who, remember
from penstock.core.access import Action, Principal, Resource
from penstock.core.catalog import DeviceStatus
from penstock.core.commands import (
    TERMINAL,
    DeviceType,
    Order,
    Task,
    TaskQuery,
    TaskState,
    Value,
)
from penstock.core.devices import Device
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.people import Actor, Event

router = APIRouter(tags=["devices"], default_response_class=Response)

#: Devices that one row of the audit trail names; it counts the others.
NAMED = 10
#: Seconds between two looks at a task that somebody waits for.
LOOK_EVERY_S = 0.02

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        description="Any text; the same order with the same key is carried out once.",
    ),
]
States = Annotated[
    list[TaskState] | None, Query(alias="state", description="Only tasks in this state.")
]
Before = Annotated[
    int | None, Query(ge=1, le=MAX_ID, description="Continue behind this, as `next` says.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]

TASK: dict[str, Any] = {
    "id": 12,
    "key": "5f2b1c0e9d3a4b6c8e7f0a1b2c3d4e5f",
    "device": "AAD-1123",
    "system": 1,
    "thing_id": 7,
    "command": "change_sample_frequency",
    "parameters": {"sampleFrequency": 500.0},
    "state": "queued",
    "created_us": 1_574_729_660_000_000,
    "expires_us": 1_574_729_720_000_000,
    "sent_us": None,
    "delivered_us": None,
    "accepted_us": None,
    "ended_us": None,
    "message": "",
    "by": "sue.smith@example.com",
}
_TYPE: dict[str, Any] = {
    "name": "boiler",
    "description": "A boiler with a set point.",
    "commands": [
        {
            "name": "heat",
            "description": "Heat to a temperature.",
            "parameters": [
                {"name": "to", "kind": "number", "unit": "°C", "minimum": 10, "maximum": 90},
                {"name": "mode", "kind": "text", "values": ["eco", "fast"], "required": False},
            ],
            "time_to_live_s": 30,
        }
    ],
}


async def order(
    ctx: Context,
    by: Actor,
    find: Callable[[], Sequence[Device]],
    command: str,
    *,
    parameters: Mapping[str, Value] | None = None,
    time_to_live_s: float | None = None,
    key: str = "",
) -> Sequence[Task]:
    """Order a command of devices for someone who may, and put it into the audit trail.

    `find` looks the devices up, in the thread that then keeps the tasks: a command is on its way
    sooner when it does not wait for two threads.

    Raises:
        Forbidden: They may not command one of them; nothing was ordered.
        TooManyRequests: Too many commands of a company of theirs wait for their end.
    """

    def request() -> Sequence[Task]:
        devices = find()
        access, who = ctx.access, by.who
        for device in devices:
            access.require(who, Action.COMMAND, resource_of(device))
        wanted = Order(
            things=[thing_of(device) for device in devices],
            command=command,
            parameters=parameters or {},
            time_to_live_s=time_to_live_s,
            by=access.name(who) if access.organisation.accounts else "",
            key=key,
        )
        return ctx.fleet.commands.request(wanted, lambda tasks: _remember(ctx, by, tasks))

    return await ctx.blocking(request)


def _remember(ctx: Context, by: Actor, tasks: Sequence[Task]) -> None:
    """Write down who ordered what: one row for each system, however many devices it has.

    Whoever runs a system finds what was done to it; an order to ten thousand devices does not push
    ten thousand rows in front of everything else, and each of its tasks names who asked for it.
    """
    if ctx.identities is None:
        return
    by_system: dict[int, list[Task]] = {}
    for task in tasks:
        by_system.setdefault(task.system, []).append(task)
    systems = {one.id: one for one in ctx.access.organisation.systems}
    for id_, some in by_system.items():
        system = systems.get(id_)
        names = ", ".join(task.device for task in some[:NAMED])
        more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
        first, last = some[0], some[-1]
        event = Event(
            action="command",
            kind="device",
            object_id=first.thing_id if len(some) == 1 else 0,
            name=f"{names}{more}",
            company=None if system is None else system.company,
            system=id_,
            after={
                "command": first.command,
                "parameters": dict(first.parameters),
                "devices": len(some),
                "tasks": [first.id] if len(some) == 1 else [first.id, last.id],
            },
        )
        ctx.identities.trail.write(by, event)


@router.post(
    "/devices/{name:path}/commands",
    status_code=202,
    summary="Command a device",
    responses=gives("It is on its way.", Task, status=202, example=TASK),
    openapi_extra=takes(
        answers.NewCommand,
        {"command": "change_sample_frequency", "parameters": {"sampleFrequency": 500}},
        "The command, as the device's type declares it.",
    ),
)
async def command_device(
    request: Request,
    ctx: Ctx,
    by: By,
    name: DeviceName,
    *,
    system: SystemId = None,
    idempotency_key: Key = "",
) -> Response:
    """Send a command to a device; the answer comes when it is on disk and cannot be lost."""
    new = await read_json(request, answers.NewCommand)
    (task,) = await order(
        ctx,
        by,
        lambda: [device_called(ctx, by.who, Action.COMMAND, name, system)],
        new.command,
        parameters=new.parameters,
        time_to_live_s=new.time_to_live_s,
        key=idempotency_key,
    )
    return Json(task, status_code=202)


@router.post(
    "/commands",
    status_code=202,
    summary="Command several devices, or all",
    responses=gives(
        "A task for each.", answers.Tasks, status=202, example={"items": [TASK], "next": None}
    ),
    openapi_extra=takes(
        answers.NewCommands,
        {"command": "sleep", "all": True, "type": "accelerometer"},
        "The command, and `devices` by name or `all` of a `type`.",
    ),
)
async def command_devices(
    request: Request, ctx: Ctx, by: By, *, idempotency_key: Key = ""
) -> Response:
    """Send a command to several devices: to all of them, or to none when one may not have it."""
    new = await read_json(request, answers.NewCommands)
    if new.all == bool(new.devices):
        msg = "name the devices in `devices`, or set `all` to true to mean every device of `type`"
        raise InvalidInput(msg)
    if new.all and not new.type:
        msg = "`all` needs a `type`: devices of different types have different commands"
        raise InvalidInput(msg)
    if new.all:
        devices = await all_devices(ctx, by.who, new.type)
    else:
        devices = [await find_device(ctx, by.who, Action.COMMAND, name) for name in new.devices]
    tasks = await order(
        ctx,
        by,
        lambda: devices,
        new.command,
        parameters=new.parameters,
        time_to_live_s=new.time_to_live_s,
        key=idempotency_key,
    )
    return Json(answers.Tasks(tasks), status_code=202)


async def all_devices(ctx: Context, who: Principal, type_: str) -> list[Device]:
    """Return all enrolled devices of a type that someone may command."""
    found = await ctx.blocking(
        ctx.fleet.records.devices,
        scope_of(ctx, who),
        type_=type_,
        status=DeviceStatus.ENROLLED,
    )
    access = ctx.access
    return [one for one in found if access.allows(who, Action.COMMAND, resource_of(one))]


@router.get(
    "/devices/{name:path}/tasks",
    summary="List the commands of a device",
    responses=gives(
        "Its tasks, newest first.", answers.Tasks, example={"items": [TASK], "next": None}
    ),
)
async def list_device_tasks(
    request: Request,
    ctx: Ctx,
    who: Who,
    name: DeviceName,
    *,
    system: SystemId = None,
    state: States = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """Return what a device was ordered to do, and what became of it."""
    device = await find_device(ctx, who, Action.READ, name, system)
    return await _list(ctx, who, request, thing_of(device), state, before, limit)


@router.get(
    "/tasks",
    summary="List commands",
    responses=gives("Tasks, newest first.", answers.Tasks, example={"items": [TASK], "next": None}),
)
async def list_tasks(
    request: Request,
    ctx: Ctx,
    who: Who,
    *,
    state: States = None,
    before: Before = None,
    limit: Limit = 100,
) -> Response:
    """Return what devices were ordered to do, and what became of it."""
    return await _list(ctx, who, request, None, state, before, limit)


async def _list(
    ctx: Context,
    who: Principal,
    request: Request,
    thing_id: int | None,
    states: list[TaskState] | None,
    before: int | None,
    limit: int,
) -> Response:
    query = TaskQuery(
        thing_id=thing_id, states=frozenset(states or ()), before=before, limit=limit + 1
    )
    found = await ctx.blocking(ctx.fleet.commands.tasks, scope_of(ctx, who), query)
    shown = found[:limit]
    more = shown[-1].id if len(found) > limit else None
    headers = {k: v.replace("after=", "before=") for k, v in next_page(request, more).items()}
    return Json(answers.Tasks(shown, more), headers=headers)


@router.get(
    "/tasks/{task_id}",
    summary="Show what became of a command",
    responses=gives("The task.", Task, example={**TASK, "state": "done"}),
)
async def get_task(
    ctx: Ctx,
    who: Who,
    task_id: Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the task.")],
    wait_s: Annotated[
        float, Query(ge=0, le=60, description="Wait at most so long for its end, seconds.")
    ] = 0.0,
) -> Response:
    """Return a task; with `wait_s` as soon as it came to its end."""
    task = await _task(ctx, who, task_id)
    with anyio.move_on_after(wait_s):
        while wait_s and task.state not in TERMINAL and not ctx.closing.is_set():
            await anyio.sleep(LOOK_EVERY_S)
            task = await _task(ctx, who, task_id)
    return Json(task)


async def _task(ctx: Context, who: Principal, id_: int) -> Task:
    scope = scope_of(ctx, who)
    task = await ctx.blocking(ctx.fleet.commands.task, id_)
    if not scope.holds(task.system, task.thing_id, 0):
        msg = f"there is no task with id {id_}"
        raise NotFound(msg)
    return task


@router.get(
    "/device-types",
    summary="List device types",
    responses=gives(
        "Device types with their commands.", answers.DeviceTypes, example={"items": [_TYPE]}
    ),
)
async def list_device_types(ctx: Ctx, who: Who) -> Response:
    """Return which commands devices understand, by type."""
    scope_of(ctx, who)
    return Json(answers.DeviceTypes(await ctx.blocking(ctx.fleet.commands.types)))


TypeName = Annotated[str, Path(description="Name of the device type.", max_length=100)]


@router.get(
    "/device-types/{type_name}",
    summary="Show a device type",
    responses=gives("The device type.", DeviceType, example=_TYPE),
)
async def get_device_type(ctx: Ctx, who: Who, type_name: TypeName) -> Response:
    """Return a device type."""
    scope_of(ctx, who)
    return Json(await ctx.blocking(ctx.fleet.commands.type_of, type_name))


@router.put(
    "/device-types/{type_name}",
    summary="Declare a device type",
    responses=gives("The device type as it is now.", DeviceType, example=_TYPE),
    openapi_extra=takes(DeviceType, _TYPE, "What devices of this type understand."),
)
async def put_device_type(request: Request, ctx: Ctx, by: By, type_name: TypeName) -> Response:
    """Declare what devices of a type understand, in the place of what was declared before."""
    ctx.access.require(by.who, Action.MANAGE, Resource("platform"))
    type_ = await read_json(request, DeviceType)
    if type_.name != type_name:
        msg = f"the address names type {type_name[:80]!r}, the body {type_.name[:80]!r}"
        raise InvalidInput(msg)
    declared = await ctx.blocking(ctx.fleet.commands.declare, type_)
    after = {"commands": [command.name for command in declared.commands]}
    event = Event(action="declare", kind="device-type", name=type_name, after=after)
    await remember(ctx, by, event)
    return Json(declared)
