"""Devices: what they are, how they stand, and the contracts of those who keep and command them.

A device is a Thing that sends. Everything here is known by the id of the Thing; a device that waits
for approval has none yet, and nothing can be done with it but to decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from penstock.core.access import Scope
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.errors import InvalidInput

#: Any JSON value.
Json = object

_SERIAL = re.compile(r"[A-Za-z0-9-]{1,8}")


def check_serial(serial: str) -> str:
    """Return the serial number of a sensor if it is one.

    Raises:
        InvalidInput: It is not: at most 8 letters, digits and '-', with at least one letter.
    """
    if _SERIAL.fullmatch(serial) is None or not re.search("[A-Za-z]", serial):
        msg = (
            f"serial number {serial[:40]!r} is not allowed; it has 1 to 8 letters, digits and '-', "
            "with at least one letter, as in AAD-1123"
        )
        raise InvalidInput(msg)
    return serial


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device as lists and pages show it.

    Attributes:
        name: Unique within its system.
        system: Id of its system.
        status: How it stands in its enrolment.
        first_seen_us: When it was first seen or registered.
        thing_id: Its Thing; None while it waits or was refused before it had one.
        type: Name of its device type; "" when not known.
        topic: Topic below which it talks; "" when not known.
        sample_frequency: Samples per second, Hz, as it last said.
        last_seen_us: When its newest message arrived.
        online: Whether it is connected; None when that was never told.
        online_since_us: Since when `online` is as it is.
        reason: What ended or began its connection, in one word.
        client: MQTT client identifier that `online` is about: its own while that is connected, else
            the one that last sent its data.
        address: Where that client connected from.
        keep_alive_s: How often the client must be heard of.
        target: What it is fixed to.
        location: Where it is: longitude, latitude in degrees, height in metres.
        located_us: When it was there.
    """

    name: str
    system: int
    status: DeviceStatus
    first_seen_us: int
    thing_id: int | None
    type: str = ""
    topic: str = ""
    sample_frequency: float | None = None
    last_seen_us: int | None = None
    online: bool | None = None
    online_since_us: int | None = None
    reason: str = ""
    client: str = ""
    address: str = ""
    keep_alive_s: int | None = None
    target: TargetName | None = None
    location: tuple[float, ...] | None = None
    located_us: int | None = None


class TargetName(msgspec.Struct, frozen=True):
    """Which target."""

    id: int
    name: str


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a device that registers; None and "" leave what is held untouched."""

    name: str
    system: int = 1
    type: str = ""
    topic: str = ""
    sample_frequency: float | None = None
    description: str = ""
    properties: Mapping[str, Json] = {}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest message of a device told about it."""

    thing_id: int
    at_us: int
    client: str = ""
    topic: str = ""
    type: str = ""


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an MQTT client is connected; two systems may have clients of one identifier."""

    client: str
    online: bool
    at_us: int
    system: int = 1
    user: str = ""
    reason: str = ""
    keep_alive_s: int = 0
    address: str = ""


# -- targets and tracks -------------------------------------------------------------------------


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A position (longitude, latitude, perhaps height) at a time."""

    time_us: int
    position: tuple[float, ...]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What devices are fixed to: a machine, a bridge, an animal.

    Attributes:
        id: Never used again.
        name: Unique within its system, 1 to 255 characters.
        system: Its system.
        description: For people.
        properties: Further facts.
        location: Where it is now.
        located_us: Since when.
        devices: Names of the devices that are fixed to it now.
    """

    id: int
    name: str
    system: int = 1
    description: str = ""
    properties: Mapping[str, Json] = {}
    location: tuple[float, ...] | None = None
    located_us: int | None = None
    devices: Sequence[str] = ()


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A device was fixed to a target from a time until another; None is until now."""

    device: str
    thing_id: int
    target: TargetName
    from_us: int
    until_us: int | None = None


