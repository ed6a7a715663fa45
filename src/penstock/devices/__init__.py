"""Devices: commands to them, their logs, their state, and whether they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.lazy import lazily
from penstock.devices.settings import DeviceSettings

if TYPE_CHECKING:
    from penstock.devices.room import DeviceRoom

__all__ = ["DeviceRoom", "DeviceSettings"]

__getattr__ = lazily(__name__, {"DeviceRoom": "penstock.devices.room"})
