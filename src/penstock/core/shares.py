"""Fair shares: each name may do so much per second, with some saved up (token buckets)."""

from __future__ import annotations

import ipaddress

from penstock.core.clock import Clock

#: Names remembered at once; the one not seen for longest is forgotten first.
MAX_NAMES = 10_000


class Shares:
    """How much each name has left. Not safe to call from several threads.

    Args:
        clock: Tells how much has come back.
        per_s: What comes back each second.
        most: What a name can have at most, and has to begin with.
    """

    def __init__(self, clock: Clock, per_s: float, most: float) -> None:
        self._clock = clock
        self._per_s = per_s
        self._most = most
        self._held: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str, amount: float = 1.0) -> float:
        """Return in how many seconds the name will have an amount; 0 when it has it now."""
        return max(0.0, (amount - self._left(name)) / self._per_s)

    def take(self, name: str, amount: float = 1.0) -> float:
        """Take an amount if it is there and return 0, else as `wait_s`."""
        left = self._left(name)
        if left < amount:
            return (amount - left) / self._per_s
        self._set(name, left - amount)
        return 0.0

    def give(self, name: str, amount: float = 1.0) -> None:
        """Give an amount back."""
        left = self._left(name) + amount
        if left >= self._most:
            self._held.pop(name, None)
        else:
            self._set(name, left)

    def _set(self, name: str, left: float) -> None:
        self._held.pop(name, None)
        while len(self._held) >= MAX_NAMES:
            self._held.pop(next(iter(self._held)))
        self._held[name] = (left, self._clock.monotonic_s())

    def _left(self, name: str) -> float:
        if name not in self._held:
            return self._most
        left, at_s = self._held[name]
        return min(self._most, left + (self._clock.monotonic_s() - at_s) * self._per_s)


def network(address: str) -> str:
    """Return whose an address is: itself, or the network that one household has with IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
