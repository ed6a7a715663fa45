"""The one hub of a catalog in PostgreSQL: a lock that a connection of its own holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from penstock.core.errors import Conflict

#: How the server notices that a hub's machine, or the way to it, is gone: it asks after 5 s of
#: silence, and twice more.
_NOTICE = (
    "SELECT set_config('tcp_keepalives_idle', '5', false), "
    "set_config('tcp_keepalives_interval', '3', false), "
    "set_config('tcp_keepalives_count', '2', false)"
)
#: How long a hub that is gone may hold the lock, until the server has noticed; seconds.
_PATIENCE_S = 15.0
_AGAIN_S = 0.1
#: The connection is believed to be there so long after it answered, seconds.
_BELIEVED_S = 1.0

_KEY = "hashtextextended('penstock hub ' || current_schema(), 0)"
_TAKE = f"SELECT pg_try_advisory_lock({_KEY})"
#: Who holds it: a lock of 64 bits is listed in two halves.
_HOLDER = (
    "SELECT coalesce(host(client_addr), 'this machine') || ', since ' "  # noqa: S608 - constants
    "|| backend_start::timestamp(0) FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    f"AND (classid::bigint << 32 | objid::bigint) = {_KEY}"
)


class Owner:
    """Holds the lock, and takes it again when the server was away. For the thread that writes.

    Args:
        connect: Opens a connection.
        patience_s: How long to wait for a hub that ends; None is `_PATIENCE_S`.
    """

    def __init__(self, connect: Callable[[], Any], patience_s: float | None = None) -> None:
        self._connect = connect
        self._patience_s = _PATIENCE_S if patience_s is None else patience_s
        self._held: Any = None
        self._heard_s = 0.0

    def take(self) -> None:
        """Take the lock.

        Raises:
            Conflict: Another hub has it.
        """
        connection = self._connect()
        try:
            connection.execute(_NOTICE)
            self._wait(connection)
        except BaseException:
            connection.close()
            raise
        self._held = connection
        self._heard_s = time.monotonic()

    def _wait(self, connection: Any) -> None:
        until_s = time.monotonic() + self._patience_s
        while not connection.execute(_TAKE).fetchone()[0]:
            if time.monotonic() > until_s:
                raise _taken(connection.execute(_HOLDER).fetchone())
            time.sleep(_AGAIN_S)

    def check(self) -> None:
        """See that the lock is still held; who lost it has to take it before anything is written.

        Raises:
            Conflict: Another hub has it now.
        """
        if time.monotonic() - self._heard_s < _BELIEVED_S:
            return
        try:
            self._held.execute("")
        except Exception:  # whatever became of it, it holds no lock any more
            self.release()
            self.take()
        self._heard_s = time.monotonic()

    def doubt(self) -> None:
        """Ask the server at the next `check`: another connection was made, so one may be lost."""
        self._heard_s = 0.0

    def release(self) -> None:
        """Give the lock back. Safe to call twice."""
        held, self._held = self._held, None
        if held is not None:
            held.close()


def _taken(holder: tuple[str] | None) -> Conflict:
    who = f" ({holder[0]})" if holder else ""
    msg = (
        f"another hub works with this catalog{who}, and a catalog has one; stop that one, or name "
        "another database in catalog.url"
    )
    return Conflict(msg)
