"""Settings of devices: commands, presence, tracks, logs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class DeviceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How devices are commanded and watched, and how long what they say is kept."""

    time_to_live_s: Annotated[
        float,
        Meta(
            gt=0,
            le=31_536_000,
            description="How long a device has to accept a command, unless its type or the "
            "request says otherwise, seconds.",
        ),
    ] = 60.0
    max_run_s: Annotated[
        float,
        Meta(
            gt=0,
            description="How long a device may take for a command that it accepted, seconds; "
            "then it counts as failed.",
        ),
    ] = 3600.0
    retry_s: Annotated[
        float,
        Meta(
            gt=0,
            description="First pause before a command that nobody was there to take is sent "
            "again, seconds; each further one is twice as long.",
        ),
    ] = 2.0
    max_retry_s: Annotated[float, Meta(gt=0, description="Longest such pause, seconds.")] = 60.0
    max_open_tasks: Annotated[
        int,
        Meta(ge=1, description="Commands that may wait for their end at one time."),
    ] = 100_000
    max_open_tasks_per_company: Annotated[
        int,
        Meta(
            ge=1,
            description="Of these, commands to the devices of one company, where there are "
            "accounts.",
        ),
    ] = 25_000
    task_retention_s: Annotated[
        float,
        Meta(gt=0, description="How long a command that came to its end is kept, seconds."),
    ] = 7_776_000.0
    seen_every_s: Annotated[
        float,
        Meta(
            gt=0,
            le=600,
            description="How often it is written down when devices were last seen, seconds.",
        ),
    ] = 3.0
    track_fine_s: Annotated[
        float,
        Meta(gt=0, description="How long every place of a moving device is kept, seconds."),
    ] = 604_800.0
    track_every_s: Annotated[
        float,
        Meta(gt=0, description="After that one place per so many seconds is kept."),
    ] = 60.0
    track_retention_s: Annotated[
        float,
        Meta(gt=0, description="How long places are kept at all, seconds."),
    ] = 63_072_000.0
    log_retention_s: Annotated[
        float,
        Meta(gt=0, description="How long lines of device logs are kept, seconds."),
    ] = 2_592_000.0
    max_log_lines: Annotated[
        int,
        Meta(ge=100, description="Lines kept at most; the oldest go first."),
    ] = 5_000_000
    max_log_message_chars: Annotated[
        int,
        Meta(ge=16, le=1_000_000, description="Longest text of a line; the rest is cut off."),
    ] = 8_192
    max_state_bytes: Annotated[
        int,
        Meta(ge=64, le=16_777_216, description="Largest desired or reported state, as JSON."),
    ] = 65_536
