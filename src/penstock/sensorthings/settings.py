"""Settings of section [sensorthings]."""

from __future__ import annotations

from typing import Annotated

import msgspec


class ThingsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SensorThings API at /v1.1."""

    max_top: Annotated[
        int, msgspec.Meta(ge=1, le=100_000, description="Entities on a page, at most.")
    ] = 1000
    max_scan_rows: Annotated[
        int,
        msgspec.Meta(
            ge=1000,
            description="Observations that one request may look at one by one, where neither "
            "times nor Datastreams narrow it.",
        ),
    ] = 20_000_000
    public_url: Annotated[
        str,
        msgspec.Meta(
            pattern="^(https?://[^/?#]+(/[^?#]*[^/?#])?)?$",
            description="Address under which clients know the platform, for the links in answers, "
            "such as `https://example.org/sensors`; empty takes the name that the client used.",
        ),
    ] = ""
