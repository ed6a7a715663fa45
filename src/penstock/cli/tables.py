"""Tables and times for people."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import typer

from penstock.core.errors import InvalidInput

#: A column: its heading, and the field it shows or a function of the row.
Column = tuple[str, str | Callable[[Mapping[str, Any]], object]]

#: Columns of names, which are never broken, as the first column never is: people copy them.
NAMES = frozenset({"Client", "Datastream", "Device", "Name", "System", "Target", "Thing", "User"})
#: Longer words of other columns are broken where there is no room, in characters.
LONG_WORD = 16

#: Width of what is no terminal, in characters.
WIDE = 10_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def show(rows: Sequence[Mapping[str, Any]], columns: Iterable[Column], nothing: str) -> None:
    """Print rows as a table, or say `nothing` when there are none."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        # What goes to a file or to another program is not folded: a row is a line.
        console.width = WIDE
    if not rows:
        console.print(nothing, markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = list(columns)
    cells = [[_cell(row, field) for _, field in columns] for row in rows]
    total = 0
    for at, (heading, _) in enumerate(columns):
        column = [heading, *(row[at] for row in cells)]
        is_name = at == 0 or heading in NAMES
        words = column if is_name else [word for cell in column for word in cell.split()]
        least = max(map(cell_len, words), default=0)
        least = least if is_name else min(least, LONG_WORD)
        table.add_column(heading, overflow="fold", min_width=least)
        total += least + 2
    for row in cells:
        table.add_row(*map(Text, row))
    # What is too wide even so makes longer lines than the terminal has.
    console.width = max(console.width, total)
    console.print(table, crop=False)


def show_one(facts: Iterable[tuple[str, object]]) -> None:
    """Print facts about one thing, a line each; those that are None or empty are left out."""
    known = [(what, text(value)) for what, value in facts]
    known = [(what, value) for what, value in known if value]
    width = max((len(what) for what, _ in known), default=0)
    for what, value in known:
        typer.echo(f"{what:<{width}}  {value}")


def moment(time_us: int | None) -> str:
    """Return a time as `2026-01-31 12:00:00` (UTC), or "" for None."""
    if time_us is None:
        return ""
    return f"{_EPOCH + timedelta(microseconds=time_us):%Y-%m-%d %H:%M:%S}"


def time_of(field: str) -> Callable[[Mapping[str, Any]], str]:
    """Return what shows a row's time in microseconds."""
    return lambda row: moment(row.get(field))


def ago(time_us: int | None) -> str:
    """Return how long ago a time was, in one unit: `12 s`, `3 min`, `5 h`, `2 d`."""
    if time_us is None:
        return ""
    past = datetime.now(UTC) - (_EPOCH + timedelta(microseconds=time_us))
    return duration(max(0.0, past.total_seconds()))


def duration(seconds: float) -> str:
    """Return a length of time in one unit: `12 s`, `3 min`, `5 h`, `2 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def when(given: str | None) -> int | None:
    """Return a time that a person typed as microseconds UTC, counted from now if relative.

    Args:
        given: ISO 8601, or how long from now like `30d`, `12h`, `5min`; None stays None.

    Raises:
        InvalidInput: It is neither.
    """
    if given is None:
        return None
    import re

    found = re.fullmatch(r"(\d+)\s*(s|min|h|d|w|y)", given.strip())
    if found:
        unit = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604_800, "y": 31_557_600}
        moment_ = datetime.now(UTC) + timedelta(seconds=int(found[1]) * unit[found[2]])
    else:
        try:
            moment_ = datetime.fromisoformat(given)
        except ValueError as error:
            msg = (
                f"{given!r} is not a time; allowed are ISO 8601 (2027-01-31T12:00Z) and how long "
                "from now (90d, 12h, 5min)"
            )
            raise InvalidInput(msg) from error
        if moment_.tzinfo is None:
            moment_ = moment_.astimezone()
    return (moment_ - _EPOCH) // timedelta(microseconds=1)


def text(value: object) -> str:
    """Return any value of a JSON document as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    if isinstance(value, Mapping):
        if value.keys() == {"id", "name"}:
            return str(value["name"])
        known = {name: text(one) for name, one in value.items()}
        return ", ".join(f"{name}={one}" for name, one in known.items() if one)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(row: Mapping[str, Any], field: str | Callable[[Mapping[str, Any]], object]) -> str:
    return text(row.get(field) if isinstance(field, str) else field(row))
