"""Settings of the catalog."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class CatalogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the catalog is and what it bounds."""

    url: Annotated[
        str,
        msgspec.Meta(
            description="Database in PostgreSQL (15 or newer) that holds the catalog, as libpq "
            "takes it: `postgresql://USER@HOST:PORT/DATABASE`. Empty: a file in `data_dir`. A "
            "password is better kept in `~/.pgpass`; in the settings it belongs into the "
            "environment.",
        ),
    ] = ""
    max_pending_devices: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            description="Devices that may wait for approval at once; further ones are not listed.",
        ),
    ] = 10_000
    busy_timeout_s: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            le=300,
            description="How long to wait when another program writes to the catalog.",
        ),
    ] = 5.0


#: Whether people may make themselves users.
RegistrationMode = Literal["closed", "approval", "open"]


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people become users and sign in, and how much one user or company may have."""

    registration: Annotated[
        RegistrationMode,
        msgspec.Meta(
            description="Whether people may make themselves users: `closed` (administrators make "
            "them), `approval` (they ask, an administrator approves) or `open` (everybody who "
            "reaches the platform). Who is new belongs to no company."
        ),
    ] = "closed"
    max_registrations: Annotated[
        int, msgspec.Meta(ge=1, description="Registrations that may wait for approval at once.")
    ] = 1_000
    registration_wait_s: Annotated[
        float,
        msgspec.Meta(ge=60, description="A registration that nobody approves is forgotten then."),
    ] = 2_592_000.0

    session_idle_s: Annotated[
        float,
        msgspec.Meta(ge=60, description="A session that is not used for so long ends."),
    ] = 604_800.0
    session_most_s: Annotated[
        float,
        msgspec.Meta(ge=60, description="A session ends after so long, however much it is used."),
    ] = 7_776_000.0
    max_sessions_per_user: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            description="Places where one user can be signed in at once; the one not used for "
            "longest ends first.",
        ),
    ] = 50
    max_keys_per_holder: Annotated[
        int,
        msgspec.Meta(ge=1, description="Valid keys that one user or client may have."),
    ] = 20
    max_keys_per_company: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            description="Valid keys that the clients of one company may have together.",
        ),
    ] = 50_000
    max_clients_per_company: Annotated[
        int, msgspec.Meta(ge=1, description="Clients that one company may have.")
    ] = 25_000
    max_systems_per_company: Annotated[
        int, msgspec.Meta(ge=1, description="Systems that one company may have.")
    ] = 1_000
    max_companies_per_user: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            description="Companies that one user may run when they make another; the platform's "
            "administrators may make any number.",
        ),
    ] = 10
