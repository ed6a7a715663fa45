"""Finding what an address names, and whether who asks may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from fastapi import Path, Query

from penstock.api.context import MAX_ID, Context
from penstock.core.access import Action, Principal, Resource, Scope
from penstock.core.devices import Device, Target
from penstock.core.errors import Conflict, NotFound
from penstock.core.organisation import DEFAULT_SYSTEM

#: Devices that a message names when a name may mean several.
MOST_NAMED = 10

DeviceName = Annotated[
    str,
    Path(
        description="Name of the device, or its name without `<system>.` where only one is "
        "called so.",
        examples=["AAD-1123"],
        max_length=500,
    ),
]
TargetId = Annotated[int, Path(description="Id of the target.", ge=1, le=MAX_ID)]
SystemId = Annotated[
    int | None,
    Query(
        ge=1,
        le=MAX_ID,
        description="Id of the system, where two systems have a device of this name.",
    ),
]


def scope_of(ctx: Context, who: Principal) -> Scope:
    """Return all that someone may read.

    Raises:
        Unauthenticated: Nobody has said who asks, and everybody must.
    """
    return ctx.scope(who)


def resource_of(device: Device) -> Resource:
    """Return what is asked for when a device is."""
    if device.thing_id is None:
        return Resource("system", device.system)
    return Resource("thing", device.thing_id, device.system)


async def find_device(
    ctx: Context,
    who: Principal,
    action: Action,
    name: str,
    system: int | None = None,
    *,
    may_be_short: bool = True,
) -> Device:
    """Return a device by name; see `device_called`."""
    return await ctx.blocking(
        device_called, ctx, who, action, name, system, may_be_short=may_be_short
    )


def device_called(
    ctx: Context,
    who: Principal,
    action: Action,
    name: str,
    system: int | None = None,
    *,
    may_be_short: bool = True,
) -> Device:
    """Return a device by name. It waits for the disk.

    Args:
        ctx: The platform.
        who: Who asks.
        action: What they want to do with it.
        name: Its name, or without `<system>.` where only one that `who` may see is called so.
        system: Its system, where that is not clear.
        may_be_short: Whether a short name will do. Not for what must not hit another device of
            that name when it is asked for a second time.

    Raises:
        NotFound: There is none of this name that someone may see.
        Conflict: Several systems have one.
        Forbidden: They may not do this with it.
    """
    scope, records = scope_of(ctx, who), ctx.fleet.records
    found = records.devices(scope, name=name)
    found = [one for one in found if system in (None, one.system)]
    if not found:
        alike = records.devices(scope, short_name=name)
        alike = [one for one in alike if system in (None, one.system)]
        found = alike if may_be_short else []
        if not found:
            raise NotFound(_unknown(name, alike))
    if len(found) > 1:
        raise Conflict(_ambiguous(name, found))
    ctx.access.require(who, action, resource_of(found[0]))
    return newest(found[0], ctx.fleet.last_seen())


async def full_names(ctx: Context, who: Principal, names: Sequence[str]) -> list[str] | None:
    """Return names of devices in full, None for no names; one that nobody has (now) stays.

    Raises:
        Conflict: A short name may be that of several devices.
    """
    scope, records = scope_of(ctx, who), ctx.fleet.records
    found: list[str] = []
    for name in names:
        alike: Sequence[Device] = ()
        if not await ctx.blocking(records.devices, scope, name=name):
            alike = await ctx.blocking(records.devices, scope, short_name=name)
        if len(alike) > 1:
            raise Conflict(_ambiguous(name, alike))
        found.append(alike[0].name if alike else name)
    return found or None


def _unknown(name: str, alike: Sequence[Device]) -> str:
    if alike:
        return f"there is no device {name[:100]!r}; say {_names(alike)} if you mean that"
    return f"there is no device {name[:100]!r}; `GET /api/v1/devices` lists those that are"


def _ambiguous(name: str, found: Sequence[Device]) -> str:
    if len({one.name for one in found}) > 1:
        return f"{name[:100]!r} may be {_names(found)}; say which"
    systems = ", ".join(str(one.system) for one in found)
    return f"systems {systems} have a device {name[:100]!r}; say which with ?system="


def _names(devices: Sequence[Device]) -> str:
    """Return names for a message, not too many."""
    shown = [f"{one.name!r}" for one in devices[:MOST_NAMED]]
    more = len(devices) - len(shown)
    return " or ".join([*shown, *([f"one of {more} more"] if more else [])])


def newest(device: Device, last_seen: Mapping[int, int]) -> Device:
    """Return a device with what is known of it that is not written down yet."""
    seen_us = last_seen.get(device.thing_id or 0)
    if seen_us is None or seen_us <= (device.last_seen_us or 0):
        return device
    return msgspec.structs.replace(device, last_seen_us=seen_us)


def thing_of(device: Device) -> int:
    """Return the Thing of a device that is enrolled.

    Raises:
        Conflict: It waits for approval, or was refused.
    """
    if device.thing_id is None:
        msg = f"device {device.name!r} is {device.status}; approve it first"
        raise Conflict(msg)
    return device.thing_id


async def find_target(ctx: Context, who: Principal, action: Action, id_: int) -> Target:
    """Return a target.

    Raises:
        NotFound: There is none that someone may see.
        Forbidden: They may not do this with it.
    """
    scope = scope_of(ctx, who)
    found = await ctx.blocking(ctx.fleet.targets.targets, ids=[id_])
    if not found or not (scope.everything or found[0].system in scope.systems):
        msg = f"there is no target with id {id_}; `GET /api/v1/targets` lists those that are"
        raise NotFound(msg)
    ctx.access.require(who, action, Resource("system", found[0].system))
    return found[0]


async def find_fixture(ctx: Context, who: Principal, id_: int, system: int) -> Target:
    """Return a target that a device of a system can be fixed to.

    Raises:
        NotFound: There is none that someone may see.
        Conflict: It is another system's, whose lists the device would appear in.
    """
    target = await find_target(ctx, who, Action.VIEW, id_)
    if target.system != system:
        msg = f"target {id_} belongs to system {target.system}, the device to system {system}"
        raise Conflict(msg)
    return target


def name_in(ctx: Context, system: int, name: str) -> str:
    """Return the name that something new of a system has: as what it sends will name it."""
    if system == DEFAULT_SYSTEM:
        return name
    own = next((one.name for one in ctx.access.organisation.systems if one.id == system), "")
    return name if not own or name.startswith(f"{own}.") else f"{own}.{name}"


def system_for(ctx: Context, who: Principal, given: int | None) -> int:
    """Return the system in which someone makes something new: the one given, or the only one.

    Raises:
        Forbidden: They may not.
    """
    own = sorted(scope_of(ctx, who).systems)
    system = given or (own[0] if len(own) == 1 else DEFAULT_SYSTEM)
    ctx.access.require(who, Action.MANAGE, Resource("system", system))
    return system
