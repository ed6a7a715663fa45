"""Devices as those who talk to them see them: with their type and the name of their system."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from penstock.core.access import Access, Scope
from penstock.core.commands import DeviceType, TaskRecords
from penstock.core.devices import Device, DeviceRecords
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.devices.device_types import BUILTIN, GENERIC

#: Everything; for what the platform does on its own.
ALL = Scope(everything=True)
#: Longest topic, in UTF-8 bytes, that leaves room for what stands around it.
MAX_TOPIC_BYTES = 60_000
#: Characters that no topic has which somebody publishes to.
_NO_TOPIC = re.compile("[+#\0\ud800-\udfff]")


class Directory:
    """Knows devices and their types.

    Args:
        devices: Keeps the devices.
        tasks: Keeps the device types.
        access: Gives the organisation as it is now.
    """

    def __init__(
        self, devices: DeviceRecords, tasks: TaskRecords, access: Callable[[], Access]
    ) -> None:
        self._devices = devices
        self._tasks = tasks
        self._access = access
        self._types: Mapping[str, DeviceType] | None = None

    def types(self) -> Mapping[str, DeviceType]:
        """Return all device types by name."""
        types = self._types
        if types is None:
            declared = {type_.name: type_ for type_ in self._tasks.types()}
            types = self._types = dict(sorted({**declared, **BUILTIN}.items()))
        return types

    def forget_types(self) -> None:
        """Read the device types anew."""
        self._types = None

    def type_of(self, device: Device) -> DeviceType:
        """Return the type of a device; the generic one when it is not known."""
        return self.types().get(device.type, GENERIC)

    def system_name(self, system: int) -> str:
        """Return the name of a system; "" for the default one, which is in no topic."""
        if system == DEFAULT_SYSTEM:
            return ""
        systems = self._access().organisation.systems
        return next((one.name for one in systems if one.id == system), "")

    def check_topic(self, device: Device, topic: str) -> str:
        """Return a topic to write to for a device, if it is one of its own system.

        Whoever may set a device's topic must not reach with it what is another system's: the
        platform writes there on its behalf.

        Raises:
            InvalidInput: It is not, or nobody can publish to it.
        """
        size = len(topic.encode(errors="replace"))
        if not topic or topic.startswith("$") or size > MAX_TOPIC_BYTES or _NO_TOPIC.search(topic):
            msg = (
                f"device {device.name[:80]!r} cannot be reached at topic {topic[:80]!r}, which "
                "nobody can publish to; set its topic with `PATCH /api/v1/devices/NAME`"
            )
            raise InvalidInput(msg)
        if self._access().system_of(topic) != device.system:
            msg = (
                f"device {device.name[:80]!r} cannot be reached at topic {topic[:80]!r}, which "
                "is not one of its system; set its topic with `PATCH /api/v1/devices/NAME`"
            )
            raise InvalidInput(msg)
        return topic

    def devices(self, things: Sequence[int]) -> list[Device]:
        """Return devices in the order of their Things given.

        Raises:
            NotFound: There is none with such a Thing.
        """
        found = {one.thing_id: one for one in self._devices.devices(ALL, things=things)}
        missing = [thing for thing in things if thing not in found]
        if missing:
            msg = f"there is no device with Thing {missing[0]}; `devices` lists those that are"
            raise NotFound(msg)
        return [found[thing] for thing in things]
