"""Remove rows, and bring their series up to date."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from penstock.core.selection import Selection
from penstock.stores.identities import Identities
from penstock.stores.postgres.appending import stage
from penstock.stores.postgres.changes import NEWEST
from penstock.stores.postgres.layout import Layout
from penstock.stores.postgres.reading import finite
from penstock.stores.postgres.session import Session
from penstock.stores.postgres.where import among, chosen, ids, instant, within
from penstock.stores.postgres.writer import Writer
from penstock.stores.selecting import Int64s, int64s

#: How long dropping a table waits for those who read, before it is tried again another time.
_DROP_WAIT = "10s"
#: What is to be known of rows that are gone, by datastream.
_SUMS = (
    "datastream, count(*), min(time), max(time), max(greatest(time, end_time)), min(result_time), "
    f"max(result_time), {finite('min')}, {finite('max')}"
)


class Removing:
    """Removes rows.

    Args:
        writer: The connection.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def delete(self, selection: Selection) -> int:
        """Remove the rows chosen and return how many."""
        with self._writer.transaction() as session:
            self._delete(session, chosen(selection, alias="o"))
            return self._settle(session)

    def delete_rows(self, rows: pa.Table) -> int:
        """Remove the rows with the identities of these and return how many."""
        if not rows.num_rows:
            return 0
        keys = Identities.of(rows)
        keys = keys.take(keys.order())
        keys = keys.take(np.append(~keys.is_repeated(), True))
        between = f"{instant(int(keys.time.min()))} AND {instant(int(keys.time.max()))}"
        with self._writer.transaction() as session:
            stage(session, keys)
            self._delete(
                session,
                "o.datastream = p.datastream AND o.time = p.time AND o.feature = p.feature "
                f"AND o.time BETWEEN {between}",
                using="USING pg_temp.staged p ",
            )
            return self._settle(session)

    def expire(self, ages: Mapping[int, int], default_us: int | None, now_us: int) -> int:
        """Remove rows older than their datastream's retention and return how many."""
        removed = 0
        if default_us is not None:
            # Where no datastream keeps anything, the table itself goes.
            limit_us = now_us - max([default_us, *ages.values()])
            for number, name in self._writer.partitions_older_than(limit_us):
                removed += self._drop(number, name)
            if self._writer.layout.is_hypertable:
                removed += self._drop_chunks(limit_us)
        old = _old("o.", ages, default_us, now_us)
        if not old:
            return removed
        with self._writer.transaction() as session:
            self._delete(session, " OR ".join(old))
            return removed + self._settle(session)

    def _drop(self, number: int, name: str) -> int:
        layout = self._writer.layout
        table = f"{layout.schema}.{name}"
        with self._writer.transaction() as session:
            session.run(f"SET LOCAL lock_timeout = '{_DROP_WAIT}'")
            session.run(
                f"INSERT INTO pg_temp.gone SELECT {_SUMS} FROM {table} o GROUP BY datastream"
            )
            session.run(f"DROP TABLE {table}")
            removed = self._settle(session)
            self._writer.partitions.dropped(number)
        return removed

    def _drop_chunks(self, limit_us: int) -> int:
        """Drop the chunks of TimescaleDB in which every row is older than a time."""
        schema = self._writer.layout.schema
        older = within("range_end", None, limit_us + 1)
        with self._writer.transaction() as session:
            end = session.value(
                "SELECT max(range_end) FROM timescaledb_information.chunks WHERE "
                f"hypertable_schema = '{schema}' AND hypertable_name = 'observations' AND {older}"
            )
            if end is None:
                return 0
            until = f"timestamptz '{end.isoformat(' ')}'"
            rows = f"{schema}.observations"
            session.run(
                f"INSERT INTO pg_temp.gone SELECT {_SUMS} FROM {rows} o WHERE time < {until} "
                "GROUP BY datastream"
            )
            session.fetch(f"SELECT count(*) FROM drop_chunks('{rows}', older_than => {until})")
            return self._settle(session)

    def _settle(self, session: Session) -> int:
        """Bring series up to date, commit, and return how many rows are gone."""
        removed, emptied = _settle(session, self._writer.layout)
        session.commit()
        self._writer.ends.forget(emptied)
        return removed

    def _delete(self, session: Session, where: str, using: str = "") -> None:
        session.run(
            f"WITH o AS (DELETE FROM {self._writer.layout.schema}.observations o {using}"
            f"WHERE {where} RETURNING o.*) "
            f"INSERT INTO pg_temp.gone SELECT {_SUMS} FROM o GROUP BY datastream"
        )


def _old(dot: str, ages: Mapping[int, int], default_us: int | None, now_us: int) -> list[str]:
    """Return conditions of which a row that is too old meets one."""
    alike: dict[int, list[int]] = {}
    for datastream, age in ages.items():
        alike.setdefault(age, []).append(datastream)
    found = []
    for age, datastreams in alike.items():
        old = chosen(Selection(end_us=now_us - age), alias=dot.rstrip("."))
        found.append(f"({among(f'{dot}datastream', datastreams)} AND {old})")
    if default_us is not None:
        old = chosen(Selection(end_us=now_us - default_us), alias=dot.rstrip("."))
        found.append(f"({dot}datastream <> ALL ({ids(ages)}) AND {old})")
    return found


def _settle(session: Session, layout: Layout) -> tuple[int, Int64s]:
    """Bring series up to date with what is in `gone`.

    Returns how many rows that is, and the datastreams that have none any more.

    First times and newest rows are looked up by the index where they are gone; extents are found
    out when somebody asks, where a row at one of their ends is.
    """
    removed = int(session.value("SELECT coalesce(sum(count), 0)::bigint FROM pg_temp.gone"))
    if not removed:
        return 0, np.zeros(0, np.int64)
    series, rows = f"{layout.schema}.series", f"{layout.schema}.observations"
    emptied = session.fetch(
        f"DELETE FROM {series} s USING pg_temp.gone g "
        "WHERE s.datastream = g.datastream AND s.count <= g.count RETURNING s.datastream"
    )
    own = "o.datastream = s.datastream AND o.time"
    session.run(
        f"""UPDATE {series} s SET
            count = s.count - g.count,
            revision = s.revision + 1,
            first_time = CASE WHEN g.first_time > s.first_time THEN s.first_time ELSE
                (SELECT o.time FROM {rows} o WHERE {own} >= s.first_time ORDER BY o.time LIMIT 1)
                END,
            is_known = s.is_known AND g.last_end_time < s.last_end_time
                AND coalesce(g.first_result_time > s.first_result_time, true)
                AND coalesce(g.last_result_time < s.last_result_time, true)
                AND coalesce(g.min > s.min, true) AND coalesce(g.max < s.max, true)
        FROM pg_temp.gone g WHERE s.datastream = g.datastream"""
    )
    columns = ", ".join(NEWEST)
    session.run(
        f"""UPDATE {series} s SET ({columns}) = (SELECT {columns} FROM {rows} o
            WHERE {own} <= s.time ORDER BY o.time DESC, o.feature DESC LIMIT 1)
        FROM pg_temp.gone g WHERE s.datastream = g.datastream AND g.time >= s.time"""
    )
    return removed, int64s(emptied["datastream"])
