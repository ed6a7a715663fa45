"""DuckDB, shut off from everything but the relations that it is given."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from penstock.core.errors import InvalidQuery, TooMuch

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
#: Rows taken from an answer at a time.
BATCH_ROWS = 2048
#: Times that Python and DuckDB both know, microseconds.
_FIRST_US = -62_135_596_800_000_000
_LAST_US = 253_402_300_799_999_999


class Duck:
    """One connection of its own, in memory, without files, extensions and settings.

    Not for several threads at once, but for `interrupt`. Loads DuckDB when it is made.

    Args:
        memory_bytes: What it may take.
        threads: How many it may use.
        is_ordered: Whether rows stay in the order of an inner `ORDER BY`.
    """

    def __init__(self, memory_bytes: int, threads: int, *, is_ordered: bool = False) -> None:
        # They take time and memory that only queries need.
        import duckdb

        from penstock.sql.functions import register

        self._errors = duckdb
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{memory_bytes}B",
                "threads": str(threads),
                "temp_directory": "",
                "python_enable_replacements": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "preserve_insertion_order": "true" if is_ordered else "false",
            },
        )
        register(self._connection)
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    @property
    def connection(self) -> Any:
        """The connection, for functions to be registered in."""
        return self._connection

    def run(
        self,
        sql: str,
        relations: Mapping[str, pa.Table],
        parameters: Mapping[str, object],
        max_bytes: int | None = None,
    ) -> pa.Table:
        """Answer a statement over relations; an answer of more than `max_bytes` is `TooMuch`.

        Raises:
            InvalidQuery: DuckDB does not take it, or a value in it cannot be computed.
            TooMuch: It takes more memory than allowed, or was interrupted.
        """
        names: list[str] = []
        try:
            for name, rows in relations.items():
                self._connection.register(name, rows)
                names.append(name)
            answer = self._connection.sql(sql, params=dict(parameters) or None)
            if answer is None:
                raise InvalidQuery("this is not a question; write one SELECT")
            table = _collected(answer, max_bytes)
        except (self._errors.OutOfMemoryException, MemoryError) as error:
            msg = (
                f"it takes more memory than sql.memory_bytes allows: {first_line(error)}; set it "
                "higher (sql.question_memory_bytes for a question), or take shorter windows or "
                "fewer sources"
            )
            raise TooMuch(msg) from error
        except self._errors.InterruptException as error:
            raise TooMuch("it was interrupted, for it took too long") from error
        except self._errors.Error as error:
            raise InvalidQuery(first_line(error)) from error
        else:
            return table
        finally:
            for name in names:
                with contextlib.suppress(self._errors.Error):
                    self._connection.unregister(name)

    def interrupt(self) -> None:
        """End the statement at hand; callable from any thread."""
        self._connection.interrupt()

    def close(self) -> None:
        """Release it."""
        self._connection.close()


class Deadline:
    """Interrupts a connection when a time has passed; a context.

    Args:
        duck: What is interrupted.
        seconds: After how long.
    """

    def __init__(self, duck: Duck, seconds: float) -> None:
        self._timer = threading.Timer(seconds, duck.interrupt)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def _collected(answer: Any, max_bytes: int | None) -> pa.Table:
    """Return all rows of an answer; they lie outside of what DuckDB counts as its memory."""
    if max_bytes is None:
        return answer.to_arrow_table()
    reader = answer.to_arrow_reader(BATCH_ROWS)
    batches, size = [], 0
    for batch in reader:
        size += batch.nbytes
        if size > max_bytes:
            msg = f"the answer has more than {max_bytes} bytes; ask for fewer rows or shorter texts"
            raise TooMuch(msg)
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)


def timestamp(time_us: int) -> datetime:
    """Return a time as a parameter of type TIMESTAMP; those out of range become the nearest."""
    return _EPOCH + timedelta(microseconds=min(max(time_us, _FIRST_US), _LAST_US))


def first_line(error: BaseException) -> str:
    """Return what is wrong, without the drawing below it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]
