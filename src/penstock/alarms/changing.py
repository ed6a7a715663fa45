"""From activations before and after to what becomes of an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from penstock.core.alarm_episodes import Span


class Difference(NamedTuple):
    """An activation before and after: new, gone, or changed."""

    before: Span | None
    after: Span | None

    @property
    def start_us(self) -> int:
        """When it began; what is gone by when it had begun."""
        span = self.after or self.before
        return 0 if span is None else span.start_us


def differences(before: Sequence[Span], after: Sequence[Span]) -> list[Difference]:
    """Return what is different, by time; an activation whose start moved is the same one."""
    old = {span.start_us: span for span in before}
    new = {span.start_us: span for span in after}
    found = [
        Difference(old[start], span)
        for start, span in new.items()
        if start in old and old[start] != span
    ]
    gone = [span for start, span in old.items() if start not in new]
    for span in (one for start, one in new.items() if start not in old):
        moved = next((one for one in gone if _overlap(one, span)), None)
        if moved is not None:
            gone.remove(moved)
        found.append(Difference(moved, span))
    found += [Difference(span, None) for span in gone]
    return sorted(found, key=lambda one: one.start_us)


def _overlap(a: Span, b: Span) -> bool:
    a_ends_first = a.cleared_us is not None and a.cleared_us < b.start_us
    b_ends_first = b.cleared_us is not None and b.cleared_us < a.start_us
    return not (a_ends_first or b_ends_first)
