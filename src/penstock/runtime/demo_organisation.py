"""A small organisation to try things with: cars, the weather, and those who put both together.

Three companies of the Digital Twin Stack's demonstration: icecars has two cars, iceland has weather
stations and services, datahouse analyses roads. The cars learn the weather; the analysts learn of
cars and weather.
"""

from __future__ import annotations

import msgspec

from penstock.catalog.identities.sql_identities import SqlIdentities
from penstock.core.access import PLATFORM, Kind, Principal
from penstock.core.errors import Conflict
from penstock.core.passwords import Passwords
from penstock.core.people import Actor, NewClient, NewCompany, NewGrant, NewKey, NewSystem

#: Password of everybody in it: short, since it is no secret.
PASSWORD = "asdf"  # noqa: S105 - it is written on the welcome page
#: Who runs the platform when nobody does yet.
ADMINISTRATOR = "administrator@example.com"

_USERS = {
    "sue.smith@example.com": "Sue Smith",
    "stefan.gunnarsson@example.com": "Stefan Gunnarsson",
    "anna.gruber@example.com": "Anna Gruber",
    "peter.novak@example.com": "Peter Novak",
}
#: Company, its administrator, and its systems: workcenter, station, clients.
_COMPANIES = (
    (
        "cz.icecars",
        "sue.smith@example.com",
        (
            ("iot4cps-wp5-CarFleet", "Car1", ("car_1",)),
            ("iot4cps-wp5-CarFleet", "Car2", ("car_2",)),
        ),
    ),
    (
        "is.iceland",
        "stefan.gunnarsson@example.com",
        (
            ("iot4cps-wp5-WeatherService", "Stations", ("weatherstation_1", "weatherstation_2")),
            ("iot4cps-wp5-WeatherService", "Services", ("forecast_service",)),
        ),
    ),
    (
        "at.datahouse",
        "anna.gruber@example.com",
        (("iot4cps-wp5-Analytics", "RoadAnalytics", ("road_analytics",)),),
    ),
)
_CAR_1 = "cz.icecars.iot4cps-wp5-CarFleet.Car1"
_CAR_2 = "cz.icecars.iot4cps-wp5-CarFleet.Car2"
_STATIONS = "is.iceland.iot4cps-wp5-WeatherService.Stations"
_ANALYTICS = "at.datahouse.iot4cps-wp5-Analytics.RoadAnalytics"
#: Agents beside those who made the system.
_AGENTS = ((_CAR_1, "peter.novak@example.com"), (_CAR_2, "peter.novak@example.com"))
#: Owner, reader, why.
_GRANTS = (
    (_STATIONS, _CAR_1, "weather2car1"),
    (_STATIONS, _ANALYTICS, "weather2analytics"),
    (_CAR_1, _ANALYTICS, "car1analytics"),
    (_CAR_2, _ANALYTICS, "car2analytics"),
)


class DemoOrganisation(msgspec.Struct, frozen=True, kw_only=True):
    """What was made.

    Attributes:
        users: Names; all have the password `password`.
        password: That of all of them.
        keys: Secret of each client, by `<system>/<client>`.
    """

    users: tuple[str, ...]
    password: str
    keys: dict[str, str]


def load_demo_organisation(identities: SqlIdentities, passwords: Passwords) -> DemoOrganisation:
    """Make the demonstration's users, companies, systems, clients and grants.

    Where there is no user yet, `ADMINISTRATOR` is made first and runs the platform. Every step is
    taken by the one who would take it, so that the audit trail reads like life.

    Raises:
        Conflict: It is there already, or one of its names is taken; nothing was made.
    """
    _refuse_taken(identities)
    hashed = passwords.hash(PASSWORD)
    root = Actor(PLATFORM)
    names = list(_USERS)
    if not identities.organisation().users:
        names.insert(0, ADMINISTRATOR)
    actors: dict[str, Actor] = {}
    for name in names:
        display = _USERS.get(name, "Administrator")
        user = identities.users.keep(root, name, hashed, display, administrator=False)
        actors[name] = Actor(Principal(Kind.USER, user.id))
    keys: dict[str, str] = {}
    systems: dict[str, tuple[int, Actor]] = {}
    for company, owner, parts in _COMPANIES:
        by = actors[owner]
        company_id = identities.companies.add(by, NewCompany(name=company)).id
        for workcenter, station, clients in parts:
            new = NewSystem(company=company_id, workcenter=workcenter, station=station)
            system = identities.systems.add(by, new)
            systems[system.name] = (system.id, by)
            made = identities.clients.add(
                by, [NewClient(system=system.id, name=client) for client in clients]
            )
            issued = identities.keys.add(
                by, [NewKey(client=client.id, label="demo") for client in made]
            )
            for client, key in zip(made, issued, strict=True):
                keys[f"{system.name}/{client.name}"] = key.secret
    for name, user_name in _AGENTS:
        id_, by = systems[name]
        identities.systems.agents.add(by, id_, user_name)
    for owner, reader, why in _GRANTS:
        asked = identities.grants.add(
            systems[reader][1], NewGrant(owner=owner, reader=reader, note=why)
        )
        identities.grants.accept(systems[owner][1], asked.id)
    return DemoOrganisation(users=tuple(names), password=PASSWORD, keys=keys)


def _refuse_taken(identities: SqlIdentities) -> None:
    held = identities.organisation()
    taken = {user.name for user in held.users} & {*_USERS, ADMINISTRATOR}
    wanted = {name for name, _, _ in _COMPANIES}
    taken |= {company.name for company in held.companies if company.name.lower() in wanted}
    if taken:
        msg = (
            f"the demo organisation is there already, or its names are taken: {sorted(taken)}; "
            "load it into a new data directory"
        )
        raise Conflict(msg)
