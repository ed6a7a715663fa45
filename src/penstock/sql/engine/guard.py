"""Tells before a query runs whether the database takes it: it is run over nothing."""

from __future__ import annotations

import threading

from penstock.core.access import EVERYTHING
from penstock.core.errors import InvalidQuery, TooMuch
from penstock.core.observation import SCHEMA
from penstock.sql.engine.duck import Duck, duck_of, timestamp
from penstock.sql.engine.inputs import relations_of
from penstock.sql.engine.picture import Picture
from penstock.sql.plan import Plan
from penstock.sql.settings import SqlSettings


class Guard:
    """Refuses queries that would fail when they run. Safe to call from any thread.

    Args:
        settings: How much memory and time it may take.
    """

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._duck: Duck | None = None
        self._nothing = Picture([], str)

    def check(self, plan: Plan) -> None:
        """Do nothing if the database takes a plan.

        Raises:
            InvalidQuery: It does not, and says why.
        """
        parts = {one.relation: SCHEMA.empty_table() for one in plan.inputs}
        relations = relations_of(plan, parts, self._nothing)
        relations |= {name: self._nothing.table(name, EVERYTHING) for name in plan.tables}
        bounds = {"start": timestamp(0), "end": timestamp(1)}
        parameters = {name: at for name, at in bounds.items() if f"${name}" in plan.sql}
        with self._lock:
            if self._duck is None:
                self._duck = duck_of(self._settings, self._settings.max_slice_s)
            try:
                self._duck.run(plan.sql, relations, parameters)
            except (InvalidQuery, TooMuch) as error:
                msg = f"the database does not take this query: {error}; write it more simply"
                raise InvalidQuery(msg) from error

    def close(self) -> None:
        """Release what it runs in."""
        with self._lock:
            if self._duck is not None:
                self._duck.close()
                self._duck = None
