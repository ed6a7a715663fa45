"""Fair shares of what there is only so much of, so that nobody can use it up for all.

Everybody draws on the door's bounds through a tree: the door, a company below it, an account below
that. A company can have a fraction of what the others leave of the whole, an account a fraction of
what the company's other accounts leave of that. So a greedy one gets much while nobody else wants
any, several share it, and whoever comes next always finds something.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from weakref import WeakValueDictionary

from penstock.core.access import Kind, Principal
from penstock.door.filters import Filters
from penstock.door.mistakes import Mistakes
from penstock.door.permissions import Permissions
from penstock.door.reasons import ProtocolViolation, Reason
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats


class Share:
    """What one has of one thing.

    Args:
        most: How much there is of it for all; only for the whole.
        parent: The share that this one is a part of; None for the whole.
        fraction: How much of what others leave of the parent this one can have, 0 to 1.
    """

    __slots__ = ("_fraction", "_most", "_parent", "used")

    def __init__(
        self,
        most: int = 0,
        parent: Share | None = None,
        fraction: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.used = 0
        self._most = most
        self._parent = parent
        self._fraction = fraction

    @property
    def limit(self) -> int:
        """How much it can have, as things are."""
        parent = self._parent
        if parent is None:
            return self._most
        return math.ceil(self._fraction() * (parent.limit - (parent.used - self.used)))

    def has_room(self, amount: int = 1) -> bool:
        """Tell whether so much more is within bounds, for this and all that it is a part of."""
        share: Share | None = self
        while share is not None:
            if share.used + amount > share.limit:
                return False
            share = share._parent  # noqa: SLF001 - of the same kind
        return True

    def take(self, amount: int = 1) -> None:
        """Use so much more, or with a negative amount less. Whoever must not wait never asks."""
        share: Share | None = self
        while share is not None:
            share.used += amount
            share = share._parent  # noqa: SLF001 - of the same kind


@dataclass(slots=True, weakref_slot=True, eq=False)
class Allowance:
    """The shares of one account or company, or of the whole door."""

    name: str
    connections: Share
    sessions: Share
    subscriptions: Share
    queued_bytes: Share
    retained: Share
    retained_bytes: Share
    #: What it is a part of; kept alive by it.
    parent: Allowance | None = None

    def short_of(self, thing: str, amount: int = 1) -> Allowance | None:
        """Return which part of the tree, from this one up, has no room; None if all have."""
        one: Allowance | None = self
        while one is not None:
            share: Share = getattr(one, thing)
            if share.used + amount > share.limit:
                return one
            one = one.parent
        return None

    def part(self, name: str, fraction: Callable[[], float]) -> Allowance:
        """Return a new part of this."""
        shares = {thing: Share(0, getattr(self, thing), fraction) for thing in THINGS}
        return Allowance(name, **shares, parent=self)


#: What is shared, as `Allowance` names it.
THINGS = tuple(field.name for field in fields(Allowance) if field.name not in ("name", "parent"))


def whole(settings: DoorSettings) -> Allowance:
    """Return what there is for all."""
    return Allowance(
        "the door",
        connections=Share(settings.max_connections),
        sessions=Share(settings.max_sessions),
        subscriptions=Share(settings.max_all_subscriptions),
        queued_bytes=Share(settings.max_all_queued_bytes),
        retained=Share(settings.max_retained),
        retained_bytes=Share(settings.max_retained_bytes),
    )


class Quotas:
    """Knows whose share is which; says so when somebody goes over it.

    The platform itself, and everybody while there are no accounts, has the whole.
    """

    def __init__(
        self, settings: DoorSettings, permissions: Permissions, stats: Stats, mistakes: Mistakes
    ) -> None:
        self.whole = whole(settings)
        self._settings = settings
        self._permissions = permissions
        self._stats = stats
        self._mistakes = mistakes
        self._companies: WeakValueDictionary[int, Allowance] = WeakValueDictionary()
        self._accounts: WeakValueDictionary[tuple[int, Principal], Allowance]
        self._accounts = WeakValueDictionary()

    def of(self, who: Principal) -> Allowance:
        """Return what an account can have."""
        if who.kind is Kind.PLATFORM or not self._permissions.has_accounts:
            return self.whole
        return self._account(self._permissions.company(who), who)

    def of_topic(self, who: Principal | None, topic: str) -> Allowance:
        """Return what pays for a topic: its company; within that an account, if it is known."""
        if not self._permissions.has_accounts:
            return self.whole
        company = self._permissions.company_of(topic)
        if who is None or who.kind in (Kind.PLATFORM, Kind.ANYONE):
            return self._company(company)
        return self._account(company, who)

    def went_over(self, allowance: Allowance, thing: str, amount: int = 1) -> str:
        """Count and report that somebody asked for more than their share; return how to say it."""
        self._stats.over_quota += 1
        short = allowance.short_of(thing, amount) or allowance
        share: Share = getattr(short, thing)
        why = f"{short.name} has {share.used} {thing.replace('_', ' ')}, of {max(share.limit, 0)}"
        self._mistakes.report(
            f"quota {thing} {short.name}",
            f"{allowance.name} asks for more than its share: {why}; see the bounds of [door], "
            "`company_share` and `account_share`",
        )
        return why

    def has_room_for(self, allowance: Allowance, filters: Filters, name: str) -> bool:
        """Tell whether a session may have one more filter; say so when it may not."""
        settings = self._settings
        if len(filters) >= settings.max_subscriptions:
            why = f"{len(filters)} subscriptions; see `max_subscriptions` of [door]"
        elif filters.forms_with(name) > settings.max_overlapping_subscriptions:
            most = settings.max_overlapping_subscriptions
            why = (
                f"{most} subscriptions that one topic can match; see "
                "`max_overlapping_subscriptions` of [door]"
            )
        else:
            return True
        self._stats.over_quota += 1
        self._mistakes.report(
            f"filters {allowance.name}", f"a session of {allowance.name} wants more than {why}"
        )
        return False

    def require(self, allowance: Allowance, thing: str) -> None:
        """Do nothing if there is one more for them.

        Raises:
            ProtocolViolation: There is not (0x97).
        """
        share: Share = getattr(allowance, thing)
        if not share.has_room():
            raise ProtocolViolation(Reason.QUOTA_EXCEEDED, self.went_over(allowance, thing))

    def _company(self, company: int) -> Allowance:
        found = self._companies.get(company)
        if found is None:
            name = "what belongs to no company" if not company else f"company {company}"
            found = self._companies[company] = self.whole.part(name, self._company_share)
        return found

    def _account(self, company: int, who: Principal) -> Allowance:
        found = self._accounts.get((company, who))
        if found is None:
            name = f"{who.kind} {who.id} of company {company}"
            found = self._company(company).part(name, lambda: self._settings.account_share)
            self._accounts[company, who] = found
        return found

    def _company_share(self) -> float:
        """Return the fraction: there is nobody to leave anything to for one that is alone."""
        return 1.0 if self._permissions.is_one_company else self._settings.company_share
