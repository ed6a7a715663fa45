"""Session windows: rows of one key without a gap, as long as the query's reach allows."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.reach import Reach
from penstock.sql.language.relations import Relation, Window, microseconds, quoted, text
from penstock.sql.signature import Kind, Shift, Value


def sessions(
    context: Context,
    node: exp.Anonymous,
    keys: list[exp.Expr],
    time: Value,
    gap: int,
    relation: Relation,
) -> Relation:
    """Return a relation with its rows in sessions.

    A session that lasts longer than the reach raises when it is run: no slice could hold it.

    Raises:
        InvalidQuery: The gap is not below the reach, or a key is no column.
    """
    reach = context.reach_us
    if gap >= reach and not context.is_adhoc:
        msg = (
            f"the gap is {gap / 1e6:g} s, and a session may last {reach / 1e6:g} s at most: raise"
            " the query's reach, or lower the gap"
        )
        raise context.refuse(node, msg)
    columns: list[str] = []
    for key in keys:
        found = relation.named(key.name) if isinstance(key, exp.Column) else None
        if found is None:
            raise context.refuse(key, f"there is no column `{key.name}` to partition by")
        context.use(found.uses)
        columns.append(found.sql)
    context.use(time.uses | relation.identity)
    names = ", ".join(value.sql for value in relation.fields.values())
    hidden = "__time, __end, __series, __row"
    by = f"PARTITION BY {', '.join(columns)} " if columns else ""
    order = f"ORDER BY {time.sql}, __time, __series, __row"
    first = (
        f"SELECT *, CASE WHEN {time.sql} - lag({time.sql}) OVER ({by}{order}) <= "
        f"{microseconds(gap)} THEN 0 ELSE 1 END AS __first FROM {relation.sql} AS __s"
    )
    numbered = (
        f"SELECT *, sum(__first) OVER ({by}{order} ROWS UNBOUNDED PRECEDING) AS __session "
        f"FROM ({first})"
    )
    of_one = f"OVER (PARTITION BY {', '.join([*columns, '__session'])})"
    start = f"min({time.sql}) {of_one}"
    end = f"max({time.sql}) {of_one} + {microseconds(gap)}"
    bounds = f"SELECT *, {start} AS __from, {end} AS __until FROM ({numbered})"
    message = text(
        f"a session lasts longer than the reach of this query, {reach / 1e6:g} s: raise its reach,"
        " or lower the gap of its SESSION"
    )
    until = "__until"
    if not context.is_adhoc:
        until = (
            f"(CASE WHEN __until - __from > {microseconds(reach)} AND __from >= $start "
            f"AND __from < $end THEN error({message}) ELSE __until END)"
        )
    sql = (
        f"SELECT {hidden}, {names}, __from AS window_start, {until} AS window_end, "
        f"{until} - {microseconds(1)} AS window_time FROM ({bounds})"
    )
    shift = time.time or Shift(0, 0)
    places = {
        "window_start": Shift(shift.lo - reach, shift.hi),
        "window_end": Shift(shift.lo, shift.hi + reach),
        "window_time": Shift(shift.lo - 1, shift.hi + reach),
    }
    edges = {
        name: Value(quoted(name), Kind.TIME, uses=time.uses, time=place, edge=name)
        for name, place in places.items()
    }
    return replace(
        relation,
        sql=f"({sql})",
        fields=relation.fields | edges,
        reach=relation.needed.widened(reach, reach),
        window=Window(
            "SESSION",
            size=reach,
            step=gap,
            keys=tuple(key.name.lower() for key in keys),
            time=shift,
            rows=relation.needed,
        ),
        is_rowwise=False,
        keys=None,
        use=None,
    )


def grouped(rows: Reach, window: Window) -> Reach:
    """Return the reach of sessions that were grouped, by their start."""
    return rows.shifted(window.time).widened(window.step, window.size)
