"""Which new rows somebody may see: decided anew when the organisation changes or time passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.api.context import NONE, Context
from penstock.core.access import Principal, Scope


class Sight:
    """What one live stream may hand over. Used by one task at a time.

    Args:
        ctx: The platform's parts.
        who: Who watches.
        standing: Tells whether they are still who they said.
        wanted: Datastreams asked for; None is all.
    """

    def __init__(
        self,
        ctx: Context,
        who: Principal,
        standing: Callable[[], bool],
        wanted: Sequence[int] | None,
    ) -> None:
        self._ctx = ctx
        self._who = who
        self._standing = standing
        self._wanted = None if wanted is None else list(dict.fromkeys(wanted))
        self._scope: Scope = ctx.scope(who)
        self._verdicts: dict[int, bool] = {}
        #: Whether the last `look` found that something else may be seen than before.
        self.has_changed = False

    @property
    def wanted(self) -> tuple[int, ...] | None:
        """What was asked for."""
        return None if self._wanted is None else tuple(self._wanted)

    @property
    def sees_all(self) -> bool:
        """Whether nothing is kept from who watches."""
        return self._scope.everything

    def readable(self) -> tuple[int, ...] | None:
        """Return the datastreams asked for that may be seen; None is all. Waits for disk."""
        if self.sees_all:
            return self.wanted
        return tuple(self._ctx.catalog.readable(self._scope, self._wanted)) or NONE

    def look(self) -> bool:
        """Take what may be seen as it is now; return whether who watches is still welcome."""
        if not self._standing():
            return False
        scope = self._ctx.access.scope(self._who)
        self.has_changed = scope != self._scope
        if self.has_changed:
            self._scope = scope
            self._verdicts.clear()
        return True

    def sees_nothing(self) -> bool:
        """Tell whether nothing of what was asked for may be seen (any more). Waits for disk."""
        if self.sees_all or self._wanted is None:
            return False
        return not self._ctx.catalog.readable(self._scope, self._wanted)

    def is_known(self, batch: pa.RecordBatch) -> bool:
        """Tell whether `filter` needs no look into the catalog."""
        return self.sees_all or all(id_ in self._verdicts for id_ in _ids(batch))

    def filter(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows that may be seen. Waits for disk unless `is_known`."""
        if self.sees_all:
            return batch
        present = _ids(batch)
        new = [id_ for id_ in present if id_ not in self._verdicts]
        if new:
            readable = set(self._ctx.catalog.readable(self._scope, new))
            self._verdicts.update((id_, id_ in readable) for id_ in new)
        seen = [id_ for id_ in present if self._verdicts[id_]]
        if len(seen) == len(present):
            return batch
        return batch.filter(pa.array(np.isin(_column(batch), np.array(seen, np.int64))))


def _column(batch: pa.RecordBatch) -> Any:
    return batch.column("datastream").to_numpy()


def _ids(batch: pa.RecordBatch) -> list[int]:
    found: list[int] = np.unique(_column(batch)).tolist()
    return found
