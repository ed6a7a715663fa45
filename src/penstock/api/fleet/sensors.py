"""Vibration sensors, by the routes that their programs know; see `commands` for all devices."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from penstock.api.context import Context, Ctx
from penstock.api.describing import gives, takes
from penstock.api.fleet import answers
from penstock.api.fleet.commands import TASK, Key, all_devices, order
from penstock.api.fleet.devices import note, register, remove
from penstock.api.fleet.finding import (
    device_called,
    find_device,
    find_fixture,
    name_in,
    newest,
    scope_of,
    system_for,
    thing_of,
)
from penstock.api.json_answer import Json, read_json
from penstock.api.who import By
from penstock.core.access import Action
from penstock.core.catalog import DeviceStatus
from penstock.core.commands import Task, Value
from penstock.core.devices import Device, DeviceFacts, check_serial
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.people import Actor

router = APIRouter(tags=["sensors"], default_response_class=Response)

#: Their device type.
TYPE = "accelerometer"

Serial = Annotated[
    str, Path(description="Serial number of the sensor.", examples=["AAD-1123"], max_length=255)
]
All = Annotated[bool, Query(alias="all", description="Every sensor; else those in the body.")]
_SENSOR: dict[str, Any] = {
    "id": 7,
    "serial_number": "AAD-1123",
    "sample_frequency": 100.0,
    "online": True,
    "last_seen_us": 1_574_729_890_000_000,
    "target_id": 1,
    "target": "Pump 3",
}
_TASKS = {"items": [TASK], "next": None}


@router.get(
    "/sensors",
    summary="List sensors",
    responses=gives("Sensors by serial number.", list[answers.Sensor], example=[_SENSOR]),
)
async def list_sensors(ctx: Ctx, by: By) -> Response:
    """Return vibration sensors."""
    found = await ctx.blocking(
        ctx.fleet.records.devices,
        scope_of(ctx, by.who),
        type_=TYPE,
        status=DeviceStatus.ENROLLED,
    )
    seen = ctx.fleet.last_seen()
    return Json([_sensor(newest(one, seen)) for one in found])


@router.post(
    "/sensors",
    status_code=201,
    summary="Register a sensor",
    responses={
        **gives("It is registered now.", answers.Sensor, status=201, example=_SENSOR),
        **gives("It was registered before.", answers.Sensor, example=_SENSOR),
    },
    openapi_extra=takes(
        answers.NewSensor,
        {"serial_number": "AAD-1123", "sample_frequency": 100},
        "Its serial number: at most 8 letters, digits and '-', at least one letter.",
    ),
)
async def register_sensor(request: Request, ctx: Ctx, by: By) -> Response:
    """Register a sensor before it sends; again is harmless."""
    new = await read_json(request, answers.NewSensor)
    serial = check_serial(new.serial_number)
    system = system_for(ctx, by.who, new.system)
    if new.target_id is not None:
        await find_fixture(ctx, by.who, new.target_id, system)
    facts = DeviceFacts(
        name=name_in(ctx, system, serial),
        system=system,
        type=TYPE,
        sample_frequency=new.sample_frequency,
        description=new.description,
    )
    device, is_new = await register(ctx, by, facts)
    if new.target_id is not None:
        await _fix(ctx, device, new.target_id)
        device = await find_device(ctx, by.who, Action.VIEW, device.name, system)
    return Json(_sensor(device), status_code=201 if is_new else 200)


@router.put(
    "/sensors/sleep",
    summary="Let several sensors sleep, or all",
    responses=gives("A task for each.", answers.Tasks, example=_TASKS),
    openapi_extra=takes(None, '["AAD-1123"]', "Serial numbers, unless `all`."),
)
async def sleep_sensors(
    request: Request, ctx: Ctx, by: By, *, every: All = False, idempotency_key: Key = ""
) -> Response:
    """Let sensors stop sampling."""
    return await _command_all(ctx, by, request, "sleep", every=every, key=idempotency_key)


@router.put(
    "/sensors/awake",
    summary="Wake several sensors, or all",
    responses=gives("A task for each.", answers.Tasks, example=_TASKS),
    openapi_extra=takes(None, '["AAD-1123"]', "Serial numbers, unless `all`."),
)
async def awake_sensors(
    request: Request, ctx: Ctx, by: By, *, every: All = False, idempotency_key: Key = ""
) -> Response:
    """Let sensors sample again."""
    return await _command_all(ctx, by, request, "awake", every=every, key=idempotency_key)


@router.get(
    "/sensors/{serial}",
    summary="Show a sensor",
    responses=gives("The sensor.", answers.Sensor, example=_SENSOR),
)
async def get_sensor(ctx: Ctx, by: By, serial: Serial) -> Response:
    """Return a sensor."""
    return Json(_sensor(await _find(ctx, by, Action.VIEW, serial)))


@router.delete(
    "/sensors/{serial}",
    status_code=204,
    summary="Delete a sensor",
    responses={204: {"description": "It is gone; what it measured stays unless `with_data`."}},
)
async def delete_sensor(
    ctx: Ctx,
    by: By,
    serial: Serial,
    *,
    with_data: Annotated[bool, Query(description="Delete what it measured too.")] = False,
) -> Response:
    """Delete a sensor; one that sends again is enrolled like a new one."""
    device = await _find(ctx, by, Action.MANAGE, serial, may_be_short=False)
    await remove(ctx, by, device, with_data=with_data)
    return Response(status_code=204)


@router.put(
    "/sensors/{serial}/sleep",
    summary="Let a sensor sleep",
    responses=gives("It is on its way.", Task, example=TASK),
)
async def sleep_sensor(ctx: Ctx, by: By, serial: Serial, *, idempotency_key: Key = "") -> Response:
    """Let a sensor stop sampling."""
    return await _command(ctx, by, serial, "sleep", {}, idempotency_key)


@router.put(
    "/sensors/{serial}/awake",
    summary="Wake a sensor",
    responses=gives("It is on its way.", Task, example=TASK),
)
async def awake_sensor(ctx: Ctx, by: By, serial: Serial, *, idempotency_key: Key = "") -> Response:
    """Let a sensor sample again."""
    return await _command(ctx, by, serial, "awake", {}, idempotency_key)


@router.put(
    "/sensors/{serial}/change-sample-frequency",
    summary="Change the sample frequency of a sensor",
    responses=gives("It is on its way.", Task, example=TASK),
    openapi_extra=takes(answers.Frequency, {"new_sample_frequency": 500.0}, "Hz, more than 0."),
)
async def change_sample_frequency(
    request: Request, ctx: Ctx, by: By, serial: Serial, *, idempotency_key: Key = ""
) -> Response:
    """Let a sensor sample at another frequency."""
    wanted = await read_json(request, answers.Frequency)
    parameters: dict[str, Value] = {"sampleFrequency": wanted.new_sample_frequency}
    command = "change_sample_frequency"
    return await _command(ctx, by, serial, command, parameters, idempotency_key)


@router.put(
    "/sensors/{serial}/target",
    summary="Fix a sensor to a target",
    responses=gives("The sensor as it is now.", answers.Sensor, example=_SENSOR),
    openapi_extra=takes(answers.Fixing, {"target_id": 1}, "The target; null is none."),
)
async def fix_sensor(request: Request, ctx: Ctx, by: By, serial: Serial) -> Response:
    """Fix a sensor to a target, or to none."""
    device = await _find(ctx, by, Action.MANAGE, serial)
    wanted = await read_json(request, answers.Fixing)
    said: dict[str, object] = {"target_id": wanted.target_id}
    if wanted.target_id is not None:
        said["target"] = (await find_fixture(ctx, by.who, wanted.target_id, device.system)).name
    await _fix(ctx, device, wanted.target_id)
    await note(ctx, by, "change", device, said)
    return Json(_sensor(await _find(ctx, by, Action.VIEW, serial)))


async def _fix(ctx: Context, device: Device, target: int | None) -> None:
    await ctx.blocking(ctx.fleet.targets.assign, thing_of(device), target, ctx.clock.now_us())


async def _find(
    ctx: Context, by: Actor, action: Action, serial: str, *, may_be_short: bool = True
) -> Device:
    """Return a sensor; one that was only ever heard to send becomes one now."""
    device = await ctx.blocking(_sensor_called, ctx, by, action, serial, may_be_short=may_be_short)
    if not device.type:
        check_serial(serial.rpartition(".")[2])
        facts = DeviceFacts(name=device.name, system=device.system, type=TYPE)
        device, _ = await register(ctx, by, facts)
    return device


def _sensor_called(
    ctx: Context, by: Actor, action: Action, serial: str, *, may_be_short: bool = True
) -> Device:
    device = device_called(ctx, by.who, action, serial, may_be_short=may_be_short)
    if device.type not in ("", TYPE) or device.status is not DeviceStatus.ENROLLED:
        msg = f"{serial[:40]!r} is no vibration sensor; `GET /api/v1/sensors` lists them"
        raise NotFound(msg)
    return device


class _OnlyHeard(Exception):
    """It was only ever heard to send, and is no sensor yet."""


async def _command(
    ctx: Context,
    by: Actor,
    serial: str,
    command: str,
    parameters: dict[str, Value],
    key: str,
) -> Response:
    def find() -> list[Device]:
        device = _sensor_called(ctx, by, Action.COMMAND, serial)
        if not device.type:
            raise _OnlyHeard
        return [device]

    try:
        (task,) = await order(ctx, by, find, command, parameters=parameters, key=key)
    except _OnlyHeard:
        device = await _find(ctx, by, Action.COMMAND, serial)
        (task,) = await order(ctx, by, lambda: [device], command, parameters=parameters, key=key)
    return Json(task)


async def _command_all(
    ctx: Context, by: Actor, request: Request, command: str, *, every: bool, key: str
) -> Response:
    if every:
        devices = await all_devices(ctx, by.who, TYPE)
    else:
        serials = await read_json(request, list[str])
        if not 0 < len(serials) <= 10_000:
            msg = "name 1 to 10000 sensors in the body, or ask for all with ?all=true"
            raise InvalidInput(msg)
        devices = [await _find(ctx, by, Action.COMMAND, serial) for serial in serials]
    tasks = await order(ctx, by, lambda: devices, command, key=key)
    return Json(answers.Tasks(tasks))


def _sensor(device: Device) -> answers.Sensor:
    return answers.Sensor(
        id=thing_of(device),
        serial_number=device.name,
        sample_frequency=device.sample_frequency or 0.0,
        online=device.online,
        last_seen_us=device.last_seen_us,
        target_id=None if device.target is None else device.target.id,
        target="" if device.target is None else device.target.name,
    )
