"""What the API may ask of the running platform, beside its store, catalog and live hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec


class Check(msgspec.Struct, frozen=True):
    """One line of the health report.

    Attributes:
        name: What was looked at: `door`, `log`, `ingest`, `store`, `catalog`, `disk`.
        ok: Whether it works.
        message: What is wrong and what to do, or one line of good news.
    """

    name: str
    ok: bool
    message: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the platform at one moment.

    Attributes:
        ready: Messages are taken in, stored and can be queried.
        checks: One per part.
        connections: MQTT clients connected now.
        messages_per_s: Messages taken in per second, over the last ten seconds.
        observations_per_s: Observations stored per second, over the last ten seconds.
        lag_messages: Messages in the log that are not in the store yet.
        lag_s: Age in seconds of the oldest of those; 0 when there are none.
        messages_total: Messages in the log since it began, the platform's own among them.
        observations_total: Observations in the store, as counted up to a second ago or, when
            much comes late, a little longer.
        datastreams_total: Datastreams in the catalog.
        dead_letters: Messages that could not be decoded and wait.
        devices_pending: Devices that wait for approval.
        started_us: When the platform started, microseconds UTC.
        version: Of Penstock.
    """

    ready: bool
    checks: Sequence[Check]
    connections: int
    messages_per_s: float
    observations_per_s: float
    lag_messages: int
    lag_s: float
    messages_total: int
    observations_total: int
    datastreams_total: int
    dead_letters: int
    devices_pending: int
    started_us: int
    version: str


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that could not become observations, with the reason.

    Attributes:
        id: Position in the dead letters, ascending; the handle for paging.
        topic: Its topic.
        payload: Its payload, as it came.
        client: Who sent it.
        arrived_us: When it came, microseconds UTC.
        partition: Log partition that holds it.
        offset: Its offset there.
        codec: The codec that tried, or "" when no route matched.
        reason: Why it could not be decoded or stored.
    """

    id: int
    topic: str
    payload: bytes
    client: str
    arrived_us: int
    partition: str
    offset: int
    codec: str
    reason: str


class Replayed(msgspec.Struct, frozen=True):
    """Outcome of a replay: messages read again, observations kept, messages that failed again."""

    messages: int
    observations: int
    failed: int


class Arrival(msgspec.Struct, frozen=True):
    """A message that came by MQTT, with its place in the log and when it came (UTC)."""

    offset: int
    topic: str
    payload: bytes
    arrived_us: int


class Arrived(msgspec.Struct, frozen=True):
    """Messages in order of arrival.

    Attributes:
        items: Those that were wanted.
        next: Offset to go on with.
        first: Offset of the oldest message that is kept; what came before is gone.
        end: Offset behind the newest; nothing more is there when `next` has come to it.
    """

    items: Sequence[Arrival]
    next: int
    first: int
    end: int


class Platform(Protocol):
    """The running platform."""

    def health(self) -> Health:
        """Return the state now; cheap enough to be asked every second."""
        ...

    def doors(self) -> Mapping[str, tuple[str, int]]:
        """Return host and port of the MQTT door by scheme (`mqtt`, `mqtts`, `ws`, `wss`).

        Empty while the door is not there.
        """
        ...

    def stats(self) -> Mapping[str, float]:
        """Return every counter and gauge by its Prometheus name; counters end in `_total`."""
        ...

    @property
    def refused(self) -> int:
        """How many messages became dead letters since the start, whoever sent them."""
        ...

    async def publish(self, messages: Sequence[tuple[str, bytes]], client: str) -> int:
        """Put (topic, payload) pairs into the log and return the offset behind the last.

        When it returns they are on disk. They are ingested like messages that came by MQTT.

        Raises:
            InvalidInput: A topic cannot be published to; nothing was kept.
            Backpressure: No space, or too much is waiting; nothing was kept.
        """
        ...

    def arrived(self, offset: int | None, is_wanted: Callable[[str], bool], most: int) -> Arrived:
        """Return messages that came by MQTT, from an offset on, whose topic is wanted.

        It may return fewer than `most`, or none, before the end: only so much of the log is read
        in one call. Waits for the disk.

        Args:
            offset: The first one; None, or one behind the end, for where the log ends now.
            is_wanted: Tells for a topic; asked once for each.
            most: How many at most, at least 1.
        """
        ...

    async def ingested(self, offset: int, timeout_s: float) -> bool:
        """Wait until what `publish` returned is in the store and return whether it is.

        What was refused of it is in the dead letters then, and counted in `refused`.
        """
        ...

    async def all_ingested(self, timeout_s: float) -> bool:
        """Wait until all that is in the log now, whoever sent it, is in the store.

        Returns whether it is.
        """
        ...

    def dead_letters(self, after: int = 0, limit: int = 100) -> Sequence[DeadLetter]:
        """Return waiting dead letters by ascending id, those behind `after`."""
        ...

    async def replay_dead_letters(self) -> Replayed:
        """Ingest all waiting dead letters again with today's routes; what fails waits again."""
        ...

    async def discard_dead_letters(self) -> int:
        """Drop all waiting dead letters and return how many."""
        ...

    async def replay_log(
        self, partition: str, from_offset: int, until_offset: int | None = None
    ) -> Replayed:
        """Ingest a range of the log again with today's routes; harmless for what is stored.

        Raises:
            NotFound: No such partition.
            InvalidInput: The range is empty or begins before the first kept message.
        """
        ...
