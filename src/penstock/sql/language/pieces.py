"""Long windows in pieces: aggregates of parts of a window, and what they amount to together.

`GROUP BY` over a long window is written as two: first by pieces of the window, then over the
pieces. So the engine may compute pieces as time goes on, and no sum depends on when it did. Windows
that overlap (`HOP`, `CUMULATE`) have their pieces in common: each row is looked at once, however
many windows it is in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from penstock.sql.language.reach import Reach
from penstock.sql.language.relations import From, Window, microseconds
from penstock.sql.signature import Shift, Value

#: Shortest piece, and fewest and most pieces of a window: a shorter window is quickly computed
#: at its end, and each piece costs a row for each combination of keys in it. Windows that overlap
#: have more pieces where their distance asks for it, and shorter ones: what is saved is more.
MIN_PIECE_US = 2_000_000
MIN_PIECES, MAX_PIECES = 10, 30
#: The columns that windows add.
_EDGES = ('"window_start"', '"window_end"', '"window_time"')


def piece_us(window: Window) -> int | None:
    """Return how long the pieces of a window are; None when it has none."""
    if window.form == "SESSION":
        return None
    # Windows begin and end where pieces do.
    step = math.gcd(window.size, window.step)
    for count in range(MAX_PIECES, MIN_PIECES - 1, -1):
        if window.size % count == 0 and window.size // count >= MIN_PIECE_US:
            piece = window.size // count
            if step % piece == 0:
                return piece
    is_worth_it = window.form != "TUMBLE" and window.size // step >= MIN_PIECES
    return step if is_worth_it and step >= MIN_PIECE_US // 2 else None


def reach_of(source: From, window: Window) -> Reach | None:
    """Return the reach of the pieces of rows in windows; None when they cannot be cut into some.

    Rows of one piece must follow from inputs around it, and lie in the windows that it is of.
    """
    size, whole = piece_us(window), source.whole
    if size is None or len(source.scope.relations) > 1 or whole.keys is not None:
        return None
    needed = whole.needed
    if window.time != Shift(0, 0) or needed.back < 0 or needed.ahead < 0:
        return None
    reach = needed.on_grid(size, window.offset % size)
    return reach if (reach.grid, reach.offset) == (size, window.offset % size) else None


def single(source: From) -> From | None:
    """Return rows in windows that overlap as they were before, each once; None when they differ.

    They may have been put into windows in the `FROM` itself only: what is between may ask for
    windows.
    """
    (relation,) = source.scope.relations.values()
    if relation.single is None or relation.single[0] != relation.sql:
        return None
    return replace(source, sql=source.sql.replace(*relation.single, 1))


@dataclass(frozen=True, slots=True)
class Stage:
    """A relation of pieces, that named relations of a compilation hold by this name.

    Attributes:
        name: Of the relation, quoted.
        reach: Of the pieces.
        is_shared: It is read more than once, and better made once.
    """

    name: str
    reach: Reach
    is_shared: bool = False


@dataclass(slots=True)
class Pieces:
    """The columns of pieces: keys as they are, and what aggregates need of each.

    Attributes:
        keys: Names of the columns of keys, by their SQL over rows.
        edges: What the bounds of windows are over pieces, by their SQL over rows, where these are
            no keys.
        parts: Names of the columns of aggregates, by their SQL over rows.
        is_possible: Whether every aggregate so far follows from what it is of each piece.
    """

    keys: dict[str, str] = field(default_factory=dict)
    edges: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    is_possible: bool = True

    @classmethod
    def by(cls, keys: Iterable[str], edges: dict[str, str] | None = None) -> Pieces:
        """Return pieces by keys, given their SQL."""
        edges = edges or {}
        some = [sql for sql in dict.fromkeys(keys) if sql not in edges]
        return cls({sql: f"__s.__key{at}" for at, sql in enumerate(some)}, edges)

    def key(self, value: Value) -> Value:
        """Return a key as it is called over pieces."""
        return replace(value, sql=self.edges.get(value.sql) or self.keys[value.sql])

    def part(self, sql: str) -> str:
        """Return what an aggregate over rows is called over pieces."""
        return self.parts.setdefault(sql, f"__s.__part{len(self.parts)}")

    def names_windows(self, where_sql: str) -> bool:
        """Tell whether what is asked of rows may depend on the window that they are in.

        A text that looks so counts too.
        """
        every = (where_sql, *self.keys, *self.parts)
        return any(edge in sql for sql in every for edge in _EDGES)

    def sql(self, source: From, where_sql: str, reach: Reach) -> str:
        """Return the query that makes the pieces."""
        time, size = source.hidden[0], microseconds(reach.grid)
        piece = f"time_bucket({size}, {time}, make_timestamp({reach.offset}))"
        columns = [
            f"{sql} AS {name.removeprefix('__s.')}"
            for sql, name in [*self.keys.items(), *self.parts.items()]
        ]
        return (
            f"(SELECT {', '.join([f'{piece} AS __piece', *columns])} FROM {source.sql}{where_sql}"
            f" GROUP BY {', '.join([piece, *self.keys])})"
        )


def overlapping(window: Window, stage: str) -> str:
    """Return a `FROM` of pieces in the windows that hold them, `__w.__start` to `__w.__until`.

    The windows are a relation of their own, of which those that are not asked for fall away before
    they meet pieces.
    """
    step, size = microseconds(window.step), microseconds(window.size)
    origin = f"make_timestamp({window.offset})"
    if window.form == "HOP":
        back = f"(SELECT unnest(range({-(-window.size // window.step)})) AS __back)"
        starts = (
            f"SELECT DISTINCT __bucket - {step} * __back AS __start FROM (SELECT DISTINCT "
            f"time_bucket({step}, __piece, {origin}) AS __bucket FROM {stage}) AS __b, {back}"
        )
        windows = f"(SELECT __start, __start + {size} AS __until FROM ({starts}) AS __d) AS __w"
        held = "__s.__piece >= __w.__start AND __s.__piece < __w.__until"
        return f"{windows} JOIN {stage} AS __s ON {held}"
    on = f"(SELECT unnest(range(1, {window.size // window.step} + 1)) AS __on)"
    big = f"time_bucket({size}, __piece, {origin})"
    windows = (
        f"(SELECT __start, __start + {step} * __on AS __until FROM (SELECT DISTINCT {big} AS "
        f"__start FROM {stage}) AS __b, {on}) AS __w"
    )
    pieces = f"(SELECT *, {big} AS __big FROM {stage}) AS __s"
    return f"{windows} JOIN {pieces} ON __s.__big = __w.__start AND __s.__piece < __w.__until"


def closure(ctes: Sequence[tuple[str, str]], sql: str) -> list[tuple[str, str]]:
    """Return the named relations that some SQL reads, also through others, in order.

    Names are quoted and ours: a text that holds one makes the list longer, never too short.
    """
    found: list[tuple[str, str]] = []
    for name, text in reversed(ctes):
        if name in sql or any(name in other for _, other in found):
            found.append((name, text))
    return found[::-1]
