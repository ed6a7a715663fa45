"""Look whether a server can be reached, without touching anything."""

from __future__ import annotations

from penstock.stores.postgres import faults
from penstock.stores.postgres.session import Session, driver_error


def probe(url: str) -> str:
    """Say what is at an address.

    Raises:
        MissingDependency: The driver is not installed.
        PenstockError: As `faults.explained`: it is away, or it refuses.
    """
    try:
        session = Session.open(url, autocommit=True)
    except ImportError:
        raise
    except driver_error() as error:
        raise faults.explained(error, url) from error
    try:
        version = session.value("SELECT current_setting('server_version')")
        timescale = session.value(
            "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
        )
    except driver_error() as error:
        raise faults.explained(error, url) from error
    finally:
        session.close()
    extension = f" with TimescaleDB {timescale}" if timescale else ""
    return f"{faults.shown(url)}, version {version}{extension}"
