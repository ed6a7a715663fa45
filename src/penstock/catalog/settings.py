"""Settings of the catalog."""

from __future__ import annotations

from typing import Annotated

import msgspec


class CatalogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the catalog is and what it bounds."""

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
            description="How long to wait when another program holds the catalog's file.",
        ),
    ] = 5.0


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How people sign in."""

    session_idle_s: Annotated[
        float,
        msgspec.Meta(ge=60, description="A session that is not used for so long ends."),
    ] = 604_800.0
    session_most_s: Annotated[
        float,
        msgspec.Meta(ge=60, description="A session ends after so long, however much it is used."),
    ] = 7_776_000.0
