"""Window table functions: rows get `window_start`, `window_end` and `window_time`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from penstock.sql.language.context import Context
from penstock.sql.language.literals import interval_us
from penstock.sql.language.places import did_you_mean
from penstock.sql.language.reach import Reach
from penstock.sql.language.relations import Relation, Window, microseconds, quoted
from penstock.sql.language.sessions import grouped, sessions
from penstock.sql.signature import Kind, Shift, Value

#: Names of the arguments of each window table function, in order; the last one may be left out.
_ARGUMENTS = {
    "TUMBLE": ("DATA", "TIMECOL", "SIZE", "OFFSET"),
    "HOP": ("DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"),
    "CUMULATE": ("DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"),
    "SESSION": ("DATA", "TIMECOL", "GAP"),
}

#: A row in more windows than this is a mistake, or too much work.
MAX_WINDOWS = 10_000

_USAGE = {
    "TUMBLE": "TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MINUTE)",
    "HOP": "HOP(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)",
    "CUMULATE": "CUMULATE(TABLE observations, DESCRIPTOR(time), INTERVAL '1' MINUTE,"
    " INTERVAL '1' HOUR)",
    "SESSION": "SESSION(TABLE observations PARTITION BY thing, DESCRIPTOR(time),"
    " INTERVAL '5' MINUTE)",
}


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of a window table function, by name."""

    name: str
    node: exp.Anonymous
    table: exp.Expr
    time: exp.Expr
    intervals: dict[str, int]


def arguments(context: Context, node: exp.Anonymous) -> Call:
    """Put the arguments of a window table function in order.

    Raises:
        InvalidQuery: Some are missing or not what they should be.
    """
    name = str(node.this).upper()
    wanted = _ARGUMENTS[name]
    given: dict[str, exp.Expr] = {}
    for number, arg in enumerate(node.expressions):
        if isinstance(arg, exp.Kwarg):
            key = arg.this.name.upper()
            if key not in wanted:
                raise context.refuse(arg, f"{name} has no {key}.{did_you_mean(key, wanted)}")
            given[key] = arg.expression
        elif number < len(wanted):
            given[wanted[number]] = arg
    needed = [key for key in wanted if key != "OFFSET"]
    if len(node.expressions) > len(wanted) or any(key not in given for key in needed):
        raise context.refuse(node, f"write it as in `{_USAGE[name]}`")
    descriptor = given["TIMECOL"]
    if not (
        isinstance(descriptor, exp.Anonymous)
        and str(descriptor.this).upper() == "DESCRIPTOR"
        and len(descriptor.expressions) == 1
        and isinstance(descriptor.expressions[0], exp.Column)
    ):
        msg = f"the time column is named by DESCRIPTOR(time), as in `{_USAGE[name]}`"
        raise context.refuse(descriptor, msg)
    intervals = {
        key: interval_us(context, arg, positive=key != "OFFSET")
        for key, arg in given.items()
        if key not in {"DATA", "TIMECOL"}
    }
    return Call(name, node, given["DATA"], descriptor.expressions[0], intervals)


