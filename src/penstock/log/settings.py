"""Settings of the segment log."""

from __future__ import annotations

from typing import Annotated

import msgspec


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the log keeps its segments and for how long."""

    segment_bytes: Annotated[
        int,
        msgspec.Meta(
            ge=4096, description="A segment file that reaches this size is closed, in bytes."
        ),
    ] = 67_108_864
    segment_age_s: Annotated[
        float,
        msgspec.Meta(
            gt=0, description="A segment file older than this is closed at the next write, seconds."
        ),
    ] = 86_400.0
    room_bytes: Annotated[
        int,
        msgspec.Meta(
            ge=0,
            description="Room that is filled with zeros ahead of the end, in bytes. A sync inside "
            "it changes no file size, which halves the time it takes; 0 makes none.",
        ),
    ] = 1_048_576
    index_bytes: Annotated[
        int,
        msgspec.Meta(ge=512, description="Distance of two entries in a segment's index, in bytes."),
    ] = 262_144
    max_age_s: Annotated[
        float | None,
        msgspec.Meta(
            description="Closed segments older than this are deleted once every named reader is "
            "done with them, seconds; none keeps them."
        ),
    ] = 604_800.0
    max_bytes: Annotated[
        int | None,
        msgspec.Meta(
            description="The oldest closed segments of a partition are deleted above this size "
            "once every named reader is done with them, bytes; none keeps them."
        ),
    ] = 10_737_418_240
