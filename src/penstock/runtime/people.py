"""Who there is, on a data directory: while the platform runs, and while it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from penstock.api.guard import is_loopback
from penstock.catalog.identities.sql_identities import SqlIdentities
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import PLATFORM
from penstock.core.clock import Clock, SystemClock
from penstock.core.errors import ConfigError
from penstock.core.passwords import Passwords
from penstock.core.people import Actor, NewUser, UserInfo
from penstock.door.listeners import is_exposed
from penstock.runtime.access_file import access_file, write_access
from penstock.runtime.catalog import open_catalog
from penstock.runtime.config import Config
from penstock.runtime.data_dir import lock


def needs_accounts(config: Config) -> bool:
    """Tell whether somebody else could reach the platform, so that everybody must sign in.

    A door that lists its own device accounts keeps others out by itself.
    """
    if not is_loopback(config.api.host):
        return True
    return is_exposed(config.door) and not config.door.users


def open_identities(
    config: Config, catalog: SqlCatalog, clock: Clock, passwords: Passwords
) -> SqlIdentities:
    """Return the organisation kept in a catalog; every change of it goes to the door's file.

    Raises:
        ConfigError: The platform listens elsewhere than on loopback, and there is no user.
    """
    identities = SqlIdentities(
        catalog.database,
        clock,
        passwords,
        config.accounts,
        accounts=needs_accounts(config),
        publish=partial(write_access, access_file(config.data_path)),
    )
    if needs_accounts(config) and not identities.organisation().users:
        msg = (
            f"[api] host = {config.api.host!r} and [door] host = {config.door.host!r} let others "
            "reach this platform, and it has no user who could let them in; make one first with "
            f"`penstock users add NAME --administrator --data-dir {config.data_dir}`, or listen on "
            "127.0.0.1"
        )
        raise ConfigError(msg)
    return identities


@contextmanager
def identities_at_rest(config: Config) -> Iterator[SqlIdentities]:
    """Give the organisation of a platform that does not run; it cannot start meanwhile.

    Raises:
        Conflict: It runs; ask its API instead.
        PenstockError: The data directory cannot be used.
    """
    held = lock(config.data_path)
    passwords = Passwords()
    try:
        catalog = open_catalog(config)
        try:
            publish = partial(write_access, access_file(config.data_path))
            yield SqlIdentities(
                catalog.database, SystemClock(), passwords, config.accounts, publish=publish
            )
        finally:
            catalog.close()
    finally:
        passwords.close()
        os.close(held)


def add_user_at_rest(config: Config, new: NewUser) -> UserInfo:
    """Make a user on the data directory of a platform that does not run: the way to the first.

    Raises:
        Conflict: The platform runs, or the name is taken.
        InvalidInput: The name or the password is not allowed.
    """
    with identities_at_rest(config) as identities:
        return identities.users.add(Actor(PLATFORM), new)
