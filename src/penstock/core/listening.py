"""The listener contract: messages that are not observations, handed on by ingest in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

#: Client identifiers of the platform's own connections begin with it, and nobody else's do.
PLATFORM_CLIENT = "$penstock"
#: The hub's own connection to the door; what it publishes is for devices and is not taken in.
HUB_CLIENT = f"{PLATFORM_CLIENT}/hub"
#: Client identifier of the connection that brings what stream apps say.
APPS_CLIENT = f"{PLATFORM_CLIENT}/apps"
#: Client identifier of the connection that brings what is told of alarms.
ALARMS_CLIENT = f"{PLATFORM_CLIENT}/alarms"


class Kind(StrEnum):
    """What a listener hears; names of routes, in the place of a codec.

    Patterns of such routes may capture `device`, or `serial`; else the topic tells which it is.
    """

    #: A device says what it is (`sensor.{serial}.registry.created`).
    REGISTRY = "device_registry"
    #: Lines of a device's log.
    LOGS = "device_logs"
    #: A device says in which state it is.
    STATE = "device_state"
    #: A device says what became of a command; `task` may be captured.
    ANSWER = "device_answer"
    #: What the door says: who comes and goes.
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Heard:
    """Messages in columns of equal length, in the order of the log.

    Attributes:
        topics: Topic of each, as it was published to.
        paths: The same without the name of a system in front.
        systems: The system that owns each topic.
        prefixes: What names of that system's devices begin with; "" for the default one.
        payloads: Payload of each.
        arrived_us: When each arrived, microseconds UTC.
        clients: Who sent each.
        fields: What the route's pattern captured from each topic.
        correlations: MQTT 5.0 correlation data of each, empty where it has none; none at all when
            they are not known.
    """

    topics: Sequence[str]
    paths: Sequence[str]
    systems: Sequence[int]
    prefixes: Sequence[str]
    payloads: Sequence[bytes]
    arrived_us: Sequence[int]
    clients: Sequence[str]
    fields: Sequence[Mapping[str, str]]
    correlations: Sequence[bytes] = ()

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.payloads)


class Unheard(msgspec.Struct, frozen=True):
    """A message that says nothing to the listener; it goes to the dead letters.

    Attributes:
        message: Its index among those heard.
        reason: What is wrong, for a person.
        device: Name of the device that is not enrolled, when that is the reason: the message is
            heard again once it is.
    """

    message: int
    reason: str
    device: str = ""


class Sighting(NamedTuple):
    """The newest message of a batch that gave a Datastream results."""

    datastream: int
    arrived_us: int
    client: str
    topic: str
    codec: str


class Listener(Protocol):
    """Hears what devices say beside their results. Called by one thread."""

    def hear(self, kind: Kind, heard: Heard) -> Sequence[Unheard]:
        """Take messages; durable when it returns, and harmless when they come again.

        Raises:
            Backpressure: Nothing was taken; the same messages come again.
            NotConnected: The same.
        """
        ...

    def saw(self, sightings: Sequence[Sighting]) -> None:
        """Learn who sent results; quick, and called only for results that are kept."""
        ...
