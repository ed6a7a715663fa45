"""Between which numbers results must be for a condition to hold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.core.expression import Apply, Expression, Literal, Property


class Bounds(NamedTuple):
    """Numbers between which results must be.

    Attributes:
        low: The least that may be.
        high: The greatest that may be.
        is_low_open: It must be above `low`.
        is_high_open: It must be below `high`.
        is_all: Nothing else is said.
    """

    low: float
    high: float
    is_low_open: bool
    is_high_open: bool
    is_all: bool

    def may_fit(self, extents: pa.Table) -> npt.NDArray[np.bool_]:
        """Return which of some `core.store.EXTENTS` hold numbers between them."""
        low = extents["min"].to_numpy(zero_copy_only=False)
        high = extents["max"].to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            fits = high > self.low if self.is_low_open else high >= self.low
            found: npt.NDArray[np.bool_] = fits & (
                low < self.high if self.is_high_open else low <= self.high
            )
        return found

    def surely_fit(self, extents: pa.Table) -> npt.NDArray[np.bool_]:
        """Return which of some `core.store.EXTENTS` hold a number between them for sure."""
        least = self._holds(extents["min"].to_numpy(zero_copy_only=False))
        return least | self._holds(extents["max"].to_numpy(zero_copy_only=False))

    def _holds(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        above = numbers > self.low if self.is_low_open else numbers >= self.low
        below = numbers < self.high if self.is_high_open else numbers <= self.high
        found: npt.NDArray[np.bool_] = above & below & np.isfinite(numbers)
        return found


def bounds_of(rest: Expression | None) -> Bounds | None:
    """Return the bounds of numbers that follow from a condition; None where there are none."""
    low, high, low_open, high_open = -np.inf, np.inf, False, False
    parts = rest.arguments if isinstance(rest, Apply) and rest.function == "and" else (rest,)
    found = 0
    for part in parts:
        if not isinstance(part, Apply) or part.function not in {"gt", "ge", "lt", "le", "eq"}:
            continue
        left, right = part.arguments
        name = part.function
        if isinstance(left, Literal):
            left, right = right, left
            name = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}.get(name, name)
        is_result = isinstance(left, Property) and left.path == ("result",)
        value = right.value if isinstance(right, Literal) else None
        if not is_result or isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        found += 1
        if name in {"gt", "ge", "eq"} and value >= low:
            low, low_open = float(value), name == "gt" or (low_open and value == low)
        if name in {"lt", "le", "eq"} and value <= high:
            high, high_open = float(value), name == "lt" or (high_open and value == high)
    return Bounds(low, high, low_open, high_open, found == len(parts)) if found else None
