"""Questions of people: one connection for each, with limits, over what they may read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pyarrow as pa

from penstock.core.access import Scope
from penstock.core.errors import TooMuch
from penstock.core.selection import Selection
from penstock.core.store import Store
from penstock.sql.engine.duck import Deadline, Duck, bounds_of
from penstock.sql.engine.inputs import relations_of
from penstock.sql.engine.picture import Pictures
from penstock.sql.engine.ranges import Int64s
from penstock.sql.plan import Input, Plan
from penstock.sql.settings import SqlSettings

#: Questions that are answered at one time.
MAX_AT_ONCE = 2


class Questions:
    """Answers questions. Implements `core.queries.Adhoc`; safe to call from any thread.

    Args:
        store: Where rows are.
        pictures: The catalog.
        plan_of: Makes a plan of a question, or raises `InvalidQuery`.
        settings: How much memory it may take.
    """

    def __init__(
        self,
        store: Store,
        pictures: Pictures,
        plan_of: Callable[[str], Plan],
        settings: SqlSettings,
    ) -> None:
        self._store = store
        self._pictures = pictures
        self._plan_of = plan_of
        self._settings = settings
        self._turns = threading.Semaphore(MAX_AT_ONCE)

    def ask(self, sql: str, scope: Scope, *, max_rows: int, timeout_s: float) -> pa.Table:
        """Answer one `SELECT`; see `core.queries.Adhoc`."""
        plan = self._plan_of(sql)
        if not self._turns.acquire(timeout=timeout_s):
            msg = f"{MAX_AT_ONCE} questions are being answered; ask again a little later"
            raise TooMuch(msg)
        try:
            return self._answer(plan, scope, max_rows, timeout_s)
        finally:
            self._turns.release()

    def _answer(self, plan: Plan, scope: Scope, max_rows: int, timeout_s: float) -> pa.Table:
        ends_s = time.monotonic() + timeout_s
        picture = self._pictures.newest()
        left = self._settings.question_max_scan_rows
        parts = {}
        for one in plan.inputs:
            rows = self._rows(picture.find(one.source, scope, 0), one, left)
            left -= rows.num_rows
            parts[one.relation] = rows
            _check_time(ends_s)
        relations = relations_of(plan, parts, picture)
        relations |= {name: picture.table(name, scope) for name in plan.tables}
        settings = self._settings
        duck = Duck(
            settings.question_memory_bytes, settings.question_threads, is_ordered=True,
            max_list=settings.max_list_characters,
        )  # fmt: skip
        parameters = bounds_of(plan.sql, -(1 << 62), 1 << 62)
        try:
            with Deadline(duck, _check_time(ends_s)):
                limited = f"SELECT * FROM ({plan.sql}) LIMIT {max_rows + 1}"
                most = settings.question_max_answer_bytes
                answer = duck.run(limited, relations, parameters, most)
        finally:
            duck.close()
        if answer.num_rows > max_rows:
            msg = f"the answer has more than {max_rows} rows; ask for less, or add a LIMIT"
            raise TooMuch(msg)
        return answer

    def _rows(self, ids: Int64s, one: Input, most: int) -> pa.Table:
        if not len(ids):
            return self._store.scan(Selection(datastreams=(), limit=0))
        rows = self._store.scan(
            Selection(
                datastreams=tuple(ids.tolist()),
                start_us=one.start_us,
                end_us=one.end_us,
                limit=most + 1,
            )
        )
        if rows.num_rows > most:
            msg = (
                f"the question reads more than {self._settings.question_max_scan_rows} rows "
                "(sql.question_max_scan_rows); name fewer datastreams, or say which times"
            )
            raise TooMuch(msg)
        return rows


def _check_time(ends_s: float) -> float:
    """Return how much time is left, in seconds.

    Raises:
        TooMuch: None is.
    """
    left_s = ends_s - time.monotonic()
    if left_s <= 0:
        raise TooMuch("it was ended while rows were read, for it took too long")
    return left_s
