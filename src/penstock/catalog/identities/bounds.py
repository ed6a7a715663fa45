"""How much of the organisation one company, user or client may have.

Everything here is held whole by every process, so nobody may have it without end. Who has their
share can give some of it back; nobody else notices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from penstock.catalog.identities.desk import Change
from penstock.catalog.settings import AccountSettings
from penstock.core.access import Action, Resource
from penstock.core.errors import TooManyRequests

#: Seconds after which it makes sense to ask again when somebody has to make room first.
RETRY_AFTER_S = 60.0

#: (user, client) that a key stands for; one of them is set.
Holder = tuple[int | None, int | None]


class Bounds:
    """Refuses what would be more than somebody's share.

    Every check raises `TooManyRequests`; nothing was made then.
    """

    def __init__(self, settings: AccountSettings) -> None:
        self._settings = settings

    def check_companies(self, change: Change, creator: int | None) -> None:
        """Check that a user may make one more company."""
        if creator is None or change.access.allows(
            change.by.who, Action.MANAGE, Resource("platform")
        ):
            return
        companies = change.access.organisation.companies
        held = sum(creator in company.administrators for company in companies)
        self._check(f"{change.name} runs", held, 1, "companies", "max_companies_per_user")

    def check_systems(self, change: Change, company: int) -> None:
        """Check that a company may have one more system."""
        held = sum(system.company == company for system in change.access.organisation.systems)
        what = f"company {company} has"
        self._check(what, held, 1, "systems", "max_systems_per_company")

    def check_clients(self, change: Change, systems: Sequence[int]) -> None:
        """Check that the companies of these systems may have one more client for each."""
        organisation = change.access.organisation
        company_of = {system.id: system.company for system in organisation.systems}
        held = Counter(company_of[client.system] for client in organisation.clients)
        for company, new in Counter(company_of[system] for system in systems).items():
            what = f"company {company} has"
            self._check(what, held[company], new, "clients", "max_clients_per_company")

    def check_keys(
        self, change: Change, holders: Sequence[Holder], in_place_of: int | None = None
    ) -> None:
        """Check that these users and clients may have one more valid key each, and companies.

        `in_place_of` is a key that the new one replaces.
        """
        organisation = change.access.organisation
        valid = [
            key
            for key in organisation.keys
            if key.id != in_place_of and (key.expires_us or change.now_us + 1) > change.now_us
        ]
        held = Counter((key.user, key.client) for key in valid)
        for holder, new in Counter(holders).items():
            user, client = holder
            what = f"user {user} has" if client is None else f"client {client} has"
            self._check(what, held[holder], new, "valid keys", "max_keys_per_holder")
        company_of = {system.id: system.company for system in organisation.systems}
        home = {client.id: company_of[client.system] for client in organisation.clients}
        of_company = Counter(home[key.client] for key in valid if key.client in home)
        for company, new in Counter(home[client] for _, client in holders if client).items():
            what = f"company {company} has"
            self._check(what, of_company[company], new, "valid keys", "max_keys_per_company")

    def _check(self, who: str, held: int, new: int, what: str, setting: str) -> None:
        most: int = getattr(self._settings, setting)
        if held + new > most:
            msg = (
                f"{who} {held} {what}, and with {new} more there would be more than {most} "
                f"(`{setting}` in [accounts]); remove some that are not needed, or try again in "
                f"{RETRY_AFTER_S:.0f} seconds, when some may have expired"
            )
            raise TooManyRequests(msg, RETRY_AFTER_S)
