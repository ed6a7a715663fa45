"""Everything about who there is, in the catalog's database."""

from __future__ import annotations

from penstock.catalog.database import Database
from penstock.catalog.identities.bounds import Bounds
from penstock.catalog.identities.clients import SqlClients
from penstock.catalog.identities.companies import SqlCompanies
from penstock.catalog.identities.desk import Desk, Publish
from penstock.catalog.identities.grants import SqlGrants
from penstock.catalog.identities.keys import SqlKeys
from penstock.catalog.identities.registrations import SqlRegistrations
from penstock.catalog.identities.repeats import SqlRepeats
from penstock.catalog.identities.sessions import SqlSessions
from penstock.catalog.identities.systems import SqlSystems
from penstock.catalog.identities.trail import SqlTrail
from penstock.catalog.identities.users import SqlUsers
from penstock.catalog.settings import AccountSettings
from penstock.core.access import Access
from penstock.core.clock import Clock
from penstock.core.organisation import Organisation
from penstock.core.passwords import Passwords


class SqlIdentities:
    """See `core.identity.Identities`.

    Args:
        database: The catalog's, with today's tables.
        clock: Tells when.
        passwords: Hashes them.
        settings: How long sessions last, and how much one company or user may have.
        accounts: Whether everybody must sign in even if there is no user.
        publish: Told of every new picture before it is on disk, and of the first; a change that
            it fails for is not made.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: Passwords,
        settings: AccountSettings | None = None,
        *,
        accounts: bool = False,
        publish: Publish | None = None,
    ) -> None:
        self._desk = Desk(database, clock, accounts=accounts, publish=publish)
        settings = settings or AccountSettings()
        bounds = Bounds(settings)
        self.sessions = SqlSessions(self._desk, settings)
        self.users = SqlUsers(self._desk, passwords, self.sessions.forget_user)
        self.registrations = SqlRegistrations(self._desk, self.users, passwords, settings)
        self.companies = SqlCompanies(self._desk, bounds)
        self.systems = SqlSystems(self._desk, bounds)
        self.clients = SqlClients(self._desk, bounds)
        self.keys = SqlKeys(self._desk, bounds)
        self.grants = SqlGrants(self._desk)
        self.trail = SqlTrail(self._desk)
        self.repeats = SqlRepeats(database, clock)

    def access(self) -> Access:
        """Return what decides, from the newest picture."""
        return self._desk.access

    def organisation(self) -> Organisation:
        """Return the newest picture."""
        return self._desk.access.organisation

    def flush(self) -> None:
        """Write down what was used; to be called now and then, and at the end."""
        self.keys.flush()
        self.sessions.flush()
