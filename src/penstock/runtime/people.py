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
from penstock.door.listeners import exposed, is_exposed
from penstock.runtime.access_file import access_file, write_access
from penstock.runtime.catalog import has_users, open_catalog
from penstock.runtime.config import Config
from penstock.runtime.data_dir import lock
from penstock.runtime.finding import Finding, Level


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
        found, do = without_users(config)
        raise ConfigError(f"{found}; {do}")
    return identities


def without_users(config: Config) -> tuple[str, str]:
    """Return what is wrong with a platform that others reach while it has no user, and a remedy."""
    door = [] if config.door.users else exposed(config.door)
    places = [f"{place.scheme} on {place.host}:{place.port}" for place in door]
    if not is_loopback(config.api.host):
        places.insert(0, f"HTTP on {config.api.host}:{config.api.port}")
    where = ", ".join(places)
    make = f"penstock users add NAME --administrator --data-dir {config.data_dir}"
    found = f"others can reach this platform ({where}), and it has no user who could let them in"
    return found, f"make one first with `{make}`, or listen on 127.0.0.1"


def accounts_health(config: Config) -> Iterator[Finding]:
    """Look whether there is a user where one is needed, without making or changing anything."""
    try:
        is_needed = needs_accounts(config)
    except ConfigError:
        return  # What is wrong with the door is a finding of its own.
    if is_needed and not has_users(config):
        yield Finding("accounts", Level.PROBLEM, *without_users(config))


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
