"""Decisions on devices: noticing that one whose messages wait has been let in."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from penstock.core.catalog import Catalog, DeviceStatus
from penstock.core.clock import Clock

#: Seconds after which the catalog is asked again about devices on which nobody has to decide.
ASK_AGAIN_S = 10.0


class Approvals:
    """Watches the devices whose messages wait.

    Args:
        catalog: Knows how each device stands.
        clock: Tells the time.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._asked: AbstractSet[str] = frozenset()
        self._ask_again_s = 0.0

    def enrolled(self, waiting: AbstractSet[str]) -> set[str]:
        """Return those of the waiting devices that are enrolled now.

        Called twice a second, and cheap while nothing is decided: the catalog lists all enrolled
        devices only when one that waits is neither pending nor refused.
        """
        if not waiting:
            return set()
        undecided = {
            device.name
            for status in (DeviceStatus.PENDING, DeviceStatus.REFUSED)
            for device in self._catalog.devices(status)
        }
        candidates = waiting - undecided
        now_s = self._clock.monotonic_s()
        if not candidates or (candidates == self._asked and now_s < self._ask_again_s):
            return set()
        self._asked, self._ask_again_s = candidates, now_s + ASK_AGAIN_S
        return {
            device.name
            for device in self._catalog.devices(DeviceStatus.ENROLLED)
            if device.name in candidates
        }
