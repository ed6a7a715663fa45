from __future__ import annotations

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from penstock.core.clock import ManualClock
from penstock.ingest.meters import Histogram, Meters, Rate


def test_a_histogram_counts_up_to_and_including_its_bounds():
    histogram = Histogram("h", "text", [1.0, 10.0])
    histogram.add(np.array([0.5, 1.0, 1.5, 10.0, 11.0]))
    histogram.add(np.array([2.0]), np.array([3]))
    histogram.add_one(2.0)
    metric = histogram.metric()
    found = {s.labels.get("le", s.name): s.value for s in metric.samples}
    assert found == {"1": 2, "10": 8, "+Inf": 9, "h_count": 9, "h_sum": pytest.approx(32.0)}


def test_a_rate_is_over_the_last_ten_seconds():
    clock = ManualClock()
    rate = Rate(clock)
    for second in range(1, 21):
        clock.advance(1)
        rate.sample(100 * second)
    assert rate.per_s(2000) == pytest.approx(100)
    clock.advance(30)
    rate.sample(2000)
    assert rate.per_s(2000) == 0


def test_latency_is_counted_for_every_message_of_a_batch():
    clock = ManualClock()
    registry = CollectorRegistry()
    meters = Meters(clock, registry)
    now_us = clock.now_us()
    arrived = np.array([now_us - 5_000_000] * 3 + [now_us - 15_000] * 2)
    meters.batch(5, 1, 12, 0.25, arrived)
    text = generate_latest(registry).decode()
    assert 'penstock_ingest_e2e_latency_seconds_bucket{le="0.02"} 2.0' in text
    assert "penstock_ingest_e2e_latency_seconds_count 5.0" in text
    assert 'penstock_ingest_batch_size_bucket{le="4"} 0.0' in text
    assert 'penstock_ingest_batch_size_bucket{le="16"} 1.0' in text
    assert "penstock_ingest_processing_duration_seconds_sum 0.25" in text
    stats = meters.stats()
    assert stats["penstock_ingest_messages_received_total"] == 5
    assert stats["penstock_ingest_messages_stored_total"] == 4
    assert stats["penstock_ingest_messages_failed_total"] == 1
    assert stats["penstock_ingest_observations_total"] == 12


def test_ingest_offers_everything_it_counts(plant):
    ingest = plant.open()
    plant.ingested(("a", "x=1@1"), ("a", "junk"))
    stats = ingest.stats()
    assert stats["penstock_ingest_messages_received_total"] == 2
    assert stats["penstock_ingest_messages_failed_total"] == 1
    assert stats["penstock_ingest_dead_letters"] == 1
    assert stats["penstock_ingest_lag_seconds"] == 0
    assert all(name.startswith("penstock_") for name in stats)
