"""Tenancy: which system a message belongs to, and what that does to the names in it.

The topic alone decides. A device that names somebody else's Thing in its payload still writes
below its own system's name, and the catalog refuses ids that belong to another system.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from penstock.core.access import Access
from penstock.core.clock import SystemClock
from penstock.core.codec import Int64s, Readings
from penstock.core.organisation import DEFAULT_SYSTEM, Organisation
from penstock.core.series import Series

#: Dots in a system's name.
_DOTS = 3


@dataclass(frozen=True, slots=True)
class Owned:
    """A codec's key in the messages of a system that is not the default one."""

    system: int
    key: Hashable


def no_organisation() -> Callable[[], Access]:
    """Return what gives the picture of a platform where everything is the default system's."""
    access = Access(Organisation(), SystemClock())
    return lambda: access


class Tenancy:
    """Knows the systems.

    Args:
        access: Gives the organisation as it is now; asked between batches.
    """

    def __init__(self, access: Callable[[], Access]) -> None:
        self._newest = access
        self._take(access())

    def follow(self) -> bool:
        """Take the organisation as it is now; return whether it has changed."""
        newest = self._newest()
        if newest is self._access:
            return False
        self._take(newest)
        return True

    def _take(self, access: Access) -> None:
        self._access = access
        self._names = {system.id: system.name for system in access.organisation.systems}
        self._ids = {name: id_ for id_, name in self._names.items() if id_ != DEFAULT_SYSTEM}
        #: Whether there is more than the default system.
        self.is_divided = bool(self._ids)

    def place(self, topic: str) -> tuple[int, str]:
        """Return the system that owns a topic, and the topic as routes and codecs see it.

        `<system>/REST` is read like `REST`, so that every payload family works in every system.
        """
        if not self.is_divided:
            return DEFAULT_SYSTEM, topic
        system = self._access.system_of(topic)
        if system == DEFAULT_SYSTEM:
            return system, topic
        return system, topic.removeprefix(f"{self._names[system]}/")

    def adopt(self, series: Series, system: int) -> Series:
        """Return a series as one of a system: its Thing is named `<system>.<thing>`."""
        if system == DEFAULT_SYSTEM:
            return series
        thing = series.thing
        prefix = f"{self._names.get(system, system)}."
        if series.datastream_id is None and not thing.startswith(prefix):
            thing = prefix + thing
        return msgspec.structs.replace(series, system=system, thing=thing)

    def prefix(self, system: int) -> str:
        """Return what the names of a system's Things begin with; "" for the default system."""
        return "" if system == DEFAULT_SYSTEM else f"{self._names.get(system, system)}."

    def objection(self, series: Series) -> str:
        """Say why an adopted series cannot be kept, or "" when nothing speaks against it."""
        if series.system != DEFAULT_SYSTEM or not self.is_divided:
            return ""
        parts = series.thing.split(".", _DOTS + 1)
        name = ".".join(parts[: _DOTS + 1])
        if len(parts) <= _DOTS or name not in self._ids:
            return ""
        return (
            f"thing {series.thing[:80]!r} has the name of system {name}, but the topic is not one "
            f"of that system; publish to topics that begin with {name}/"
        )


def owned(readings: Readings, systems: Int64s) -> Readings:
    """Return readings whose keys tell systems apart.

    Args:
        readings: What a codec read.
        systems: System of each message that it was given.
    """
    if not len(readings.series) or not (systems != DEFAULT_SYSTEM).any():
        return readings
    some, of_row = np.unique(systems[readings.message], return_inverse=True)
    pairs = readings.series.astype(np.int64) * len(some) + of_row
    found, series = np.unique(pairs, return_inverse=True)
    keys = [
        _key(int(some[pair % len(some)]), readings.keys[pair // len(some)])
        for pair in found.tolist()
    ]
    return replace(readings, keys=keys, series=series.astype(np.int32))


def _key(system: int, key: Hashable) -> Hashable:
    return key if system == DEFAULT_SYSTEM else Owned(system, key)
