"""From the log into the store: routes, decoding, enrolment, dead letters, the live hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.lazy import lazily
from penstock.ingest.settings import DEFAULT_ROUTES, IngestSettings, Route

if TYPE_CHECKING:
    from penstock.ingest.dead_letters import RESERVED
    from penstock.ingest.ingest import Ingest
    from penstock.ingest.live import LiveHub

__all__ = ["DEFAULT_ROUTES", "RESERVED", "Ingest", "IngestSettings", "LiveHub", "Route"]

__getattr__ = lazily(
    __name__,
    {
        "RESERVED": "penstock.ingest.dead_letters",
        "Ingest": "penstock.ingest.ingest",
        "LiveHub": "penstock.ingest.live",
    },
)
