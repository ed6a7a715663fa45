"""The fleet contract: all devices of a platform, as the API sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from penstock.core.commands import Commands
from penstock.core.device_logs import DeviceLogs
from penstock.core.devices import DeviceRecords, Json, State, TargetRecords, TrackRecords


class States(Protocol):
    """Desired and reported states."""

    def state(self, thing_id: int) -> State:
        """Return the state of a device; an empty one when nothing was ever set."""
        ...

    def desire(
        self, thing_id: int, desired: Mapping[str, Json], version: int | None = None
    ) -> State:
        """Set what is desired, on disk, and tell the device.

        Raises:
            Conflict: Somebody changed it since that version.
            InvalidInput: It is too large.
            NotFound: No such device.
        """
        ...


class Fleet(Protocol):
    """Everything about devices. Safe to call from any thread."""

    @property
    def records(self) -> DeviceRecords:
        """The devices."""
        ...

    @property
    def targets(self) -> TargetRecords:
        """What devices are fixed to."""
        ...

    @property
    def tracks(self) -> TrackRecords:
        """Where devices were."""
        ...

    @property
    def states(self) -> States:
        """What devices are wanted to be, and say that they are."""
        ...

    @property
    def commands(self) -> Commands:
        """Commands to devices, and what becomes of them."""
        ...

    @property
    def logs(self) -> DeviceLogs:
        """Logs of devices."""
        ...

    def last_seen(self) -> Mapping[int, int]:
        """Return when Things were seen, as far as the records do not know it yet."""
        ...

    def forget(self) -> None:
        """Ask anew about every device, since somebody decided on one; waits until that is so."""
        ...

    def remove(self, system: int, name: str, *, with_data: bool) -> None:
        """Delete a device: one that sends again is enrolled like a new one.

        With data, its Thing, observations and logs go too; without, they stay.

        Raises:
            NotFound: No such device.
        """
        ...
