"""Commands that have not come to their end: how many, and of which system."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable

from penstock.core.access import Access
from penstock.core.errors import Backpressure, TooManyRequests
from penstock.devices.settings import DeviceSettings

#: Seconds after which it makes sense to order again: commands end with every answer.
RETRY_AFTER_S = 5.0


class OpenTasks:
    """Counts open tasks. Safe to use from any thread.

    Where there are accounts, the devices of one company have a share of them: whoever fills it
    keeps nobody else from commanding.

    Args:
        settings: How many there may be.
        access: Gives the organisation as it is now.
    """

    def __init__(self, settings: DeviceSettings, access: Callable[[], Access]) -> None:
        self._settings = settings
        self._access = access
        self._lock = threading.Lock()
        self._held: Counter[int] = Counter()

    def __len__(self) -> int:
        """Return how many there are."""
        return self._held.total()

    def know(self, system: int, amount: int = 1) -> None:
        """Count tasks of a system that are open anyhow."""
        with self._lock:
            self._held[system] += amount

    def end(self, system: int, amount: int = 1) -> None:
        """Count tasks of a system that came to their end, or were not made after all."""
        with self._lock:
            self._held[system] -= amount
            if self._held[system] <= 0:
                del self._held[system]

    def take(self, systems: Iterable[int]) -> Counter[int]:
        """Count new tasks of these systems' devices, all or none, and return how many of which.

        Raises:
            TooManyRequests: A company's devices have as many as they may.
            Backpressure: There are as many as there may be in all.
        """
        new = Counter(systems)
        organisation = self._access().organisation
        company_of = {system.id: system.company for system in organisation.systems}
        with self._lock:
            if organisation.accounts:
                held, wanted = Counter[int](), Counter[int]()
                for system, amount in self._held.items():
                    held[company_of.get(system, 0)] += amount
                for system, amount in new.items():
                    wanted[company_of.get(system, 0)] += amount
                names = {company.id: company.name for company in organisation.companies}
                for company, amount in wanted.items():
                    self._refuse(names.get(company, "no company"), held[company], amount)
            if len(self) + new.total() > self._settings.max_open_tasks:
                msg = (
                    f"{len(self)} commands wait for their end, and at most "
                    f"{self._settings.max_open_tasks} may (`max_open_tasks` in [devices])"
                )
                raise Backpressure(msg, RETRY_AFTER_S)
            self._held.update(new)
        return new

    def _refuse(self, company: str, held: int, wanted: int) -> None:
        most = self._settings.max_open_tasks_per_company
        if held + wanted > most:
            msg = (
                f"{held} commands to devices of {company} wait for their end; with {wanted} more "
                f"there would be more than the {most} that one company may have "
                "(`max_open_tasks_per_company` in [devices]); try again when some have ended"
            )
            raise TooManyRequests(msg, RETRY_AFTER_S)
