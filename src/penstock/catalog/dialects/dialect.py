"""What a database has to bring to keep a catalog. What it says otherwise in SQL is in `words`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from penstock.core.errors import PenstockError

#: Enough for every statement form of the catalog; each costs a few kilobytes.
STATEMENT_CACHE_SIZE = 200


class Dialect(Protocol):
    """How a database is opened, written to by one at a time, and understood when it refuses."""

    @property
    def engine(self) -> Engine:
        """The connections. Those not begun by `begin_writing` read one moment of the database."""
        ...

    def own(self) -> None:
        """Become the only hub of this catalog, until `close`; other programs may go on.

        Raises:
            Conflict: Another hub is.
        """
        ...

    def close(self) -> None:
        """End every connection."""
        ...

    def writing(
        self, connection: Connection, *, durable: bool
    ) -> AbstractContextManager[Connection]:
        """Make a connection, on which nothing has begun, the only one that writes.

        What was done is on disk when the block ends; without `durable` soon after.
        """
        ...

    def rebuilding(self, connection: Connection) -> AbstractContextManager[Connection]:
        """Make a connection the only one that writes, to change tables."""
        ...

    def complete(self, connection: Connection) -> None:
        """Make what belongs to the tables and is no table; called while tables are changed."""
        ...

    def is_complete(self, connection: Connection) -> bool:
        """Tell whether everything is there that `complete` makes."""
        ...

    def last_id(self, connection: Connection, table: str) -> int:
        """Return the highest id that a row of a table ever had, 0 if there was none."""
        ...

    def ours(self, error: DBAPIError) -> PenstockError | None:
        """Return what the driver says in our words; None where it says nothing special."""
        ...
