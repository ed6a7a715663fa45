"""The routers of devices, in the order in which they are tried: names may hold slashes."""

from __future__ import annotations

from fastapi import APIRouter

from penstock.api.fleet import commands, devices, logs, sensors, states, targets

#: `devices.rest` takes whatever follows `/devices/`, so it comes last.
ROUTERS: tuple[APIRouter, ...] = (
    commands.router,
    states.router,
    logs.router,
    targets.router,
    sensors.router,
    devices.router,
    devices.rest,
)
