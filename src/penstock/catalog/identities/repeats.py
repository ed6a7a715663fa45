"""Answers to requests that may come twice."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from penstock.catalog.database import Database
from penstock.catalog.organisation_models import Repeatable
from penstock.core.clock import Clock
from penstock.core.people import Repeated

#: How long an answer is kept, in microseconds.
KEPT_US = 86_400_000_000


class SqlRepeats:
    """See `core.identity.Repeats`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def claim(self, digest: str, request_digest: str) -> Repeated | None:
        """Return the answer given before; None means that this is the first time."""
        now_us = self._clock.now_us()
        query = select(Repeatable).where(Repeatable.digest == digest)
        with self._database.write() as connection:
            connection.execute(delete(Repeatable).where(Repeatable.created_us <= now_us - KEPT_US))
            held = connection.execute(query).first()
            if held is not None:
                return Repeated(held.request_digest, held.status, held.body)
            connection.execute(
                insert(Repeatable).values(
                    digest=digest,
                    request_digest=request_digest,
                    status=0,
                    body="",
                    created_us=now_us,
                )
            )
        return None

    def settle(self, digest: str, status: int, body: str) -> None:
        """Keep the answer for a day."""
        with self._database.write() as connection:
            connection.execute(
                update(Repeatable)
                .where(Repeatable.digest == digest)
                .values(status=status, body=body)
            )

    def release(self, digest: str) -> None:
        """Forget that the request ever came, since it failed."""
        with self._database.write() as connection:
            connection.execute(delete(Repeatable).where(Repeatable.digest == digest))
