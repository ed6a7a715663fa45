"""Live streams that are open: how many, whose, and whether there may be one more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from penstock.api.settings import ApiSettings
from penstock.core.access import Access, Kind, Principal
from penstock.core.errors import Backpressure, TooManyRequests

#: Seconds after which a place may be free again; nobody can know when somebody leaves.
RETRY_AFTER_S = 5.0


class StreamSlots:
    """Counts live streams. Used in the event loop only.

    Where there are accounts, one account has its share and so has one company with all its users
    and clients, so that nobody can keep the others from watching.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._held: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many are open."""
        return self._held["all"]

    def take(self, access: Access, who: Principal) -> Callable[[], None]:
        """Take a place for a stream and return what gives it back, to be called once.

        Raises:
            TooManyRequests: The account, or its company, has its share.
            Backpressure: There are as many as there may be in all.
        """
        settings = self._settings
        holders = ["all"]
        if access.organisation.accounts and who.kind in (Kind.USER, Kind.CLIENT):
            account, company = f"{who.kind} {who.id}", f"company {access.company_of(who)}"
            self._refuse(account, access.name(who), "max_streams_per_account")
            self._refuse(company, "your company", "max_streams_per_company")
            holders += [account, company]
        if len(self) >= settings.max_streams:
            msg = f"{len(self)} live streams are open, which is all there may be (`max_streams`)"
            raise Backpressure(msg, RETRY_AFTER_S)
        self._held.update(holders)
        return partial(self._give_back, holders)

    def _refuse(self, holder: str, name: str, setting: str) -> None:
        most: int = getattr(self._settings, setting)
        if self._held[holder] >= most:
            msg = (
                f"{name} has {self._held[holder]} live streams open and may have {most} "
                f"(`{setting}` in [api]); close one, or try again in {RETRY_AFTER_S:.0f} seconds"
            )
            raise TooManyRequests(msg, RETRY_AFTER_S)

    def _give_back(self, holders: list[str]) -> None:
        self._held.subtract(holders)
        for holder in holders:
            if self._held[holder] <= 0:
                del self._held[holder]
