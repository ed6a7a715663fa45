"""What the endpoints of alarms take and answer, as types: the source of the schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from penstock.core.alarm_episodes import AlarmBacktest, Episode, Span
from penstock.core.alarm_rules import AlarmMode, RuleInfo, RuleSpec
from penstock.core.alarms import Alarm, AlarmEvent
from penstock.core.notifications import Delivery, TargetInfo, TargetSpec


class AlarmList(msgspec.Struct, frozen=True):
    """Alarms, newest first; `next` continues."""

    items: Sequence[Alarm]
    next: int | None = None


class AlarmHistory(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm, what happened to it (newest first), and its activations (oldest first)."""

    alarm: Alarm
    events: Sequence[AlarmEvent]
    activations: Sequence[Span]


class AlarmRuleList(msgspec.Struct, frozen=True):
    """Rules by name."""

    items: Sequence[RuleInfo]


class NotificationTargetList(msgspec.Struct, frozen=True):
    """Targets by name."""

    items: Sequence[TargetInfo]


class DeliveryList(msgspec.Struct, frozen=True):
    """Notifications, newest first; `next` continues."""

    items: Sequence[Delivery]
    next: int | None = None


class AlarmComment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody says."""

    comment: Annotated[str, Meta(max_length=2000)] = ""


class AlarmShelving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For how long nobody is told, and why."""

    for_s: Annotated[float, Meta(gt=0)]
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]


class AlarmRuleMode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether people are told of a rule, and why not: normal, suppressed or out of service."""

    mode: AlarmMode
    reason: Annotated[str, Meta(max_length=500)] = ""


class AlarmRange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of event time, as times in addresses are written; and a rule, if it is not kept."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to", default="now")
    rule: RuleSpec | None = None
    text: str = ""


TYPES = (
    AlarmList,
    AlarmHistory,
    AlarmRuleList,
    NotificationTargetList,
    DeliveryList,
    AlarmComment,
    AlarmShelving,
    AlarmRuleMode,
    AlarmRange,
    Alarm,
    AlarmBacktest,
    AlarmEvent,
    Episode,
    RuleInfo,
    RuleSpec,
    TargetInfo,
    TargetSpec,
    Delivery,
)
