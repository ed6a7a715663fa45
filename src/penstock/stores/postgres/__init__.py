"""Observations in PostgreSQL, or in TimescaleDB where that extension is installed."""

from penstock.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
