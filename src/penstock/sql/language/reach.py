"""How far in event time an answer depends on its inputs, and on which slices that is true."""

from __future__ import annotations

from dataclasses import dataclass, replace

from penstock.sql.signature import Shift


@dataclass(frozen=True, slots=True)
class Reach:
    """Rows with times in `[s, e)` follow from inputs in `[s - back, e + ahead)`.

    That holds for `s` and `e` on the grid: `offset` plus multiples of `grid`.

    Attributes:
        back: Microseconds, not negative.
        ahead: Microseconds; may be negative on the way, for windows named by their end.
        grid: Microseconds; 1 when it does not matter.
        offset: From 0 to `grid`, exclusive.
        is_dotted: There are rows at points of the grid only, as of windows that were grouped.
    """

    back: int = 0
    ahead: int = 0
    grid: int = 1
    offset: int = 0
    is_dotted: bool = False

    def widened(self, back: int, ahead: int) -> Reach:
        """Return the reach of what depends on rows up to so far before and behind its own time.

        Boundaries between grid points are rounded outwards.
        """
        return Reach(
            back=self.back + _up(back, self.grid),
            ahead=self.ahead + _up(ahead, self.grid),
            grid=self.grid,
            offset=self.offset,
        )

    def shifted(self, shift: Shift) -> Reach:
        """Return the reach by another time of the row: `shift` from the one it is known for."""
        if shift.lo == shift.hi:
            by = shift.lo
            if not self.is_dotted or self.ahead >= by:
                return replace(
                    self,
                    back=self.back + by,
                    ahead=self.ahead - by,
                    offset=(self.offset + by) % self.grid,
                )
            # The rows lie at single points. Slices that begin just behind one, and end just
            # behind the next, need nothing of the time from the point on.
            return Reach(
                back=self.back + by - self.grid + 1,
                ahead=self.ahead - by + self.grid - 1,
                grid=self.grid,
                offset=(self.offset + by + 1) % self.grid,
            )
        return self.widened(max(shift.hi, 0), max(-shift.lo, 0))

    def joined(self, other: Reach) -> Reach:
        """Return the reach of what depends on both for the same times."""
        big, small = (self, other) if self.grid >= other.grid else (other, self)
        is_aligned = big.grid % small.grid == 0 and (big.offset - small.offset) % small.grid == 0
        slack = 0 if is_aligned else small.grid - 1
        return Reach(
            back=max(big.back, small.back + slack),
            ahead=max(big.ahead, small.ahead + slack),
            grid=big.grid,
            offset=big.offset,
            is_dotted=big.is_dotted and small.is_dotted and big.grid == small.grid and is_aligned,
        )

    def on_grid(self, grid: int, offset: int) -> Reach:
        """Return the reach on slices that begin and end at points of another grid."""
        is_aligned = (self.offset - offset) % min(self.grid, grid) == 0
        if is_aligned and grid % self.grid == 0:
            return Reach(self.back, self.ahead, grid, offset)
        if is_aligned and self.grid % grid == 0:
            return self
        slack = self.grid - 1
        return Reach(self.back + slack, self.ahead + slack, grid, offset)

    def settled(self) -> Reach:
        """Return it with nothing negative, as the engine wants it."""
        return replace(self, back=max(self.back, 0), ahead=max(self.ahead, 0))


def _up(distance: int, grid: int) -> int:
    """Round a distance up to whole grid steps; a negative one counts as 0."""
    return -(-max(distance, 0) // grid) * grid