def windowed(context: Context, call: Call, relation: Relation) -> Relation:
    """Return a relation with its rows in windows, once for each.

    Raises:
        InvalidQuery: The column is no time attribute, or the intervals do not fit.
    """
    time = time_attribute(context, call, relation)
    if any(relation.named(name) for name in ("window_start", "window_end", "window_time")):
        msg = "the rows are in windows already; GROUP BY these first, or leave their columns out"
        raise context.refuse(call.node, msg)
    partition = call.table.args.get("partition")
    if call.name == "SESSION":
        keys = partition.expressions if partition is not None else []
        return sessions(context, call.node, keys, time, call.intervals["GAP"], relation)
    if partition is not None:
        msg = f"{call.name} takes no PARTITION BY: put the columns into GROUP BY"
        raise context.refuse(partition, msg)
    window = _window(context, call)
    step, size = window.step, window.size
    copies = relation.copies * -(-size // step)
    if copies > MAX_WINDOWS:
        msg = f"each row would be in {copies} windows of windows; at most {MAX_WINDOWS} are allowed"
        raise context.refuse(call.node, msg)
    origin = f"make_timestamp({window.offset})"
    bucket = f"time_bucket({microseconds(step)}, {time.sql}, {origin})"
    row = "__row"
    if window.form == "TUMBLE":
        start, end, source = bucket, f"{bucket} + {microseconds(size)}", relation.sql
    elif window.form == "HOP":
        # A row is in the windows that begin at its bucket and before, while they hold it.
        starts = (
            f"SELECT *, {bucket} - {microseconds(step)} * __back AS __start FROM "
            f"{relation.sql}, (SELECT unnest(range({-(-size // step)})) AS __back)"
        )
        source = f"({starts})"
        start, end = "__start", f"__start + {microseconds(size)}"
        row = "CAST(hash(__row, __start) >> 1 AS BIGINT)"
    else:
        big = f"time_bucket({microseconds(size)}, {time.sql}, {origin})"
        ends = (
            f"SELECT *, {big} AS __start, {bucket} + {microseconds(step)} * __on AS __until "
            f"FROM {relation.sql}, (SELECT unnest(range(1, {size // step} + 1)) AS __on)"
        )
        source, start, end = f"({ends})", "__start", "__until"
        row = "CAST(hash(__row, __until) >> 1 AS BIGINT)"
    names = ", ".join(value.sql for value in relation.fields.values())
    sql = (
        f"SELECT __time, __end, __series, {row} AS __row, {names}, {start} AS window_start, "
        f"{end} AS window_end, {end} - {microseconds(1)} AS window_time FROM {source} AS __w"
    )
    if window.form == "HOP":
        sql += f" WHERE {time.sql} < __start + {microseconds(size)}"
    elif window.form == "CUMULATE":
        sql += f" WHERE __until <= __start + {microseconds(size)}"
    shift = time.time or Shift(0, 0)
    edges = edge_fields(shift, time, window)
    context.use(time.uses)
    return replace(
        relation,
        sql=f"({sql})",
        fields=relation.fields | edges,
        window=replace(window, time=shift),
        is_rowwise=relation.is_rowwise and window.form == "TUMBLE",
        keys=None,
        copies=copies,
        single=None if window.form == "TUMBLE" else (f"({sql})", relation.sql),
    )


def edge_fields(shift: Shift, time: Value, window: Window) -> dict[str, Value]:
    """Return the three columns of a window, beside rows with a time attribute."""
    size = window.size
    places = {
        "window_start": Shift(shift.lo - size + 1, shift.hi),
        "window_end": Shift(shift.lo + 1, shift.hi + size),
        "window_time": Shift(shift.lo, shift.hi + size - 1),
    }
    return {
        name: Value(quoted(name), Kind.TIME, uses=time.uses, time=place, edge=name)
        for name, place in places.items()
    }


def grouped_reach(relation: Relation, window: Window) -> Reach:
    """Return the reach of windows that were grouped.

    By their `window_start`; those of `CUMULATE`, which share it, by their `window_end`.
    """
    if window.form == "SESSION":
        return grouped(window.rows or relation.needed, window)
    rows = relation.needed.shifted(window.time)
    rows = rows.on_grid(window.step, window.offset % window.step)
    is_dotted = rows.grid == window.step
    if window.form == "CUMULATE":
        # The last windows of a slice end a step before it does.
        early = window.step if is_dotted else 0
        before = rows.widened(window.size, 0)
        return replace(before, ahead=before.ahead - early, is_dotted=is_dotted)
    return replace(rows.widened(0, window.size - window.step), is_dotted=is_dotted)


def time_attribute(context: Context, call: Call, relation: Relation) -> Value:
    """Return the time attribute that `DESCRIPTOR` names."""
    name = call.time.name
    found = relation.named(name)
    if found is None:
        hint = did_you_mean(name, relation.fields)
        raise context.refuse(call.time, f"there is no column `{name}`.{hint}")
    if found.time is None or relation.reach is None:
        attributes = [known for known, value in relation.fields.items() if value.time is not None]
        there = f"; there is `{'`, `'.join(attributes)}`" if attributes else ""
        msg = f"`{name}` is no time attribute, so nothing says which rows are complete{there}"
        raise context.refuse(call.time, msg)
    return found


def _window(context: Context, call: Call) -> Window:
    intervals = call.intervals
    if call.name == "TUMBLE":
        size = step = intervals["SIZE"]
    elif call.name == "HOP":
        size, step = intervals["SIZE"], intervals["SLIDE"]
        if step > size:
            msg = f"the slide must not be longer than the size, as in `{_USAGE['HOP']}`"
            raise context.refuse(call.node, msg)
    else:
        size, step = intervals["SIZE"], intervals["STEP"]
        if size % step:
            msg = f"the size must be a multiple of the step, as in `{_USAGE['CUMULATE']}`"
            raise context.refuse(call.node, msg)
    if size // step > MAX_WINDOWS:
        msg = f"each row would be in {size // step} windows; at most {MAX_WINDOWS} are allowed"
        raise context.refuse(call.node, msg)
    return Window(call.name, size, step, intervals.get("OFFSET", 0) % size)
