"""The complete picture of the organisation, read from the tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from penstock.catalog.organisation_models import (
    Account,
    ApiKey,
    ClientRow,
    CompanyAdministrator,
    CompanyRow,
    DataGrant,
    OrganisationState,
    SystemAgent,
    SystemRow,
)
from penstock.core.organisation import Client, Company, Grant, Key, Organisation, System, User
from penstock.core.people import GrantState


def read_picture(connection: Connection, *, accounts: bool) -> Organisation:
    """Return the organisation as the tables hold it.

    Args:
        connection: In a transaction, so that it is one moment.
        accounts: Whether everybody must sign in even if there is no user.
    """
    users = [
        User(id=id_, name=name, administrator=admin, disabled=disabled, password_hash=hash_)
        for id_, name, admin, disabled, hash_ in connection.execute(
            select(
                Account.id,
                Account.name,
                Account.administrator,
                Account.disabled,
                Account.password_hash,
            ).order_by(Account.id)
        )
    ]
    return Organisation(
        accounts=accounts or bool(users),
        version=connection.execute(select(OrganisationState.version)).scalar_one(),
        users=users,
        companies=_companies(connection),
        systems=_systems(connection),
        clients=_clients(connection),
        keys=_keys(connection),
        grants=_grants(connection),
    )


def count_change(connection: Connection) -> None:
    """Let the picture's version grow."""
    connection.execute(update(OrganisationState).values(version=OrganisationState.version + 1))


def _grouped(rows: Iterable[Any]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for place, user in rows:
        found.setdefault(place, set()).add(user)
    return found


def _companies(connection: Connection) -> list[Company]:
    members = _grouped(
        connection.execute(select(CompanyAdministrator.company_id, CompanyAdministrator.account_id))
    )
    rows = connection.execute(select(CompanyRow.id, CompanyRow.name).order_by(CompanyRow.id))
    return [
        Company(id=id_, name=name, administrators=frozenset(members.get(id_, ())))
        for id_, name in rows
    ]


def _systems(connection: Connection) -> list[System]:
    members = _grouped(connection.execute(select(SystemAgent.system_id, SystemAgent.account_id)))
    columns = (SystemRow.id, SystemRow.company_id, SystemRow.name, SystemRow.topics)
    rows = connection.execute(select(*columns).order_by(SystemRow.id))
    return [
        System(
            id=id_,
            company=company,
            name=name,
            agents=frozenset(members.get(id_, ())),
            topics=tuple(topics),
        )
        for id_, company, name, topics in rows
    ]


def _clients(connection: Connection) -> list[Client]:
    columns = (
        ClientRow.id,
        ClientRow.system_id,
        ClientRow.name,
        ClientRow.may_read,
        ClientRow.may_write,
        ClientRow.topics,
        ClientRow.disabled,
    )
    rows = connection.execute(select(*columns).order_by(ClientRow.id))
    return [
        Client(
            id=id_,
            system=system,
            name=name,
            may_read=may_read,
            may_write=may_write,
            topics=None if topics is None else tuple(topics),
            disabled=disabled,
        )
        for id_, system, name, may_read, may_write, topics, disabled in rows
    ]


def _keys(connection: Connection) -> list[Key]:
    columns = (ApiKey.id, ApiKey.digest, ApiKey.account_id, ApiKey.client_id, ApiKey.expires_us)
    rows = connection.execute(
        select(*columns).where(ApiKey.revoked_us.is_(None)).order_by(ApiKey.id)
    )
    return [
        Key(id=id_, digest=digest, user=user, client=client, expires_us=expires_us)
        for id_, digest, user, client, expires_us in rows
    ]


def _grants(connection: Connection) -> list[Grant]:
    columns = (
        DataGrant.id,
        DataGrant.owner_id,
        DataGrant.reader_id,
        DataGrant.thing_id,
        DataGrant.datastream_id,
        DataGrant.expires_us,
    )
    rows = connection.execute(
        select(*columns).where(DataGrant.state == GrantState.IN_FORCE).order_by(DataGrant.id)
    )
    return [
        Grant(
            id=id_,
            owner=owner,
            reader=reader,
            thing=thing,
            datastream=datastream,
            expires_us=expires_us,
        )
        for id_, owner, reader, thing, datastream, expires_us in rows
    ]
