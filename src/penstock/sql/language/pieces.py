"""Long windows in pieces: aggregates of parts of a window, and what they amount to together.

`GROUP BY` over a long `TUMBLE` window is written as two: first by pieces of the window, then over
the pieces. So the engine may compute pieces as time goes on, and no sum depends on when it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from penstock.sql.language.reach import Reach
from penstock.sql.language.relations import From, Window, microseconds
from penstock.sql.signature import Shift, Value

#: Shortest piece, and fewest and most pieces of a window: a shorter window is quickly computed
#: at its end, and each piece costs a row for each combination of keys in it.
MIN_PIECE_US = 2_000_000
MIN_PIECES, MAX_PIECES = 10, 30


def piece_us(window: Window) -> int | None:
    """Return how long the pieces of a window are; None when it has none."""
    if window.form != "TUMBLE":
        return None
    for count in range(MAX_PIECES, MIN_PIECES - 1, -1):
        if window.size % count == 0 and window.size // count >= MIN_PIECE_US:
            return window.size // count
    return None


def reach_of(source: From, window: Window) -> Reach | None:
    """Return the reach of the pieces of rows in windows; None when they cannot be cut into some.

    Rows of one piece must follow from inputs around it, and lie in the window that it is of.
    """
    size, whole = piece_us(window), source.whole
    if size is None or len(source.scope.relations) > 1 or whole.keys is not None:
        return None
    needed = whole.needed
    if window.time != Shift(0, 0) or needed.back < 0 or needed.ahead < 0:
        return None
    reach = needed.on_grid(size, window.offset % size)
    return reach if (reach.grid, reach.offset) == (size, window.offset % size) else None


@dataclass(frozen=True, slots=True)
class Stage:
    """A relation of pieces, that named relations of a compilation hold by this name."""

    name: str
    reach: Reach


@dataclass(slots=True)
class Pieces:
    """The columns of pieces: keys as they are, and what aggregates need of each.

    Attributes:
        keys: Names of the columns of keys, by their SQL over rows.
        parts: Names of the columns of aggregates, by their SQL over rows.
        is_possible: Whether every aggregate so far follows from what it is of each piece.
    """

    keys: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    is_possible: bool = True

    @classmethod
    def by(cls, keys: Iterable[str]) -> Pieces:
        """Return pieces by keys, given their SQL."""
        return cls({sql: f"__s.__key{at}" for at, sql in enumerate(dict.fromkeys(keys))})

    def key(self, value: Value) -> Value:
        """Return a key as it is called over pieces."""
        return replace(value, sql=self.keys[value.sql])

    def part(self, sql: str) -> str:
        """Return what an aggregate over rows is called over pieces."""
        return self.parts.setdefault(sql, f"__s.__part{len(self.parts)}")

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


def closure(ctes: Sequence[tuple[str, str]], sql: str) -> list[tuple[str, str]]:
    """Return the named relations that some SQL reads, also through others, in order.

    Names are quoted and ours: a text that holds one makes the list longer, never too short.
    """
    found: list[tuple[str, str]] = []
    for name, text in reversed(ctes):
        if name in sql or any(name in other for _, other in found):
            found.append((name, text))
    return found[::-1]
