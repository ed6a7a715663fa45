"""Settings of alarms and notifications."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class AlarmSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many rules there may be, how long alarms are kept, and how people are told of them."""

    max_rules: Annotated[int, Meta(ge=1, description="Alarm rules that there may be.")] = 1000
    max_shelve_s: Annotated[
        float, Meta(gt=0, description="How long an alarm may be shelved at most, seconds.")
    ] = 604_800.0
    retention_s: Annotated[
        float,
        Meta(gt=0, description="How long alarms that are normal again, and what was sent, are "
        "kept, seconds."),
    ] = 31_536_000.0  # fmt: skip
    max_episodes: Annotated[
        int, Meta(ge=1, description="Episodes that a backtest lists at most; it counts them all.")
    ] = 10_000
    webhook_hosts: Annotated[
        list[str],
        Meta(description="The only hosts that webhooks may be sent to; none means every host."),
    ] = []
    webhook_private: Annotated[
        bool,
        Meta(description="Whether webhooks may be sent to addresses of this machine and of "
        "private networks. Whoever manages a system could then reach what is not meant for them."),
    ] = False  # fmt: skip
    webhook_timeout_s: Annotated[
        float, Meta(gt=0, le=120, description="How long a webhook may take, seconds.")
    ] = 10.0
    retry_s: Annotated[
        float,
        Meta(gt=0, description="First pause before a notification that failed is tried again, "
        "seconds; each further one is twice as long."),
    ] = 1.0  # fmt: skip
    max_retry_s: Annotated[float, Meta(gt=0, description="Longest such pause, seconds.")] = 300.0
    give_up_s: Annotated[
        float, Meta(gt=0, description="After how long a notification is given up, seconds.")
    ] = 86_400.0
    smtp_host: Annotated[
        str, Meta(description="Mail server; empty means that there is no mail.")
    ] = ""
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="Its port.")] = 587
    smtp_security: Annotated[
        str,
        Meta(pattern="^(none|starttls|tls)$", description="How mail is kept from others on its "
        "way: starttls, tls or none."),
    ] = "starttls"  # fmt: skip
    smtp_user: Annotated[str, Meta(description="Name to sign in at the mail server.")] = ""
    smtp_password: Annotated[str, Meta(description="Password to sign in there.")] = ""
    smtp_from: Annotated[str, Meta(description="Sender of mail.")] = "penstock@localhost"
