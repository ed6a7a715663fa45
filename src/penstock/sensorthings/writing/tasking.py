"""Tasks: commands for devices, and Tasks of what only SensorThings users know (17-079r1)."""

from __future__ import annotations

from typing import Any

from penstock.core.access import EVERYTHING, Action, Principal
from penstock.core.commands import Order, Value
from penstock.core.entities import New, Query
from penstock.core.errors import NotFound
from penstock.sensorthings.writing.asked import Answer, Asked, Parts
from penstock.sensorthings.writing.permits import Permits
from penstock.sensorthings.writing.values import refuse, shown, within


class Tasker:
    """Makes Tasks. All calls wait for the catalog."""

    def __init__(self, parts: Parts, permits: Permits) -> None:
        self._parts = parts
        self._permits = permits

    def make(self, who: Principal, asked: Asked, new: New) -> Answer:
        """Make a Task: a command where a device has it, and else one for whoever listens."""
        (capability,) = new.links["TaskingCapability"]
        if isinstance(capability, New):
            refuse("TaskingCapability", 'a Task needs one that exists: {"@iot.id": number}')
        at = "TaskingCapability"
        self._permits.require_visible(who, at, [capability], at)
        system = self._parts.reader.system_of(at, capability)
        if system is None:
            raise NotFound(f"there is no {at} with id {capability}")
        self._permits.require(who, Action.COMMAND, system)
        thing, name = self._command(capability)
        id_ = self._order(who, thing, name, new)
        if id_ is None:
            made = self._parts.writer.create(new, system, self._parts.clock.now_us())
            id_ = made.id
        self._parts.changed("Task", id_, "create")
        return Answer(201, {"Location": f"{asked.base}/Tasks({id_})"})

    def _command(self, capability: int) -> tuple[int, str]:
        query = Query(type="TaskingCapability", scope=EVERYTHING, id=capability, links=("Thing",))
        rows = self._parts.reader.find(query)
        if not rows:
            raise NotFound(f"there is no TaskingCapability with id {capability}")
        row: Any = rows[0]
        return int(row["Thing@iot.id"]), str(row["name"])

    def _order(self, who: Principal, thing: int, name: str, new: New) -> int | None:
        """Order the command of a device; None when there is no device that has it."""
        if self._parts.fleet is None:
            return None
        fleet = self._parts.fleet()
        devices = fleet.records.devices(EVERYTHING, things=[thing])
        if not devices:
            return None
        try:
            known = fleet.commands.type_of(devices[0].type)
        except NotFound:
            return None
        if all(command.name != name for command in known.commands):
            return None
        access = self._parts.access()
        order = Order(
            things=[thing],
            command=name,
            parameters=_parameters(new.values.get("taskingParameters")),
            by=access.name(who) if access.organisation.accounts else "",
        )
        return fleet.commands.request(order)[0].id


def _parameters(given: object) -> dict[str, Value]:
    if not isinstance(given, dict):
        refuse("taskingParameters", f"{shown(given)} is no JSON object")
    for name, value in given.items():
        if not isinstance(value, (bool, int, float, str)):
            refuse(within("taskingParameters", name), f"{shown(value)} is no number, text or truth")
    return given
