"""Finding what an address names, and whether who asks may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import Path, Query

from penstock.api.context import MAX_ID, Context
from penstock.core.access import Action, Principal, Resource, Scope
from penstock.core.devices import Device, Target
from penstock.core.errors import Conflict, NotFound
from penstock.core.organisation import DEFAULT_SYSTEM

DeviceName = Annotated[
    str, Path(description="Name of the device.", examples=["AAD-1123"], max_length=500)
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
    ctx: Context, who: Principal, action: Action, name: str, system: int | None = None
) -> Device:
    """Return a device by name.

    Raises:
        NotFound: There is none of this name that someone may see.
        Conflict: Several systems have one.
        Forbidden: They may not do this with it.
    """
    scope = scope_of(ctx, who)
    found = await ctx.blocking(ctx.fleet.records.devices, scope, name=name)
    found = [one for one in found if system in (None, one.system)]
    if not found:
        msg = f"there is no device {name[:100]!r}; `GET /api/v1/devices` lists those that are"
        raise NotFound(msg)
    if len(found) > 1:
        systems = ", ".join(str(one.system) for one in found)
        msg = f"systems {systems} have a device {name[:100]!r}; say which with ?system="
        raise Conflict(msg)
    ctx.access.require(who, action, resource_of(found[0]))
    return newest(found[0], ctx.fleet.last_seen())


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


def system_for(ctx: Context, who: Principal, given: int | None) -> int:
    """Return the system in which someone makes something new: the one given, or the only one.

    Raises:
        Forbidden: They may not.
    """
    own = sorted(scope_of(ctx, who).systems)
    system = given or (own[0] if len(own) == 1 else DEFAULT_SYSTEM)
    ctx.access.require(who, Action.MANAGE, Resource("system", system))
    return system
