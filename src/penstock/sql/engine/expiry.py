"""What has expired is not computed again: the rows beside a late one are gone."""

from __future__ import annotations

from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.sql.engine.ranges import NEVER_US, ceiling, within
from penstock.sql.engine.standing import Standing

#: How often retentions are asked for, seconds.
ASK_EVERY_S = 10.0


class Expiry:
    """Knows from when on the rows of datastreams are all there.

    Args:
        catalog: Knows which have a retention of their own.
        clock: Tells the time.
        default_s: How long the others are kept; None for ever.
    """

    def __init__(self, catalog: Catalog, clock: Clock, default_s: float | None) -> None:
        self._catalog = catalog
        self._clock = clock
        self._default_s = default_s
        self._own: dict[int, float] = {}
        self._asked_s = -1e9

    def since(self, standing: Standing) -> int:
        """Return the time from which on no row of a query's sources has expired."""
        now_s = self._clock.monotonic_s()
        if now_s - self._asked_s > ASK_EVERY_S:
            self._asked_s, self._own = now_s, dict(self._catalog.retentions())
        ids = standing.ids.tolist() if self._own else []
        ages = [self._own[id_] for id_ in ids if id_ in self._own]
        if self._default_s is not None and len(ages) < max(1, len(ids)):
            ages.append(self._default_s)
        return self._clock.now_us() - round(min(ages) * 1e6) if ages else NEVER_US

    def cut(self, standing: Standing) -> None:
        """Drop ranges to be computed again whose inputs have expired, and count them."""
        if not standing.pending:
            return
        since = self.since(standing)
        if since == NEVER_US or standing.pending[0][0] - standing.meaning.back_us >= since:
            return
        first = ceiling(since + standing.meaning.back_us, standing.meaning)
        kept = within(standing.pending, first, 1 << 62)
        standing.too_late += len(standing.pending) - len(kept)
        standing.pending = kept
