"""The meaning of a rule, written down once more, row by row and as plainly as possible."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from tests.alarms.arrivals import Row


def activations(
    rows: Iterable[Row], hold: int, off: int, until: int
) -> list[tuple[int, int, int | None]]:
    """Return (start, raised, cleared) of one key's activations, looking at every time unit."""
    by_time = {row.time_us: row for row in rows}
    found: list[tuple[int, int, int | None]] = []
    start = cleared_since = None
    active = False
    for now in range(until + 1):
        # What is due comes into force when its time has passed without a row that says otherwise.
        if start is not None and not active and now > start + hold:
            active = True
            found.append((start, start + hold, None))
        if active and cleared_since is not None and now > cleared_since + off:
            found[-1] = (*found[-1][:2], cleared_since + off)
            active, start, cleared_since = False, None, None
        row = by_time.get(now)
        if row is None or now == until:
            continue
        if row.raised:
            cleared_since = None
            if start is None:
                start = now
            if not active and hold == 0:
                active = True
                found.append((start, start, None))
            continue
        is_cleared = row.cleared
        if not active:
            start = None
        elif is_cleared and off == 0:
            found[-1] = (*found[-1][:2], now)
            active, start = False, None
        elif is_cleared and cleared_since is None:
            cleared_since = now
        elif not is_cleared:
            cleared_since = None
    return found


def silences(times: Iterable[int], absent: int, until: int) -> list[tuple[int, int, int | None]]:
    """Return the gaps between some times that are longer than allowed."""
    known = sorted(set(times))
    found: list[tuple[int, int, int | None]] = [
        (a, a + absent, b) for a, b in pairwise(known) if b - a > absent
    ]
    if known and until > known[-1] + absent:
        found.append((known[-1], known[-1] + absent, None))
    return found


def runs(times: Iterable[int], off: int, until: int) -> list[tuple[int, int, int | None]]:
    """Return the runs of some times that lie no further apart than `off`."""
    known = sorted(set(times))
    found: list[tuple[int, int, int | None]] = []
    for at, now in enumerate(known):
        if at == 0 or now - known[at - 1] > off:
            found.append((now, now, None))
        is_over = at + 1 < len(known) and known[at + 1] - now > off
        if is_over or (at + 1 == len(known) and until > now + off):
            found[-1] = (*found[-1][:2], now + off)
    return found
