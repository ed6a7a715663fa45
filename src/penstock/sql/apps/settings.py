"""Settings of stream apps."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class AppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many stream apps there may be."""

    max_apps: Annotated[
        int, Meta(ge=1, le=100_000, description="Stream apps that there may be.")
    ] = 1000