# -- state --------------------------------------------------------------------------------------


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a device is wanted to be, and what it says that it is.

    Versions grow by one with each change; 0 is never set.
    """

    desired: Mapping[str, Json] = {}
    desired_version: int = 0
    desired_us: int | None = None
    reported: Mapping[str, Json] = {}
    reported_version: int = 0
    reported_us: int | None = None

    @property
    def delta(self) -> dict[str, Json]:
        """What is desired and not reported like that."""
        return difference(self.desired, self.reported)


def difference(wanted: Mapping[str, Json], held: Mapping[str, Json]) -> dict[str, Json]:
    """Return the members of `wanted` that `held` has not, objects member by member."""
    found: dict[str, Json] = {}
    for key, value in wanted.items():
        other = held.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            inner = difference(value, other)
            if inner:
                found[key] = inner
        elif key not in held or not _same(value, other):
            found[key] = value
    return found


def _same(one: Json, other: Json) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def merged(held: Mapping[str, Json], patch: Mapping[str, Json]) -> dict[str, Json]:
    """Return a document changed as a JSON merge patch says (RFC 7396): null removes."""
    out = dict(held)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, Mapping):
            inner = out.get(key)
            out[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            out[key] = value
    return out


# -- who keeps them -----------------------------------------------------------------------------


class DeviceRecords(Protocol):
    """Keeps devices. Safe to call from any thread; durable when a call returns."""

    def devices(
        self,
        scope: Scope,
        *,
        name: str | None = None,
        short_name: str | None = None,
        topic: str | None = None,
        things: Sequence[int] | None = None,
        type_: str | None = None,
        status: DeviceStatus | None = None,
        heard: bool | None = None,
    ) -> Sequence[Device]:
        """Return devices by name and system, those that `scope` holds.

        Args:
            scope: Nothing else is given.
            name: Only those of this name.
            short_name: Only those whose name is that of their system, a dot, and this.
            topic: Only those that talk below this topic.
            things: Only those with these Things.
            type_: Only those of this type.
            status: Only those that stand like this.
            heard: Only those that have sent or registered, wait or were refused; or, with False,
                only the others: Things that apps, imports and people made.
        """
        ...

    def register(
        self, devices: Sequence[DeviceFacts], policy: Policy, now_us: int
    ) -> Sequence[Device]:
        """Take devices in as `policy` allows, and what is known of them; again is harmless."""
        ...

    def decide(self, system: int, name: str, status: DeviceStatus) -> None:
        """Approve or refuse a device.

        Raises:
            NotFound: No such device was ever seen.
        """
        ...

    def note(
        self, seen: Sequence[Seen] = (), presence: Sequence[Presence] = (), started_us: int = 0
    ) -> None:
        """Keep who was seen and who is connected, where it is newer than what is held.

        It survives the end of this process, but perhaps not a power loss, after which nobody is
        connected. `started_us` is when the door started: whoever was here before then is gone.
        """
        ...

    def things_of(self, datastreams: Sequence[int]) -> Mapping[int, int]:
        """Return the Thing of each Datastream that exists."""
        ...

    def remove(self, system: int, name: str, *, with_data: bool) -> Sequence[int]:
        """Forget a device: one that sends again must be enrolled again.

        With data, its Thing goes too, and the ids of its Datastreams are returned and held as
        doomed until `buried` is told of them. The device is leaving then: nothing is enrolled by
        its name until `left` is told of it.

        Raises:
            NotFound: No such device.
        """
        ...

    def leaving(self) -> Sequence[tuple[int, str]]:
        """Return systems and names of devices that were deleted with their data and are leaving."""
        ...

    def deleted(self) -> Mapping[tuple[int, str], int]:
        """Return when devices were deleted, by system and name, microseconds UTC.

        What a device sent before that is not to enrol it again, whoever reads it again.
        """
        ...

    def left(self, devices: Sequence[tuple[int, str]]) -> None:
        """Let devices of these systems and names be enrolled again."""
        ...

    def doomed(self) -> Sequence[int]:
        """Return Datastreams that are gone and whose observations may still be in the store."""
        ...

    def buried(self, datastreams: Sequence[int]) -> None:
        """Know that nothing is left of these Datastreams."""
        ...


class TrackRecords(Protocol):
    """Keeps where devices were. Safe to call from any thread."""

    def track(
        self, thing_id: int, from_us: int | None, until_us: int | None, limit: int
    ) -> Sequence[Place]:
        """Return places by time, evenly thinned to `limit`; first and last are among them."""
        ...

    def thin(self, *, before_us: int, every_us: int, until_us: int) -> int:
        """Keep one place of each device per `every_us` before `before_us`; none before `until_us`.

        Returns how many were removed. Where a device is now stays.
        """
        ...


class TargetRecords(Protocol):
    """Keeps targets. Safe to call from any thread; durable when a call returns."""

    def targets(
        self, systems: frozenset[int] | None = None, ids: Sequence[int] | None = None
    ) -> Sequence[Target]:
        """Return targets by id; None is all."""
        ...

    def create(self, target: Target) -> Target:
        """Create a target; id 0 takes the next free one.

        Raises:
            Conflict: Its name in its system, or its id, is taken.
        """
        ...

    def delete(self, target: int) -> None:
        """Delete a target with its history; its devices are fixed to nothing.

        Raises:
            NotFound: No such target.
        """
        ...

    def move(self, target: int, places: Sequence[Place]) -> None:
        """Keep where a target was; one at a time already held replaces it.

        Raises:
            NotFound: No such target.
            InvalidInput: A position is none.
        """
        ...

    def places(
        self, target: int, from_us: int | None, until_us: int | None, limit: int
    ) -> Sequence[Place]:
        """Return the newest `limit` places of a target in a range, by time."""
        ...

    def assign(self, thing_id: int, target: int | None, now_us: int) -> None:
        """Fix a device to a target, or to none, from now on; again is harmless.

        Raises:
            NotFound: No such device or target.
        """
        ...

    def assignments(
        self, *, thing_id: int | None = None, target: int | None = None
    ) -> Sequence[Assignment]:
        """Return who was fixed to what, newest first."""
        ...


class StateRecords(Protocol):
    """Keeps desired and reported states. Safe to call from any thread; durable on return."""

    def state(self, thing_id: int) -> State:
        """Return the state of a device; an empty one when nothing was ever set."""
        ...

    def desire(
        self, thing_id: int, desired: Mapping[str, Json], now_us: int, version: int | None = None
    ) -> State:
        """Set what is desired, if `version` is the one held (None does not ask).

        Raises:
            Conflict: Somebody changed it since that version.
            NotFound: No such device.
        """
        ...

    def report(self, thing_id: int, reported: Mapping[str, Json], at_us: int) -> State | None:
        """Merge what a device reports (RFC 7396); None when it is older than what is held."""
        ...

    def untold(self) -> Sequence[int]:
        """Return the Things whose desired state the door does not have yet."""
        ...

    def told(self, thing_id: int, version: int) -> None:
        """Know that the door has a version of the desired state."""
        ...
