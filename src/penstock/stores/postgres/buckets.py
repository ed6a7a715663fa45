"""Numbers by bucket of time, aggregated by the server."""

from __future__ import annotations

import pyarrow as pa

from penstock.core.observation import MIN_TIME_US
from penstock.core.selection import Selection
from penstock.core.store import BUCKETS
from penstock.stores.postgres.layout import Layout
from penstock.stores.postgres.reading import in_schema
from penstock.stores.postgres.where import among, chosen, instant

#: Widths up to which the server cuts time; wider buckets have an origin before its calendar.
WIDEST_US = 1_000_000 * 86_400_000_000


def query(layout: Layout, selection: Selection, width_us: int) -> str:
    """Return the query for `BUCKETS` of the rows chosen; the width is at most `WIDEST_US`.

    First and last numbers are looked up by the index once it is known when they are.
    """
    rows = f"{layout.schema}.observations"
    # Buckets are aligned to the epoch; one of their borders before all rows is what counts.
    origin = instant(-(-MIN_TIME_US // width_us) * width_us)
    bucket = f"date_bin(interval '{width_us} microseconds', time, {origin})"
    return f"""WITH b AS MATERIALIZED (
            SELECT datastream, {bucket} AS time, count(*) AS count, min(number) AS min,
                max(number) AS max, avg(number) AS mean, min(time) AS first_time,
                max(time) AS last_time
            FROM {rows} WHERE {chosen(selection)} AND number <> 'NaN' GROUP BY 1, 2)
        SELECT datastream, time, count, min, max, mean, {_at(rows, selection, "first", "ASC")},
            {_at(rows, selection, "last", "DESC")} FROM b ORDER BY datastream, time"""


def answer(table: pa.Table) -> pa.Table:
    """Return what the query answers as `BUCKETS`."""
    return in_schema(table, BUCKETS)


def _at(rows: str, selection: Selection, name: str, way: str) -> str:
    return (
        f"(SELECT o.number FROM {rows} o WHERE o.datastream = b.datastream "
        f"AND o.time = b.{name}_time AND {among('o.feature', selection.features)} "
        f"AND o.number <> 'NaN' ORDER BY o.feature {way} LIMIT 1) AS {name}"
    )
