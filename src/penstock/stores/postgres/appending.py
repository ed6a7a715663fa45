"""Keep a batch: rows, what they change of their series, and marks, in one transaction.

Rows that are newer than all of their datastream are surely new and are copied in at once. The
others are looked up first: what is held already as it comes is left alone, what differs replaces
what was there.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.observation import SCHEMA
from penstock.core.store import Marks
from penstock.stores.identities import Identities, newest_of_each
from penstock.stores.postgres import faults, texts
from penstock.stores.postgres.changes import REPLACED, adding, changes_of, merging
from penstock.stores.postgres.reading import COLUMNS, rows_of
from penstock.stores.postgres.session import Session
from penstock.stores.postgres.where import instant, literal
from penstock.stores.postgres.writer import Writer
from penstock.stores.selecting import NEVER, Int64s

Bools = npt.NDArray[np.bool_]

#: Rows after which the index by time takes in what came; until then they are looked through.
_SUMMARIZE_ROWS = 100_000
_TEXTS = ("text", "parameters")


class Appending:
    """Keeps batches.

    Args:
        writer: The connection.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._since_summary = 0

    def append(self, batch: pa.RecordBatch, marks: Marks) -> None:
        """Keep a batch that is in `SCHEMA`, and marks.

        Raises:
            PenstockError: As `Writer.transaction`.
        """
        rows = newest_of_each([_storable(pa.Table.from_batches([batch]))])
        try:
            self._append(rows, marks, may_trust=True)
        except faults.Taken:
            # Somebody else has written rows; those are then replaced, as all are that come again.
            self._append(rows, marks, may_trust=False)

    def _append(self, rows: pa.Table, marks: Marks, *, may_trust: bool) -> None:
        """Keep rows; unless the ends that are known may be trusted, look all of them up."""
        keys = Identities.of(rows)
        with self._writer.transaction() as session:
            missing = self._writer.partitions.missing(keys.time)
            if missing:
                self._writer.partitions.make(session, missing)
            if len(keys):
                may_be_held = keys.time <= self._writer.ends.of(keys.datastream)
                if not may_trust:
                    may_be_held[:] = True
                ids, last_us = self._keep(session, rows, keys, may_be_held)
            self._mark(session, marks)
            session.commit()
            # Only now is it so.
            if len(keys):
                self._writer.ends.advance(ids, last_us)
            self._writer.marks = {**self._writer.marks, **marks}
            self._summarize(session, len(keys))

    def _keep(
        self, session: Session, rows: pa.Table, keys: Identities, may_be_held: Bools
    ) -> tuple[Int64s, Int64s]:
        """Keep rows that are sorted by identity; return their datastreams and last times."""
        schema = self._writer.layout.schema
        is_new = np.ones(len(keys), np.bool_)
        replaced = SCHEMA.empty_table()
        if may_be_held.any():
            rows, is_new, replaced = self._beside_held(session, rows, keys, may_be_held)
            if not rows.num_rows:
                return np.zeros(0, np.int64), np.zeros(0, np.int64)
        session.load("observations", rows, schema)
        changes, ids, last_us = changes_of(rows, is_new, replaced)
        session.load("changes", changes)
        session.run(_merging(schema))
        # Of a datastream without rows the end is before every time.
        if (self._writer.ends.of(ids) == NEVER).any():
            names = (name for name in changes.column_names if not name.startswith(REPLACED))
            session.run(_adding(schema, tuple(names)))
        return ids, last_us

    def _beside_held(
        self, session: Session, rows: pa.Table, keys: Identities, may_be_held: Bools
    ) -> tuple[pa.Table, Bools, pa.Table]:
        """Return which rows are to be copied in, which of them are new, and what they replace."""
        schema = self._writer.layout.schema
        at = np.flatnonzero(may_be_held)
        late = keys.take(at)
        stage(session, late)
        held = rows_of(
            session.fetch(
                f"SELECT {COLUMNS} FROM pg_temp.staged p JOIN {schema}.observations o "
                "USING (datastream, time, feature) "
                f"WHERE o.time BETWEEN {instant(int(late.time.min()))} "
                f"AND {instant(int(late.time.max()))}"
            ),
            is_raw=True,
        )
        mine, theirs = late.find_in(Identities.of(held))
        is_same = _are_same(rows.take(pa.array(at[mine])), held.take(pa.array(theirs)))
        changed = mine[~is_same]
        is_new = np.ones(len(keys), np.bool_)
        is_new[at[mine]] = False
        if len(changed):
            session.run("TRUNCATE pg_temp.staged")
            stage(session, late.take(changed))
            session.run(
                f"DELETE FROM {schema}.observations o USING pg_temp.staged p "
                "WHERE o.datastream = p.datastream AND o.time = p.time AND o.feature = p.feature "
                f"AND o.time BETWEEN {instant(int(late.time.min()))} "
                f"AND {instant(int(late.time.max()))}"
            )
        is_kept = is_new.copy()
        is_kept[at[changed]] = True
        replaced = held.take(pa.array(theirs[~is_same]))
        return rows.filter(pa.array(is_kept)), is_new[is_kept], replaced

    def _mark(self, session: Session, marks: Marks) -> None:
        known = self._writer.marks
        moved = {name: at for name, at in marks.items() if known.get(name) != at}
        if not moved:
            return
        values = ", ".join(f"({literal(name)}, {at})" for name, at in moved.items())
        session.run(
            f'INSERT INTO {self._writer.layout.schema}.marks (name, "offset") VALUES {values} '
            'ON CONFLICT (name) DO UPDATE SET "offset" = excluded."offset"'
        )

    def _summarize(self, session: Session, rows: int) -> None:
        """Let the index by time know blocks that were filled."""
        self._since_summary += rows
        if self._since_summary < _SUMMARIZE_ROWS:
            return
        self._since_summary = 0
        session.fetch(
            "SELECT brin_summarize_new_values(c.oid)::bigint AS blocks "
            "FROM pg_class c JOIN pg_am a ON a.oid = c.relam "
            f"WHERE c.relnamespace = '{self._writer.layout.schema}'::regnamespace "
            "AND c.relkind = 'i' AND a.amname = 'brin'"
        )


def stage(session: Session, keys: Identities) -> None:
    """Put identities into `staged`."""
    stamp = SCHEMA.field("time").type
    columns = {
        "datastream": pa.array(keys.datastream),
        "time": pa.array(keys.time).view(stamp),
        "feature": pa.array(keys.feature),
    }
    session.load("staged", pa.table(columns))


def _storable(rows: pa.Table) -> pa.Table:
    for name in _TEXTS:
        column = rows[name]
        kept = texts.kept(column)
        if kept is not column:
            rows = rows.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), kept)
    return rows


def _are_same(rows: pa.Table, others: pa.Table) -> Bools:
    """Return which rows are equal to others, value by value and bit by bit."""
    same = np.ones(rows.num_rows, np.bool_)
    for name in ("number", "end_time", "result_time", "text", "parameters"):
        one, other = rows[name].combine_chunks(), others[name].combine_chunks()
        if name == "number":
            one, other = one.view(pa.int64()), other.view(pa.int64())
        equal = pc.fill_null(pc.equal(one, other), False)
        both_null = pc.and_(pc.is_null(one), pc.is_null(other))
        same &= pc.or_(equal, both_null).to_numpy(zero_copy_only=False)
    return same


@functools.cache
def _merging(schema: str) -> str:
    return merging(schema)


@functools.cache
def _adding(schema: str, names: tuple[str, ...]) -> str:
    return adding(schema, names)
