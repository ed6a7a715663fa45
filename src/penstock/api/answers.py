"""What the endpoints answer, as types: the source of the schemas in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from penstock.core.catalog import DatastreamInfo
from penstock.core.platform import Arrival, DeadLetter
from penstock.core.series import ObservationType, Unit


class LatestValue(msgspec.Struct, frozen=True):
    """The newest observation of a datastream."""

    time_us: int
    number: float | None
    text: str | None


class Datastream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of results of one Thing."""

    id: int
    name: str
    thing: str
    thing_id: int
    observed_property: str
    observation_type: ObservationType
    unit: Unit
    sensor: str
    location: tuple[float, ...] | None
    properties: Mapping[str, object]
    thing_properties: Mapping[str, object]
    retention_s: float | None
    system: int
    latest: LatestValue | UnsetType | None = UNSET
    count: int | UnsetType = UNSET
    first_us: int | UnsetType | None = UNSET
    last_us: int | UnsetType | None = UNSET


class Datastreams(msgspec.Struct, frozen=True):
    """A page of datastreams, by ascending id; `total` is how many there are in all.

    `next` continues as `after`.
    """

    items: Sequence[Datastream]
    total: int
    next: int | None


class LatestObservations(msgspec.Struct, frozen=True, kw_only=True):
    """Observations, one array per column, all of equal length.

    Times are microseconds UTC, or ISO 8601 text with `times=iso`. Columns that hold nothing are
    left out, but for the first three; `text` is there unless every row has a number.
    """

    datastream: Sequence[int]
    time: Sequence[int | str]
    number: Sequence[float | None]
    text: Sequence[str | None] | UnsetType = UNSET
    feature: Sequence[int] | UnsetType = UNSET
    end_time: Sequence[int | str | None] | UnsetType = UNSET
    result_time: Sequence[int | str | None] | UnsetType = UNSET
    parameters: Sequence[dict[str, Any] | None] | UnsetType = UNSET


class Observations(LatestObservations, frozen=True, kw_only=True):
    """A page of observations as columns, ordered by time; `next` continues as `after`."""

    next: str | None


class Buckets(msgspec.Struct, frozen=True, kw_only=True):
    """Downsampled observations as columns, ordered by (datastream, time).

    `time` is the start of a bucket and `width_us` the width of all. Only numbers count.
    """

    width_us: int
    datastream: Sequence[int]
    time: Sequence[int | str]
    count: Sequence[int] | UnsetType = UNSET
    min: Sequence[float | None] | UnsetType = UNSET
    max: Sequence[float | None] | UnsetType = UNSET
    mean: Sequence[float | None] | UnsetType = UNSET
    first: Sequence[float | None] | UnsetType = UNSET
    last: Sequence[float | None] | UnsetType = UNSET


class HealthSummary(msgspec.Struct, frozen=True):
    """Whether the platform works, for those who do not run it."""

    ready: bool
    started_us: int
    version: str


class Published(msgspec.Struct, frozen=True):
    """The message is on disk; `offset` can be given to `/ingested`."""

    offset: int


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it was sent, its place in the log and when it came.

    `payload` is text where it is UTF-8, else `payload_base64` holds it.
    """

    offset: int
    topic: str
    payload: str | UnsetType = UNSET
    payload_base64: bytes | UnsetType = UNSET
    arrived_us: int


class ArrivalAnswer(SentMessage, frozen=True, kw_only=True):
    """A message that came by MQTT."""


class ArrivedAnswer(msgspec.Struct, frozen=True):
    """Messages in order of arrival.

    `next` is the offset to go on with, until it is `end`. What came before `first` is gone.
    """

    items: Sequence[ArrivalAnswer]
    next: int
    first: int
    end: int


class Ingested(msgspec.Struct, frozen=True):
    """Whether everything before the offset is in the store."""

    ingested: bool


class DeadLetterAnswer(SentMessage, frozen=True, kw_only=True):
    """A message that could not become observations, and why."""

    id: int
    client: str
    partition: str
    codec: str
    reason: str


class DeadLetters(msgspec.Struct, frozen=True):
    """A page of dead letters, oldest first; `next` continues as `after`."""

    items: Sequence[DeadLetterAnswer]
    next: int | None


Told = TypeVar("Told", bound=SentMessage)


def told(kind: type[Told], message: Arrival | DeadLetter) -> Told:
    """Return a message as it is answered: text where it can be."""
    fields = msgspec.structs.asdict(message)
    try:
        fields["payload"] = message.payload.decode()
    except UnicodeDecodeError:
        fields["payload_base64"] = fields.pop("payload")
    return kind(**fields)


class Discarded(msgspec.Struct, frozen=True):
    """How many dead letters were dropped."""

    discarded: int


class RegisteredDatastream(Datastream, frozen=True, kw_only=True):
    """A Datastream that was registered, with its key in the document."""

    key: str


class Registered(msgspec.Struct, frozen=True):
    """Datastreams in the order of the document, and the system that they belong to."""

    system: str
    items: Sequence[RegisteredDatastream]


class Connection(msgspec.Struct, frozen=True):
    """Host and port of the MQTT door by scheme, and the system of the one who asks."""

    system: str
    mqtt: Mapping[str, tuple[str, int]]


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long observations are kept, in seconds; null is the default of the store."""

    retention_s: float | None


class ReplayRange(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """Offsets to read again: from `from` (inclusive) until `until` (exclusive; null is the end)."""

    from_: int
    until: int | None = None


def registered_answer(key: str, info: DatastreamInfo) -> RegisteredDatastream:
    """Return a registered datastream as the API shows it."""
    return RegisteredDatastream(key=key, **msgspec.structs.asdict(info))


def datastream_answer(info: DatastreamInfo, **more: Any) -> Datastream:
    """Return a datastream as the API shows it."""
    return Datastream(**msgspec.structs.asdict(info), **more)
