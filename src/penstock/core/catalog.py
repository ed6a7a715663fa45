"""The catalog contract: what exists (Things, Datastreams and the rest), not what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from penstock.core.access import EVERYTHING, Scope
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.registration import Registration
from penstock.core.series import ObservationType, Series, Unit


class Policy(StrEnum):
    """What to do with a device that was never seen before."""

    AUTOMATIC = "automatic"
    APPROVAL = "approval"
    CLOSED = "closed"


class DeviceStatus(StrEnum):
    """Where a device stands in its enrolment."""

    ENROLLED = "enrolled"
    PENDING = "pending"
    REFUSED = "refused"


class Enrolled(msgspec.Struct, frozen=True):
    """Answer to one `Series`: the datastream, or why there is none.

    Attributes:
        datastream: Id of the Datastream, or None.
        reason: When there is none: one line for a person (waits for approval, refused, unknown
            id, ...). A reason is not final: asking again later may give a datastream.
        is_late: The device was deleted with its data, and this may be from before that: it is not
            to be kept for the day when the device is enrolled again.
        device: When there is none: name of the device that it waits for, if any. It is not the
            name of the series' Thing when that is the topic of a device.
    """

    datastream: int | None
    reason: str = ""
    is_late: bool = False
    device: str = ""


class DatastreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A Datastream as lists and pages show it.

    Attributes:
        id: Unique, positive, never used again.
        system: The system that its Thing belongs to.
        name: Full name, unique: `<thing>.<name>`.
        thing: Name of its Thing.
        thing_id: Id of its Thing.
        observed_property: What is measured.
        observation_type: Kind of result.
        unit: Unit of measurement.
        sensor: Name of the procedure or model.
        location: Where the Thing is now: longitude, latitude in degrees, height in metres.
        properties: Facts about the Datastream.
        thing_properties: Facts about the Thing.
        retention_s: How long observations are kept; None is the default of the store.
    """

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
    system: int = DEFAULT_SYSTEM


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A device as enrolment sees it: a Thing, or a name waiting to become one."""

    name: str
    status: DeviceStatus
    first_seen_us: int
    thing_id: int | None


class Catalog(Protocol):
    """Keeps the SensorThings entities. Safe to call from any thread."""

    def enrol(self, series: Sequence[Series], policy: Policy, now_us: int) -> Sequence[Enrolled]:
        """Find or create the Datastream of each series; durable when it returns.

        Creates what is missing (Thing, Sensor, ObservedProperty, Datastream) as `policy` allows,
        and updates what a series knows better: unit, properties, and the Thing's location with
        a HistoricalLocation. What a series does not know leaves what is held untouched.
        """
        ...

    def describe_features(self, described: Sequence[tuple[int, str]], now_us: int) -> Sequence[int]:
        """Find or create the FeaturesOfInterest that messages describe, and return their ids.

        Durable when it returns. The same description in one system is the same feature.

        Args:
            described: The system that each was described in, and the description as JSON.
            now_us: The time, microseconds UTC.

        Returns:
            The id of each; 0 where something is missing or cannot be kept.
        """
        ...

    def register(self, wanted: Registration, now_us: int) -> Sequence[int]:
        """Find or create all that is named, and return the id of each Datastream, in order.

        For someone who may write there, whatever the policy for devices is. All or nothing; what
        is said again changes nothing, what is said differently replaces what is held, what is not
        said stays. Durable when it returns.

        Raises:
            InvalidInput: A name or a place cannot be kept.
            Forbidden: A Thing is a device that was refused.
        """
        ...

    def datastreams(
        self,
        search: str = "",
        *,
        thing: str | None = None,
        ids: Sequence[int] | None = None,
        after: int = 0,
        limit: int = 100,
        scope: Scope = EVERYTHING,
    ) -> Sequence[DatastreamInfo]:
        """Return datastreams by ascending id, those behind `after`, of those in `scope`.

        `search` holds words that must each occur in the name, the observed property, the unit or
        a property of Datastream or Thing, upper and lower case alike.
        """
        ...

    def count_datastreams(self, search: str = "", scope: Scope = EVERYTHING) -> int:
        """Return how many datastreams `datastreams(search)` would give without a limit."""
        ...

    def readable(self, scope: Scope, ids: Sequence[int] | None = None) -> Sequence[int]:
        """Return which of these datastreams, or of all, are in a scope, ascending."""
        ...

    def devices(self, status: DeviceStatus | None = None) -> Sequence[DeviceInfo]:
        """Return devices by name."""
        ...

    def decide(self, device: str, status: DeviceStatus) -> None:
        """Approve or refuse a device by name.

        Raises:
            NotFound: No such device was ever seen.
        """
        ...

    def set_retention(self, datastream: int, retention_s: float | None) -> None:
        """Set how long observations of a datastream are kept; None for the store's default.

        Raises:
            NotFound: No such datastream.
            InvalidInput: Not a positive number of seconds.
        """
        ...

    def retentions(self) -> Mapping[int, float]:
        """Return the datastreams with a retention of their own, in seconds."""
        ...

    def close(self) -> None:
        """Release the database. Safe to call twice."""
        ...
