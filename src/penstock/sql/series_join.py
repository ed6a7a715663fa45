"""The time-series join: every record with its previous and its next partner in another stream.

Of two streams R and S, `r` and `s` are a pair when one is the *nearest on its side* of the other:
`s` is the latest with `s.time <= r.time` or the first with `s.time >= r.time`, or `r` is so of
`s`; and when they are at most a given time apart. Each pair is there once, also when both are
nearest of each other, and when they have the same time. The answer depends on what was recorded,
not on the order in which it came.

Records of one stream with the same time have an order too, by the columns in `Side.order`: the
last of them is the latest, the first is the first. So the answer stays as large as the streams,
never their product.

Equal keys only can be partners; a record without time or key has none. A pair's time is the
later of both. Pairs with times in `[a, b)` follow from the records with times in `[a - within, b)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Names of the two inside the SQL; a relation that is read may be called anything else.
_CTE = {"r": "__penstock_r", "s": "__penstock_s"}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two streams. All names are quoted here.

    Attributes:
        relation: Its SQL for a `FROM`: a name, or a `SELECT` in parentheses.
        time: Column of the event time, a `TIMESTAMP`.
        order: Columns that put records of one key and time in order. Records that are equal in
            all of them may change places from run to run.
        columns: Columns for the answer, by their names there.
        keys: Columns that must be equal on both sides, in the order of the other side's.
    """

    relation: str
    time: str
    order: Sequence[str]
    columns: Mapping[str, str]
    keys: Sequence[str] = ()


def series_join(left: Side, right: Side, within_us: int, time: str = "__time") -> str:
    """Return a `SELECT` of all pairs: `time`, the columns of `left`, those of `right`.

    Args:
        left: A stream.
        right: Another one, or the same again.
        within_us: Largest distance in time, microseconds, inclusive.
        time: Name of the answer's first column.
    """
    keys = [f"r.k{at} = s.k{at}" for at in range(len(left.keys))]
    columns = [f"r.c{at} AS {_name(name)}" for at, name in enumerate(left.columns)]
    columns += [f"s.c{at} AS {_name(name)}" for at, name in enumerate(right.columns)]
    selected = ", ".join([f"greatest(r.t, s.t) AS {_name(time)}", *columns])

    def nearest(base: str, comparison: str, condition: str) -> str:
        other = "s" if base == "r" else "r"
        # Of records with one time the last is the latest, and the first the first.
        end, early, late = ("lead", other, base) if comparison == ">=" else ("lag", base, other)
        on = " AND ".join([*keys, f"{base}.t {comparison} {other}.t"])
        return (
            f"SELECT {selected} FROM {_CTE[base]} AS {base} ASOF JOIN (SELECT * FROM {_CTE[other]}"
            f" WHERE {end} IS DISTINCT FROM t) AS {other} ON {on} WHERE"
            f" epoch_us({late}.t) - epoch_us({early}.t) <= {int(within_us)} AND {condition}"
        )

    # `lag` and `lead` are the times of the neighbours. Each part leaves out what is in one before.
    is_first, is_last = "s.lag IS DISTINCT FROM s.t", "s.lead IS DISTINCT FROM s.t"
    parts = (
        nearest("r", ">=", "true"),
        nearest("r", "<=", f"NOT (r.t = s.t AND {is_first} AND {is_last})"),
        nearest("s", ">=", f"s.lag >= r.t AND NOT (r.t = s.t AND {is_last})"),
        nearest(
            "s",
            "<=",
            f"s.lead <= r.t AND NOT (r.t = s.t AND ({is_first} OR r.lead IS DISTINCT FROM r.t))",
        ),
    )
    return (
        f"WITH {_CTE['r']} AS MATERIALIZED ({_sorted(left)}),"
        f" {_CTE['s']} AS MATERIALIZED ({_sorted(right)}) " + " UNION ALL ".join(parts)
    )


def _sorted(side: Side) -> str:
    named = [f"{_name(key)} AS k{at}" for at, key in enumerate(side.keys)]
    named += [f"{_name(column)} AS c{at}" for at, column in enumerate(side.columns.values())]
    partition = ", ".join(_name(key) for key in side.keys)
    order = ", ".join(_name(column) for column in (side.time, *side.order))
    columns = ", ".join([f"{_name(side.time)} AS t", *named])
    return (
        f"SELECT {columns}, lag({_name(side.time)}) OVER w AS lag,"
        f" lead({_name(side.time)}) OVER w AS lead FROM {side.relation}"
        f" WHERE {_name(side.time)} IS NOT NULL"
        f" WINDOW w AS ({f'PARTITION BY {partition} ' if partition else ''}ORDER BY {order})"
    )


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
