"""The Python client: for devices and digital twins that produce and consume, and for analysts.

Importing it loads neither Arrow nor numpy, nor any part of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.lazy import lazily

if TYPE_CHECKING:
    from penstock.client.client import Client, Status
    from penstock.client.commands import DeviceInfo, Task
    from penstock.client.consuming import Message
    from penstock.client.following import Observation
    from penstock.client.line import State
    from penstock.client.observations import Observations
    from penstock.client.registering import Quantity
    from penstock.client.settings import ClientSettings
    from penstock.client.things import Datastream
    from penstock.core.series import ObservationType, Unit

__getattr__ = lazily(
    __name__,
    {
        "Client": "penstock.client.client",
        "ClientSettings": "penstock.client.settings",
        "Datastream": "penstock.client.things",
        "DeviceInfo": "penstock.client.commands",
        "Message": "penstock.client.consuming",
        "Observation": "penstock.client.following",
        "ObservationType": "penstock.core.series",
        "Observations": "penstock.client.observations",
        "Quantity": "penstock.client.registering",
        "State": "penstock.client.line",
        "Status": "penstock.client.client",
        "Task": "penstock.client.commands",
        "Unit": "penstock.core.series",
    },
)

__all__ = [
    "Client",
    "ClientSettings",
    "Datastream",
    "DeviceInfo",
    "Message",
    "Observation",
    "ObservationType",
    "Observations",
    "Quantity",
    "State",
    "Status",
    "Task",
    "Unit",
]
