"""The codec contract: a batch of raw messages in, columns of readings out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.series import Series

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Messages:
    """Raw messages of one route, in columns of equal length.

    Attributes:
        topics: Topic of each message.
        payloads: Payload of each message, as it came.
        arrived_us: When each arrived, microseconds UTC.
        fields: What the route's pattern captured from each topic: `{"serial": "AAD-1123"}` for
            `sensor.{serial}.measurements`. Messages with one topic share one mapping object.
    """

    topics: Sequence[str]
    payloads: Sequence[bytes]
    arrived_us: Int64s
    fields: Sequence[Mapping[str, str]]

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.payloads)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one message could not be decoded.

    Attributes:
        message: Its index in the batch.
        reason: What is wrong, what is allowed; one line for a person.
    """

    message: int
    reason: str


@dataclass(frozen=True, slots=True)
class Readings:
    """What a codec read, in columns: one row is one result.

    A *key* is whatever the codec uses to tell series apart: any hashable that holds everything
    `Codec.describe` needs. Ingest keeps a cache from key to datastream, so a key must change when
    the description changes and must not change otherwise.

    Attributes:
        keys: The distinct keys in this batch.
        series: Index into `keys`, one per row.
        time_us: Phenomenon time, microseconds UTC, one per row.
        number: Numeric result, one per row; NaN where the result is text.
        text: Text or JSON result where it is not a number; None when every result is a number.
        feature: Feature of interest, or None when all are 0 (see `core.observation`).
        end_time_us: End of the phenomenon time interval (nullable Arrow int64), or None.
        result_time_us: Result time (nullable Arrow int64), or None.
        parameters: JSON objects (nullable Arrow string), or None.
        place: Where the Thing was at that time, for Things that move: longitude and latitude in
            degrees (WGS 84), two numbers a row, NaN where a row says nothing; None when none does.
            What says where a Thing stands once and for all belongs into the description.
        message: Index of the message that each row came from, ascending.
        described: Features of interest that messages describe in place, as JSON, by index of the
            message. Where the catalog keeps one, its id takes the place of what `feature` says, and
            the member `FeatureOfInterest` of `parameters` is left out.
        failures: Messages that gave no rows because they are wrong. A message is either read
            whole or it fails. A message may also give no rows and no failure.
    """

    keys: Sequence[Hashable]
    series: Int32s
    time_us: Int64s
    number: Floats
    message: Int32s
    text: pa.Array | None = None
    feature: Int64s | None = None
    end_time_us: pa.Array | None = None
    result_time_us: pa.Array | None = None
    parameters: pa.Array | None = None
    place: Floats | None = None
    described: Mapping[int, str] = field(default_factory=dict)
    failures: Sequence[Failure] = field(default=())


class Codec(Protocol):
    """Understands one payload family. Stateless but for caches; safe to call again."""

    @property
    def name(self) -> str:
        """Name used in routes, lower case."""
        ...

    def decode(self, messages: Messages) -> Readings:
        """Read a batch. Never raises for bad payloads: those become `failures`."""
        ...

    def describe(self, key: Hashable) -> Series:
        """Tell what a key from `Readings.keys` stands for."""
        ...
