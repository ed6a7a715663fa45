"""Settings of the codecs."""

from __future__ import annotations

from typing import Annotated

import msgspec


class CodecSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How payloads are understood where they leave something open."""

    time_zone: Annotated[
        str,
        msgspec.Meta(
            description=(
                "Zone of times in payloads that name none: `UTC`, an offset such as `+02:00`, "
                "or a name such as `Europe/Vienna`."
            ),
            min_length=1,
        ),
    ] = "UTC"
