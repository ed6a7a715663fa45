"""Ranges of event time, half open, in microseconds: sorted, apart from each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from penstock.core.queries import Meaning

Int64s = npt.NDArray[np.int64]
Range = tuple[int, int]

#: Before and behind all times that can be kept, with room to add and subtract.
NEVER_US = -(1 << 62)
ALWAYS_US = 1 << 62


def floor(time_us: int, meaning: Meaning) -> int:
    """Return the last boundary of slices at or before a time."""
    return time_us - (time_us - meaning.offset_us) % meaning.grid_us


def ceiling(time_us: int, meaning: Meaning) -> int:
    """Return the first boundary of slices at or behind a time."""
    return time_us + (meaning.offset_us - time_us) % meaning.grid_us


def touched(first: Int64s, last: Int64s, meaning: Meaning, most: int) -> list[Range]:
    """Return the ranges of slices whose answers rows of some spans of time have a part in.

    Ranges are at most `most`; those nearest to each other are taken together.

    Args:
        first: Time of the first row of each span.
        last: Time of the last row of each span.
        meaning: How far rows reach.
        most: See above.
    """
    if not len(first):
        return []
    grid, offset = meaning.grid_us, meaning.offset_us
    start = first - meaning.ahead_us
    end = last + meaning.back_us
    start = start - (start - offset) % grid
    return together_arrays(start, end - (end - offset) % grid + grid, most)


def together_arrays(start: Int64s, end: Int64s, most: int) -> list[Range]:
    """Return the ranges that these cover, at most so many; small gaps are filled first."""
    order = np.argsort(start, kind="stable")
    start, reach = start[order], np.maximum.accumulate(end[order])
    gaps = start[1:] - reach[:-1]
    cuts = np.flatnonzero(gaps > 0)
    if len(cuts) >= most:
        widest = np.argpartition(gaps[cuts], len(cuts) - most + 1)[len(cuts) - most + 1 :]
        cuts = np.sort(cuts[widest]) if most > 1 else cuts[:0]
    starts = start[np.concatenate(([0], cuts + 1))]
    ends = reach[np.concatenate((cuts, [len(reach) - 1]))]
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def together(ranges: Iterable[Range], most: int) -> list[Range]:
    """Return the ranges that these cover, at most so many; small gaps are filled first."""
    held = [one for one in ranges if one[0] < one[1]]
    if not held:
        return []
    array = np.array(held, np.int64)
    return together_arrays(array[:, 0], array[:, 1], most)


def within(ranges: Sequence[Range], start_us: int, end_us: int) -> list[Range]:
    """Return the parts of ranges that lie in another."""
    cut = ((max(a, start_us), min(b, end_us)) for a, b in ranges)
    return [(a, b) for a, b in cut if a < b]
