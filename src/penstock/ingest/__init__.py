"""From the log into the store: routes, decoding, enrolment, dead letters, the live hub."""

from penstock.ingest.dead_letters import RESERVED
from penstock.ingest.ingest import Ingest
from penstock.ingest.live import LiveHub
from penstock.ingest.settings import DEFAULT_ROUTES, IngestSettings, Route

__all__ = ["DEFAULT_ROUTES", "RESERVED", "Ingest", "IngestSettings", "LiveHub", "Route"]
