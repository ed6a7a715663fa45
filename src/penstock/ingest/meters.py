"""What ingest counts: counters, rates over the last seconds, histograms for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from penstock.core.clock import Clock

#: Rates are taken over this many seconds.
RATE_WINDOW_S = 10.0
#: Seconds between two samples for the rates.
_SAMPLE_S = 0.5


class Histogram:
    """Counts values in buckets, many at once.

    Args:
        name: Prometheus name.
        text: What is counted.
        bounds: Upper bounds of the buckets, ascending.
    """

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self.name = name
        self.text = text
        self._bounds = np.array(bounds)
        self._list = list(bounds)
        self._counts = np.zeros(len(bounds) + 1, np.int64)
        self._sum = 0.0

    def add(
        self, values: npt.NDArray[np.float64], weights: npt.NDArray[np.int64] | None = None
    ) -> None:
        """Count values, each as often as its weight says."""
        bucket = np.searchsorted(self._bounds, values)
        counts = np.bincount(bucket, weights, minlength=len(self._counts))
        self._counts = self._counts + counts.astype(np.int64)
        self._sum += float(values.sum() if weights is None else (values * weights).sum())

    def add_one(self, value: float, weight: int = 1) -> None:
        """Count one value, as often as `weight` says."""
        self._counts[bisect_left(self._list, value)] += weight
        self._sum += value * weight

    def metric(self) -> HistogramMetricFamily:
        """Return the state for Prometheus."""
        labels = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        counts = np.cumsum(self._counts).tolist()
        buckets = list(zip(labels, counts, strict=True))
        return HistogramMetricFamily(self.name, self.text, buckets=buckets, sum_value=self._sum)


class Rate:
    """Events per second over the last `RATE_WINDOW_S`.

    Args:
        clock: Tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque([(clock.monotonic_s(), 0)])

    def sample(self, total: int) -> None:
        """Note the total until now; called often."""
        now_s = self._clock.monotonic_s()
        if now_s - self._samples[-1][0] < _SAMPLE_S:
            return
        self._samples.append((now_s, total))
        while len(self._samples) > 2 and now_s - self._samples[1][0] > RATE_WINDOW_S:
            self._samples.popleft()

    def per_s(self, total: int) -> float:
        """Return the rate now."""
        now_s = self._clock.monotonic_s()
        samples = list(self._samples)
        recent = [s for s in samples if now_s - s[0] <= RATE_WINDOW_S] or samples[-1:]
        since_s, before = recent[0]
        return (total - before) / max(now_s - since_s, _SAMPLE_S)


class Meters(Collector):
    """Everything that ingest counts.

    Args:
        clock: Tells the time.
        registry: Where the histograms are offered; None for nowhere.
    """

    def __init__(self, clock: Clock, registry: CollectorRegistry | None = None) -> None:
        self._clock = clock
        self.received = 0
        self.stored = 0
        self.failed = 0
        self.observations = 0
        self.batches = 0
        self.corrupt = 0
        self.replayed = 0
        self._message_rate = Rate(clock)
        self._observation_rate = Rate(clock)
        self._batch_size = Histogram(
            "penstock_ingest_batch_size", "Messages per batch.", [4.0**n for n in range(10)]
        )
        self._duration = Histogram(
            "penstock_ingest_processing_duration_seconds",
            "From reading a batch to its observations being stored.",
            [0.001 * 2**n for n in range(15)],
        )
        self._latency = Histogram(
            "penstock_ingest_e2e_latency_seconds",
            "From the arrival of a message to its observations being stored.",
            [0.01 * 2**n for n in range(12)],
        )
        if registry is not None:
            registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Return the histograms; called by Prometheus."""
        return [h.metric() for h in (self._batch_size, self._duration, self._latency)]

    def batch(
        self,
        messages: int,
        rejected: int,
        rows: int,
        seconds: float,
        arrived_us: npt.NDArray[np.int64],
    ) -> None:
        """Count a batch of new messages.

        Args:
            messages: How many.
            rejected: How many of them became dead letters.
            rows: Observations stored.
            seconds: How long it took.
            arrived_us: When the messages arrived.
        """
        self.received += messages
        self.stored += messages - rejected
        self.failed += rejected
        self.observations += rows
        self.batches += 1
        self._batch_size.add_one(messages)
        self._duration.add_one(seconds)
        if messages:
            self._add_latency(arrived_us)
        self.sample()

    def _add_latency(self, arrived_us: npt.NDArray[np.int64]) -> None:
        now_us = self._clock.now_us()
        if arrived_us[0] == arrived_us[-1]:
            self._latency.add_one((now_us - int(arrived_us[0])) / 1e6, len(arrived_us))
            return
        run = np.flatnonzero(np.diff(arrived_us, prepend=arrived_us[0] - 1))
        counts = np.diff(run, append=len(arrived_us))
        self._latency.add((now_us - arrived_us[run]) / 1e6, counts)

    def sample(self) -> None:
        """Note the totals for the rates; called often, also when nothing comes."""
        self._message_rate.sample(self.received)
        self._observation_rate.sample(self.observations)

    @property
    def messages_per_s(self) -> float:
        """Messages handled per second, lately."""
        return self._message_rate.per_s(self.received)

    @property
    def observations_per_s(self) -> float:
        """Observations stored per second, lately."""
        return self._observation_rate.per_s(self.observations)

    def stats(self) -> dict[str, float]:
        """Return counters and rates by their Prometheus names."""
        return {
            "penstock_ingest_messages_received_total": self.received,
            "penstock_ingest_messages_stored_total": self.stored,
            "penstock_ingest_messages_failed_total": self.failed,
            "penstock_ingest_messages_replayed_total": self.replayed,
            "penstock_ingest_observations_total": self.observations,
            "penstock_ingest_batches_total": self.batches,
            "penstock_ingest_corrupt_blocks_total": self.corrupt,
            "penstock_ingest_messages_per_second": self.messages_per_s,
            "penstock_ingest_observations_per_second": self.observations_per_s,
        }
