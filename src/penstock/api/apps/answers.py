"""What the endpoints of apps and of SQL take and answer, as types: the source of the schemas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from penstock.core.apps import (
    AppEvent,
    AppInfo,
    AppSpec,
    Difference,
    Imported,
    Output,
    Verified,
)
from penstock.core.queries import Column, Meaning, RunStatus

Format = Literal["json", "ndjson", "csv", "arrow"]
Seconds = Annotated[float, Meta(ge=0)]


class AppList(msgspec.Struct, frozen=True):
    """Apps by name."""

    items: Sequence[AppInfo]


class AppLog(msgspec.Struct, frozen=True):
    """What happened to an app, newest first."""

    items: Sequence[AppEvent]


class NewQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query that is not kept; without `system`, of the one that who asks has."""

    sql: Annotated[str, Meta(min_length=1)]
    system: str = ""
    lateness_s: Seconds = 2.0
    idle_s: Seconds = 30.0
    reach_s: Seconds = 3600.0

    def spec(self) -> AppSpec:
        """Return it as an app without a name."""
        return AppSpec(
            name="",
            sql=self.sql,
            system=self.system,
            lateness_s=self.lateness_s,
            idle_s=self.idle_s,
            reach_s=self.reach_s,
        )


class Backtest(NewQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query and the range to compute it over; `from` and `to` as in addresses."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to", default="now")
    format: Format = "ndjson"


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of event time, and how to tell of it: at once, or with progress on the way.

    `from` and `to` as in addresses.
    """

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to", default="now")
    format: Literal["json", "ndjson"] = "json"


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A filter of the digital twin stack."""

    text: Annotated[str, Meta(min_length=1, max_length=10_000)]


class Translated(msgspec.Struct, frozen=True, kw_only=True):
    """The `SELECT` that does the same."""

    sql: str


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SELECT about what is stored; without bounds, those of the settings count."""

    sql: Annotated[str, Meta(min_length=1, max_length=100_000)]
    max_rows: Annotated[int, Meta(ge=1)] | None = None
    timeout_s: Annotated[float, Meta(gt=0)] | None = None
    format: Format = "json"
    times: Literal["us", "iso"] = "us"


class AnswerColumn(msgspec.Struct, frozen=True):
    """A column of an answer: its name, and its type in Arrow's words."""

    name: str
    type: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question: columns in order, and the values of each."""

    columns: Sequence[AnswerColumn]
    values: Sequence[Sequence[Any]]
    rows: int
    took_s: float


class Computed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a backtest as NDJSON; each says one thing.

    Attributes:
        columns: Names and types, once and first.
        values: The next rows, a list for each column.
        progress: The share that is done, 0 to 1.
        verified: How far what is stored agrees, last.
        rows: How many rows there were, last.
        error: What went wrong, last.
    """

    columns: Sequence[AnswerColumn] | None = None
    values: Sequence[Sequence[Any]] | None = None
    progress: float | None = None
    verified: Verified | None = None
    rows: int | None = None
    error: Mapping[str, Any] | None = None


class DerivedStreams(msgspec.Struct, frozen=True):
    """Ids of the Datastreams that an app derives."""

    datastreams: Sequence[int]


TYPES: tuple[type, ...] = (
    Answer,
    AnswerColumn,
    AppEvent,
    AppInfo,
    AppList,
    AppLog,
    AppSpec,
    Backtest,
    Column,
    Computed,
    DerivedStreams,
    Difference,
    Filter,
    Imported,
    Meaning,
    NewQuery,
    Output,
    Question,
    Range,
    RunStatus,
    Translated,
    Verified,
)
