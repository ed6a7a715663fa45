"""How often somebody may ask."""

from __future__ import annotations

from penstock.api.settings import ApiSettings
from penstock.core.access import Principal
from penstock.core.clock import Clock
from penstock.core.errors import TooManyRequests
from penstock.core.shares import Shares, network

#: Seconds for which requests can be saved up.
BURST_S = 5.0


class Rates:
    """Counts requests: of whom one knows by who they are, of others by network address."""

    def __init__(self, clock: Clock, settings: ApiSettings) -> None:
        known, others = settings.max_requests_per_s, settings.max_unknown_requests_per_s
        self._known = Shares(clock, known, max(1.0, known * BURST_S))
        self._others = Shares(clock, others, max(1.0, others * BURST_S))

    def count(self, who: Principal) -> None:
        """Count a request of somebody known.

        Raises:
            TooManyRequests: They ask too often.
        """
        self._refuse(self._known.take(f"{who.kind} {who.id}"), "max_requests_per_s")

    def wait_s(self, who: Principal) -> float:
        """Count a part of a batch of somebody known, as a request, if it may be asked now.

        Returns 0 then, and otherwise in how many seconds it may.
        """
        return self._known.take(f"{who.kind} {who.id}")

    def unknown_wait_s(self, address: str) -> float:
        """Do as `wait_s` does, of somebody who has not said who they are."""
        return self._others.take(network(address))

    def count_unknown(self, address: str) -> None:
        """Count a request of somebody who has not said who they are, or not rightly.

        Raises:
            TooManyRequests: They ask too often.
        """
        self._refuse(self._others.take(network(address)), "max_unknown_requests_per_s")

    @staticmethod
    def _refuse(wait_s: float, setting: str) -> None:
        if wait_s > 0:
            msg = f"too many requests; try again in {wait_s:.1f} seconds (`{setting}` in [api])"
            raise TooManyRequests(msg, retry_after_s=wait_s)
