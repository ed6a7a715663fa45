"""Connections for reading: a few, shared by all threads, made anew when the server was away."""

from __future__ import annotations

import threading

import pyarrow as pa

from penstock.core.errors import NotConnected
from penstock.stores.postgres import faults
from penstock.stores.postgres.session import Session, driver_error


class Readers:
    """Answers queries of any thread; each sees one state of the database.

    Args:
        url: Address.
        most: Connections at once; who comes when all are in use waits.
    """

    def __init__(self, url: str, most: int) -> None:
        self._url = url
        self._free = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._is_closed = False

    def fetch(self, query: str) -> pa.Table:
        """Return what a query answers; asks again once when the connection turns out to be gone.

        Raises:
            NotConnected: The server is away, or this is closed.
            Backpressure: It is busy.
        """
        with self._free:
            try:
                return self._fetch(query)
            except driver_error() as error:
                if not faults.is_gone(error):
                    raise faults.explained(error, self._url) from error
                # The others ended with it.
                self._forget()
            try:
                return self._fetch(query)
            except driver_error() as error:
                raise faults.explained(error, self._url) from error

    def _fetch(self, query: str) -> pa.Table:
        session = self._take()
        try:
            table = session.fetch(query)
        except BaseException as error:
            if isinstance(error, driver_error()) and not faults.is_gone(error):
                self._put(session)
            else:
                session.close()
            raise
        self._put(session)
        return table

    def close(self) -> None:
        """End the connections. Safe to call twice."""
        with self._lock:
            self._is_closed = True
        self._forget()

    def _take(self) -> Session:
        with self._lock:
            if self._is_closed:
                raise closed()
            if self._idle:
                return self._idle.pop()
        return Session.open(self._url, autocommit=True, default_transaction_read_only="on")

    def _put(self, session: Session) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(session)
                return
        session.close()

    def _forget(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()


def closed() -> NotConnected:
    """Return the error of a store that was closed."""
    return NotConnected("the store is closed; open it again")
