"""What the API counts about itself, for `/metrics`."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

#: Methods that are counted by name; a client can invent others without end.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


class Meters:
    """Counters and gauges of one application.

    Args:
        registry: Where they are shown.
        streams: Tells how many live streams are open.
    """

    def __init__(self, registry: CollectorRegistry, streams: Callable[[], float]) -> None:
        self._requests = Counter(
            "penstock_api_requests",
            "Requests answered.",
            ["method", "status"],
            registry=registry,
        )
        gauge = Gauge("penstock_api_streams", "Live streams that are open.", registry=registry)
        gauge.set_function(streams)

    def count(self, method: str, status: int) -> None:
        """Count one answer."""
        self._requests.labels(method if method in METHODS else "other", str(status)).inc()
