"""DuckDB, shut off from everything but the relations that it is given."""

from __future__ import annotations

import contextlib
import functools
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from penstock.core.errors import InvalidQuery, TooMuch
from penstock.sql.settings import MAX_LIST, SqlSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
#: Rows taken from an answer at a time.
BATCH_ROWS = 2048
#: Seconds between two tries to end a statement whose time is over.
AGAIN_S = 0.05
#: What holds no parameters: comments, texts and names.
_QUOTED = re.compile(r"""/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*\"""", re.DOTALL)
_PARAMETER = re.compile(r"\$(start|end)\b")
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
        max_list: Characters that `LISTAGG` may give.
        max_s: Seconds that a statement may take; None for no limit.
    """

    def __init__(
        self,
        memory_bytes: int,
        threads: int,
        *,
        is_ordered: bool = False,
        max_list: int = MAX_LIST,
        max_s: float | None = None,
    ) -> None:
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
        register(self._connection, max_list)
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")
        self._watch = None if max_s is None else _Watch(self._connection.interrupt, max_s)

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
            TooSlow: It takes longer than allowed.
            TooMuch: It takes more memory than allowed, or was interrupted.
        """
        names: list[str] = []
        watch = self._watch
        if watch is not None:
            watch.begin()
        try:
            for name, rows in relations.items():
                self._connection.register(name, rows)
                names.append(name)
            answer = self._connection.sql(sql, params=dict(parameters) or None)
            if answer is None:
                raise InvalidQuery("this is not a question; write one SELECT")
            table = self._collected(answer, max_bytes)
        except (self._errors.OutOfMemoryException, MemoryError) as error:
            msg = (
                f"it takes more memory than sql.memory_bytes allows: {first_line(error)}; set it "
                "higher (sql.question_memory_bytes for a question), or take shorter windows or "
                "fewer sources"
            )
            raise TooMuch(msg) from error
        except self._errors.InterruptException as error:
            if watch is not None and watch.is_over:
                msg = (
                    f"a slice of it takes longer than {watch.max_s:g} s (sql.max_slice_s); take "
                    "shorter windows or fewer sources, or set it higher"
                )
                raise TooSlow(msg) from error
            raise TooMuch("it was interrupted, for it took too long") from error
        except self._errors.Error as error:
            raise InvalidQuery(first_line(error)) from error
        else:
            return table
        finally:
            if watch is not None:
                watch.end()
            for name in names:
                with contextlib.suppress(self._errors.Error):
                    self._connection.unregister(name)

    def _collected(self, answer: Any, max_bytes: int | None) -> pa.Table:
        """Return all rows of an answer; they lie outside of what DuckDB counts as its memory."""
        if max_bytes is None:
            return answer.to_arrow_table()
        batches, size = [], 0
        try:
            reader = answer.to_arrow_reader(BATCH_ROWS)
            for batch in reader:
                size += batch.nbytes
                if size > max_bytes:
                    msg = (
                        f"the answer has more than {max_bytes} bytes; ask for fewer rows or shorter"
                        " texts"
                    )
                    raise TooMuch(msg)
                batches.append(batch)
        except (OSError, pa.ArrowException) as error:
            raise self._meant(error) from error
        return pa.Table.from_batches(batches, reader.schema)

    def _meant(self, error: Exception) -> Exception:
        """Return the error of DuckDB that Arrow tells in words of its own."""
        said = str(error).lower()
        if said.startswith("interrupt"):
            return self._errors.InterruptException(str(error))
        if said.startswith("out of memory"):
            return self._errors.OutOfMemoryException(str(error))
        return self._errors.Error(str(error))

    def interrupt(self) -> None:
        """End the statement at hand; callable from any thread."""
        self._connection.interrupt()

    def close(self) -> None:
        """Release it."""
        if self._watch is not None:
            self._watch.close()
        self._connection.close()


def duck_of(settings: SqlSettings, max_s: float | None = None) -> Duck:
    """Return a connection for queries that run; `max_s` as in `Duck`."""
    return Duck(
        settings.memory_bytes, settings.threads, max_list=settings.max_list_characters, max_s=max_s
    )


class TooSlow(TooMuch):
    """Raised when a statement takes longer than it may."""


class _Watch:
    """Ends statements that take too long: one thread for all, which sleeps between them.

    Args:
        interrupt: Ends the statement at hand.
        max_s: After how long.
    """

    def __init__(self, interrupt: Callable[[], None], max_s: float) -> None:
        self.max_s = max_s
        #: Whether the statement at hand was ended.
        self.is_over = False
        self._interrupt = interrupt
        self._until_s: float | None = None
        self._lock = threading.Lock()
        self._runs, self._is_closed = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Count from now on."""
        self.is_over = False
        self._until_s = time.monotonic() + self.max_s
        self._runs.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="sql-watch", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop counting; nothing is ended from now on."""
        with self._lock:
            self._until_s = None
            self._runs.clear()

    def close(self) -> None:
        """End the thread."""
        self._is_closed.set()
        self._runs.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._is_closed.is_set():
            self._runs.wait()
            self._is_closed.wait(min(1.0, self.max_s / 4))
            with self._lock:
                if self._until_s is not None and time.monotonic() > self._until_s:
                    self.is_over = True
                    self._interrupt()


class Deadline:
    """Interrupts a connection when a time has passed, until the context is left.

    Again and again: a statement that has not begun yet, or begins another one, forgets it.

    Args:
        duck: What is interrupted.
        seconds: After how long.
    """

    def __init__(self, duck: Duck, seconds: float) -> None:
        self._duck = duck
        self._seconds = seconds
        self._is_left = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sql-deadline", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_left.set()
        self._thread.join()

    def _look(self) -> None:
        wait_s = self._seconds
        while not self._is_left.wait(wait_s):
            self._duck.interrupt()
            wait_s = AGAIN_S


def bounds_of(sql: str, start_us: int, end_us: int) -> dict[str, datetime]:
    """Return those of the parameters `$start` and `$end` that a statement has."""
    given = {"start": timestamp(start_us), "end": timestamp(end_us)}
    return {name: given[name] for name in _parameters(sql)}


@functools.lru_cache(1024)
def _parameters(sql: str) -> frozenset[str]:
    return frozenset(_PARAMETER.findall(_QUOTED.sub("", sql)))


def timestamp(time_us: int) -> datetime:
    """Return a time as a parameter of type TIMESTAMP; those out of range become the nearest."""
    return _EPOCH + timedelta(microseconds=min(max(time_us, _FIRST_US), _LAST_US))


def first_line(error: BaseException) -> str:
    """Return what is wrong, without the drawing below it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]
