"""Tasks: commands for devices, and Tasks of what only SensorThings users know (17-079r1)."""

from __future__ import annotations

from typing import Any

from penstock.core.access import EVERYTHING, Action, Principal
from penstock.core.commands import Order, Value
from penstock.core.entities import New, Query
from penstock.core.errors import Conflict, NotFound
from penstock.core.fleet import Fleet
from penstock.sensorthings.sources import ID, among
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
        fleet = self._fleet_of(thing, name)
        id_ = None if fleet is None else self._order(who, fleet, thing, name, new)
        if id_ is None:
            made = self._parts.writer.create(new, system, self._parts.clock.now_us())
            id_ = made.id
        self._parts.changed("Task", id_, "create")
        return Answer(201, {"Location": f"{asked.base}/Tasks({id_})"})

    def require_change(self, who: Principal, type_: str, id_: int, change: New) -> None:
        """Raise when a change of an entity would change Tasks that may not be changed.

        What a device was told stays as it was checked when it was told.

        Raises:
            Conflict: A Task is a command of a device, or would be.
            Forbidden: They may not command there.
        """
        if type_ == "Task":
            tasks, capabilities = [id_], _known(change, "TaskingCapability")
        elif type_ == "TaskingCapability" and "Tasks" in change.links:
            tasks, capabilities = _known(change, "Tasks"), [id_]
        else:
            return
        held = Query(
            type="Task",
            scope=EVERYTHING,
            where=among((ID,), tasks),
            links=("TaskingCapability",),
        )
        rows = self._parts.reader.find(held)
        capabilities += [int(str(row["TaskingCapability@iot.id"])) for row in rows]
        for one in dict.fromkeys(capabilities):
            self._require_no_command(who, one)

    def _require_no_command(self, who: Principal, capability: int) -> None:
        system = self._parts.reader.system_of("TaskingCapability", capability)
        if system is not None:
            self._permits.require(who, Action.COMMAND, system)
        thing, name = self._command(capability)
        if self._fleet_of(thing, name) is not None:
            raise Conflict(
                f"Tasks of TaskingCapability {capability} are the command {name!r} of a device, "
                "and a command that was given does not change; POST a new Task"
            )

    def _command(self, capability: int) -> tuple[int, str]:
        query = Query(type="TaskingCapability", scope=EVERYTHING, id=capability, links=("Thing",))
        rows = self._parts.reader.find(query)
        if not rows:
            raise NotFound(f"there is no TaskingCapability with id {capability}")
        row: Any = rows[0]
        return int(row["Thing@iot.id"]), str(row["name"])

    def _fleet_of(self, thing: int, name: str) -> Fleet | None:
        """Return who orders a command; None when there is no device that has it."""
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
        return fleet if any(command.name == name for command in known.commands) else None

    def _order(self, who: Principal, fleet: Fleet, thing: int, name: str, new: New) -> int:
        """Order the command of a device; return the id of its Task."""
        access = self._parts.access()
        order = Order(
            things=[thing],
            command=name,
            parameters=_parameters(new.values.get("taskingParameters")),
            by=access.name(who) if access.organisation.accounts else "",
        )
        return fleet.commands.request(order)[0].id


def _known(change: New, link: str) -> list[int]:
    """Return the entities that a change links and that exist already."""
    return [one for one in change.links.get(link, ()) if not isinstance(one, New)]


def _parameters(given: object) -> dict[str, Value]:
    if not isinstance(given, dict):
        refuse("taskingParameters", f"{shown(given)} is no JSON object")
    for name, value in given.items():
        if not isinstance(value, (bool, int, float, str)):
            refuse(within("taskingParameters", name), f"{shown(value)} is no number, text or truth")
    return given
