"""`OVER` windows: neighbours within a bound, and ranking within windows.

What has no bound of its own (`LAG`, `LEAD`, frames of rows) looks no further than the query's
reach; ties of time are broken by the identity of the rows, so that every run sees one order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlglot import exp

from penstock.sql.language.calls import FUNCTIONS
from penstock.sql.language.context import Context
from penstock.sql.language.expressions import Expressions
from penstock.sql.language.literals import interval_us
from penstock.sql.language.places import did_you_mean
from penstock.sql.language.reach import Reach
from penstock.sql.language.relations import From, Uses, microseconds, together
from penstock.sql.signature import KIND_NAMES, Kind, Value, followed

_RANKING = {"ROW_NUMBER": 0, "RANK": 0, "DENSE_RANK": 0, "PERCENT_RANK": 0, "CUME_DIST": 0,
            "NTILE": 1}  # fmt: skip
_NEIGHBOURS = ("LAG", "LEAD")
_FRAME = "RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW"


@dataclass(frozen=True, slots=True)
class _Spec:
    """A window specification, understood."""

    partition: str
    order: list[tuple[Value, str]]
    time: Value | None
    is_within_window: bool
    uses: Uses


class Over:
    """Understands the `OVER` windows of one `SELECT`, and notes how far they reach.

    Args:
        context: Of the compilation.
        source: The rows, flat: each column under one name.
        node: The `SELECT`, for its `WINDOW` clause.
    """

    def __init__(self, context: Context, source: From, node: exp.Select) -> None:
        self._context = context
        self._source = source
        self._plain = Expressions(context, source.scope)
        self._named = {w.this.name.lower(): w for w in node.args.get("windows") or ()}
        self._first: list[str] = []
        self._second: list[str] = []
        #: How far the windows reach, beyond the rows.
        self.reach: Reach = source.whole.needed

    def value(self, window: exp.Window) -> Value:
        """Understand one function with its window."""
        condition, call = None, window.this
        if isinstance(call, exp.Filter):
            condition, call = call.expression.this, call.this
        if isinstance(call, (exp.IgnoreNulls, exp.RespectNulls)):
            msg = "IGNORE NULLS is not there; leave the nulls out with WHERE in a subquery"
            raise self._context.refuse(window, msg)
        if not isinstance(call, exp.Anonymous):
            raise self._context.refuse(window, "a function is wanted before OVER")
        name = str(call.this).upper()
        spec, frame = self._spec(window)
        self._context.use(spec.uses | self._source.whole.identity)
        if name in _RANKING:
            made = self._ranked(call, name, spec, frame)
        elif name in _NEIGHBOURS:
            made = self._neighbour(call, name, spec, frame)
        elif name in FUNCTIONS and FUNCTIONS[name].is_aggregate:
            made = self._aggregated(call, name, spec, frame, condition)
        else:
            known = [*_RANKING, *_NEIGHBOURS, *(n for n, f in FUNCTIONS.items() if f.is_aggregate)]
            hint = did_you_mean(name, known)
            raise self._context.refuse(call, f"{name} cannot stand before OVER.{hint}")
        if condition is not None and name in {*_RANKING, *_NEIGHBOURS}:
            raise self._context.refuse(window, f"FILTER has no meaning with {name}")
        return replace(made, uses=made.uses | spec.uses | self._source.whole.identity)

    def from_sql(self) -> str:
        """Return what the windows read, with the helper columns that they need."""
        sql = self._source.sql
        for columns in (self._first, self._second):
            if columns:
                sql = f"(SELECT *, {', '.join(columns)} FROM {sql}) AS __rows"
        return sql

    def _spec(self, window: exp.Window) -> tuple[_Spec, exp.WindowSpec | None]:
        base = window
        alias = window.args.get("alias")
        if alias is not None:
            named = self._named.get(alias.name.lower())
            if named is None:
                hint = did_you_mean(alias.name, self._named)
                raise self._context.refuse(window, f"there is no WINDOW `{alias.name}`.{hint}")
            if any(window.args.get(arg) for arg in ("partition_by", "order", "spec")):
                msg = f"write OVER {alias.name} alone, or the whole window in parentheses"
                raise self._context.refuse(window, msg)
            base = named
        partitions = [self._plain.value(part) for part in base.args.get("partition_by") or ()]
        edges = {value.edge for value in partitions}
        order = [
            (self._plain.value(term.this), _direction(term))
            for term in (base.args["order"].expressions if base.args.get("order") else ())
        ]
        time = None
        if order and order[0][0].time is not None and "DESC" not in order[0][1]:
            time = order[0][0]
        partition = ", ".join(value.sql for value in partitions)
        # Nulls of one partition key are one partition; that is what DuckDB does too.
        spec = _Spec(
            f"PARTITION BY {partition} " if partition else "",
            order,
            time,
            bool(edges & {"window_start", "window_end"}) and self._is_one_window(edges),
            together([*partitions, *(value for value, _ in order)]),
        )
        return spec, base.args.get("spec")

    def _is_one_window(self, edges: set[str]) -> bool:
        window = self._source.whole.window
        if window is None:
            return False
        if window.form == "SESSION":
            # Sessions of two keys may share one edge, and be far apart in time by the other.
            return edges >= {"window_start", "window_end"}
        # One edge tells fixed windows apart; those that grow need both, or their end.
        return window.form in {"TUMBLE", "HOP"} or "window_end" in edges

    def _ties(self) -> str:
        return "__time, __series, __row"

    def _sorted(self, spec: _Spec) -> str:
        terms = [f"{value.sql}{way}" for value, way in spec.order]
        return f"ORDER BY {', '.join([*terms, self._ties()])}"

    def _ranked(
        self, call: exp.Anonymous, name: str, spec: _Spec, frame: exp.WindowSpec | None
    ) -> Value:
        if not spec.is_within_window and not self._context.is_adhoc:
            msg = (
                f"{name} over all rows changes with each new one; put the bounds of a window into"
                f" it: {name}() OVER (PARTITION BY window_start, window_end ORDER BY ...)"
            )
            raise self._context.refuse(call, msg)
        if frame is not None:
            raise self._context.refuse(frame, f"{name} takes no frame")
        if not spec.order:
            raise self._context.refuse(call, f"{name} needs an ORDER BY in its OVER")
        if len(call.expressions) != _RANKING[name]:
            raise self._context.refuse(call, f"{name} takes {_RANKING[name]} arguments")
        args = ""
        if name == "NTILE":
            count = self._plain.value(call.expressions[0])
            if (
                isinstance(count.literal, bool)
                or not isinstance(count.literal, int)
                or count.literal < 1
            ):
                raise self._context.refuse(call, "NTILE takes a number above 0, as in NTILE(4)")
            args = count.sql
        self._reach_window()
        # Rows that are equal by the order share their rank, so that ties must stay ties.
        by = self._sorted(spec) if name in {"ROW_NUMBER", "NTILE"} else self._terms(spec)
        kind = Kind.NUMBER if name in {"PERCENT_RANK", "CUME_DIST"} else Kind.INTEGER
        return Value(f"{name.lower()}({args}) OVER ({spec.partition}{by})", kind)

    def _terms(self, spec: _Spec) -> str:
        terms = [f"{value.sql}{way}" for value, way in spec.order]
        return f"ORDER BY {', '.join(terms)}"

    def _reach_window(self) -> None:
        """Note that all rows of a window are wanted."""
        window, whole = self._source.whole.window, self._source.whole
        if window is None:
            return
        edges = [v for r in self._source.scope.relations.values() for v in r.fields.values()]
        places = [v.time for v in edges if v.edge == "window_start" and v.time is not None]
        if any(place.lo == place.hi for place in places) or whole.keys is not None:
            return  # Grouped: all rows of a window have one event time.
        self._widen(window.size, window.size)

    def _neighbour(
        self, call: exp.Anonymous, name: str, spec: _Spec, frame: exp.WindowSpec | None
    ) -> Value:
        time = self._ordered_by_time(call, spec)
        if frame is not None:
            raise self._context.refuse(frame, f"{name} takes no frame")
        args = [self._plain.value(arg) for arg in call.expressions]
        if not 1 <= len(args) <= 3:
            msg = f"write it as in `{name}(result, 1) OVER (PARTITION BY datastream ORDER BY time)`"
            raise self._context.refuse(call, msg)
        steps = args[1].literal if len(args) > 1 else 1
        if not isinstance(steps, int) or isinstance(steps, bool) or not 0 < steps <= 10_000:
            msg = f"the second argument of {name} is a number from 1 to 10000, written out"
            raise self._context.refuse(call.expressions[1], msg)
        if (
            len(args) > 2
            and Kind.ANY not in {args[0].kind, args[2].kind}
            and (
                {args[0].kind, args[2].kind} - {Kind.NUMBER, Kind.INTEGER}
                and args[0].kind is not args[2].kind
            )
        ):
            names = f"{KIND_NAMES[args[2].kind]}, and the first {KIND_NAMES[args[0].kind]}"
            raise self._context.refuse(call.expressions[2], f"the third argument is {names}")
        reach = self._context.reach_us
        over = f"OVER ({spec.partition}{self._sorted(spec)})"
        there = f"{name.lower()}({time.sql}, {steps}) {over}"
        apart = f"{time.sql} - {there}" if name == "LAG" else f"{there} - {time.sql}"
        otherwise = f" ELSE {args[2].sql}" if len(args) > 2 else ""
        self._widen(*((reach, 0) if name == "LAG" else (0, reach)))
        kind = Kind.NUMBER if len(args) > 2 and args[2].kind is Kind.NUMBER else args[0].kind
        return Value(
            f"(CASE WHEN {apart} <= {microseconds(reach)} "
            f"THEN {name.lower()}({args[0].sql}, {steps}) {over}{otherwise} END)",
            kind,
            unit=args[0].unit,
            uses=together([*args, time]),
        )

    def _aggregated(
        self,
        call: exp.Anonymous,
        name: str,
        spec: _Spec,
        frame: exp.WindowSpec | None,
        condition: exp.Expr | None,
    ) -> Value:
        order = ", ".join([f"{v.sql}{way}" for v, way in spec.order] + [self._ties()])
        made = self._plain.aggregate(call, name, condition, order=order)
        is_bare = self._context.is_adhoc and not spec.order
        if (spec.is_within_window or is_bare) and (frame is None or self._is_open(frame)):
            self._reach_window()
            return replace(
                made,
                sql=followed(made.sql, f"OVER ({spec.partition}{self._whole(spec, frame)})"),
            )
        time = self._ordered_by_time(call, spec)
        if self._context.is_adhoc and (frame is None or self._has_unbounded(frame)):
            return replace(
                made,
                sql=followed(made.sql, f"OVER ({spec.partition}{self._whole(spec, frame)})"),
            )
        if frame is None:
            msg = (
                f"{name} over all rows so far has no bound; say how far back it looks, as in"
                f" `{name}(...) OVER (PARTITION BY datastream ORDER BY time {_FRAME})`"
            )
            raise self._context.refuse(call, msg)
        if len(spec.order) > 1:
            raise self._context.refuse(call, "a frame is ordered by time alone")
        if frame.args.get("exclude"):
            raise self._context.refuse(frame, "EXCLUDE is not part of the language")
        made = replace(made, uses=made.uses | time.uses)
        if str(frame.args["kind"]).upper() == "RANGE":
            before, behind = (self._distance(frame, side) for side in ("start", "end"))
            self._widen(before, behind)
            bounds = self._bounds(before, behind)
            return replace(
                made,
                sql=followed(
                    made.sql, f"OVER ({spec.partition}ORDER BY {time.sql} RANGE {bounds})"
                ),
            )
        return self._in_rows(made, spec, time, frame)

    def _whole(self, spec: _Spec, frame: exp.WindowSpec | None) -> str:
        if not spec.order:
            return ""
        if frame is None:
            return f"{self._terms(spec)} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        kind = str(frame.args["kind"]).upper()
        start = "UNBOUNDED PRECEDING" if frame.args.get("start") == "UNBOUNDED" else "CURRENT ROW"
        end = "UNBOUNDED FOLLOWING" if frame.args.get("end") == "UNBOUNDED" else "CURRENT ROW"
        by = self._sorted(spec) if kind == "ROWS" else self._terms(spec)
        return f"{by} {kind} BETWEEN {start} AND {end}"

    def _is_open(self, frame: exp.WindowSpec) -> bool:
        ends = {str(frame.args.get("start")), str(frame.args.get("end") or "CURRENT ROW")}
        kind = str(frame.args["kind"]).upper()
        return ends <= {"UNBOUNDED", "CURRENT ROW"} and kind in {"ROWS", "RANGE"}

    def _has_unbounded(self, frame: exp.WindowSpec) -> bool:
        if "UNBOUNDED" not in {frame.args.get("start"), frame.args.get("end")}:
            return False
        if not self._is_open(frame):
            msg = "beside UNBOUNDED, a frame ends at CURRENT ROW or UNBOUNDED FOLLOWING"
            raise self._context.refuse(frame.parent, msg)
        return True

    def _in_rows(self, made: Value, spec: _Spec, time: Value, frame: exp.WindowSpec) -> Value:
        """Cut a frame of rows to the query's reach: no more rows than lie within it."""
        if str(frame.args["kind"]).upper() != "ROWS":
            raise self._context.refuse(frame, "frames are ROWS or RANGE")
        before, behind = (self._count(frame, side) for side in ("start", "end"))
        number = len(self._second)
        reach = microseconds(self._context.reach_us)
        self._first.append(
            f"row_number() OVER ({spec.partition}{self._sorted(spec)}) AS __n{number}"
        )
        within = (
            f"OVER ({spec.partition}ORDER BY {time.sql} RANGE BETWEEN {reach} PRECEDING"
            f" AND {reach} FOLLOWING)"
        )
        self._second.append(
            f"__n{number} - min(__n{number}) {within} AS __b{number}, "
            f"max(__n{number}) {within} - __n{number} AS __a{number}"
        )
        self._widen(*(self._context.reach_us if n else 0 for n in (before, behind)))
        start = f"least({before}, __b{number}) PRECEDING" if before else "CURRENT ROW"
        end = f"least({behind}, __a{number}) FOLLOWING" if behind else "CURRENT ROW"
        return replace(
            made,
            sql=followed(
                made.sql,
                f"OVER ({spec.partition}{self._sorted(spec)} ROWS BETWEEN {start} AND {end})",
            ),
        )

    def _count(self, frame: exp.WindowSpec, side: str) -> int:
        bound, is_right = self._bound(frame, side)
        if bound == "CURRENT ROW":
            return 0
        if isinstance(bound, exp.Literal) and not bound.is_string and bound.name.isdigit():
            count = int(bound.name)
            if is_right and count <= 100_000:
                return count
        msg = "a frame of rows is written as in `ROWS BETWEEN 5 PRECEDING AND CURRENT ROW`"
        raise self._context.refuse(bound if isinstance(bound, exp.Expr) else frame, msg)

    def _distance(self, frame: exp.WindowSpec, side: str) -> int:
        bound, is_right = self._bound(frame, side)
        if bound == "CURRENT ROW":
            return 0
        if isinstance(bound, exp.Interval) and is_right:
            us = interval_us(self._context, bound, positive=False)
            if us >= 0:
                return us
        msg = f"a frame over time is written as in `{_FRAME}`"
        raise self._context.refuse(bound if isinstance(bound, exp.Expr) else frame, msg)

    def _bound(self, frame: exp.WindowSpec, side: str) -> tuple[object, bool]:
        """Return a bound of a frame, and whether it looks to its own side."""
        bound = frame.args.get(side) or "CURRENT ROW"
        word = str(frame.args.get(f"{side}_side") or "").upper()
        if bound == "UNBOUNDED":
            msg = f"UNBOUNDED has no end in a stream; say how far, as in `{_FRAME}`"
            raise self._context.refuse(frame.parent, msg)
        return bound, word == ("PRECEDING" if side == "start" else "FOLLOWING")

    def _bounds(self, before: int, behind: int) -> str:
        start = f"{microseconds(before)} PRECEDING" if before else "CURRENT ROW"
        end = f"{microseconds(behind)} FOLLOWING" if behind else "CURRENT ROW"
        return f"BETWEEN {start} AND {end}"

    def _ordered_by_time(self, call: exp.Anonymous, spec: _Spec) -> Value:
        if spec.time is None:
            msg = (
                f"{call.this} looks along time: the OVER needs ORDER BY a time attribute, upwards,"
                " as in `OVER (PARTITION BY datastream ORDER BY time)`"
            )
            raise self._context.refuse(call, msg)
        return spec.time

    def _widen(self, back: int, ahead: int) -> None:
        whole = self._source.whole.needed
        spread = self._spread()
        self.reach = _union(self.reach, whole.widened(back + spread, ahead + spread))

    def _spread(self) -> int:
        """Return how far time attributes of one row may lie apart."""
        shifts = [
            value.time
            for relation in self._source.scope.relations.values()
            for value in relation.fields.values()
            if value.time is not None
        ]
        if not shifts:
            return 0
        return max((s.hi - s.lo for s in shifts), default=0)


def _direction(term: exp.Ordered) -> str:
    nulls = "FIRST" if term.args.get("nulls_first") else "LAST"
    return f"{' DESC' if term.args.get('desc') else ''} NULLS {nulls}"


def _union(first: Reach, second: Reach) -> Reach:
    """Return the reach of both, on the grid that they share."""
    return replace(
        first, back=max(first.back, second.back), ahead=max(first.ahead, second.ahead),
        is_dotted=first.is_dotted,
    )  # fmt: skip
