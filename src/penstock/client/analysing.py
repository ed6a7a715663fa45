"""The client as an analyst sees it: find, read, downsample, follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from penstock.client.reading import Chosen, Reader, when
from penstock.client.settings import ClientSettings
from penstock.client.things import Datastream
from penstock.core.clock import Clock

if TYPE_CHECKING:
    from penstock.client.following import Observation
    from penstock.client.observations import Observations


class Analysing:
    """What `Client` can do for analysts; needs no registration, and no MQTT."""

    settings: ClientSettings
    _reader: Reader
    _clock: Clock

    def datastreams(self, search: str = "") -> list[Datastream]:
        """Return the Datastreams in whose names, units or properties all words occur."""
        return self._reader.datastreams(search)

    def observations(
        self,
        datastreams: Chosen | Iterable[Chosen],
        start: object = None,
        end: object = None,
        *,
        every: str | None = None,
    ) -> Observations:
        """Return observations, to be had as Arrow, pandas or polars; read when asked for.

        Args:
            datastreams: Names, ids or Datastreams.
            start: First time wanted: as in `produce`, or `now-1h`, or 2026-01.
            end: First time not wanted any more.
            every: Width of buckets (10s, 1m, 1h, 1d), to read less.

        Raises:
            NotFound: There is no such Datastream.
        """
        return self._reader.observations(datastreams, start, end, every, self._clock.now_us())

    def latest(self, datastreams: Chosen | Iterable[Chosen] = "*") -> list[Observation]:
        """Return the newest observation of each, of those that have any; "*" is all there are."""
        from penstock.client.following import Observation, result_of

        if datastreams == "*":
            streams = self._reader.datastreams(include="latest")
        else:
            streams = self._reader.choose(datastreams, include="latest")
        return [
            Observation(s, s.latest.time_us, result_of(s, s.latest.number, s.latest.text))
            for s in streams
            if s.latest is not None
        ]

    def count(self, datastreams: Chosen | Iterable[Chosen] = "*") -> int:
        """Return how many observations there are; "*" is all."""
        if datastreams == "*":
            streams = self._reader.datastreams(include="count")
        else:
            streams = self._reader.choose(datastreams, include="count")
        return sum(stream.count or 0 for stream in streams)

    def follow(
        self, datastreams: Chosen | Iterable[Chosen], start: object = None
    ) -> Iterator[Observation]:
        """Give what is stored since `start`, then each new observation, without end.

        After a broken connection it goes on where it was. An observation whose result changes
        comes again.
        """
        from penstock.client.following import Follower

        start_us = when(start, self._clock.now_us())
        streams = self._reader.choose(datastreams)
        return iter(Follower(self._reader.web, streams, start_us, self.settings.max_retry_s, 60.0))
