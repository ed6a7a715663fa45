"""How far the engine is: kept with what it has answered, and told after a kill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from penstock.core.clock import Clock
from penstock.core.store import Marks, Store
from penstock.sql.engine.ledger import Entry, Ledger
from penstock.sql.engine.outlet import Outlet
from penstock.sql.engine.removals import Removal, Removals
from penstock.sql.engine.standing import Standing, marks_of
from penstock.sql.engine.starting import QUERY_MARK

#: What the names of the store's marks begin with that say how far the engine has dealt with the
#: log.
LOG_MARK = "sql:"
#: The mark that counts turns which kept something.
TURN_MARK = "sql.turn"
#: Seconds between two marks that say only how far the log was read.
MARK_EVERY_S = 0.5


class Keeper:
    """Keeps answers with marks, and the ledger of what is to be computed again, in their order.

    Args:
        store: Its marks say how far all was durable at the start.
        outlet: Brings answers and marks to it.
        ledger: Holds what is to be computed again.
        removals: Holds what is removed and not followed yet.
        clock: Tells when marks alone are worth it.
    """

    def __init__(
        self, store: Store, outlet: Outlet, ledger: Ledger, removals: Removals, clock: Clock
    ) -> None:
        self._store = store
        self._outlet = outlet
        self._ledger = ledger
        self._removals = removals
        self._clock = clock
        self._followed: list[Removal] = []
        self._dealt: dict[str, int] = {}
        self._marked: dict[str, int] = {}
        self._marked_s = -1e9
        #: Number of the turn; goes on counting after a start.
        self.turn = store.marks.get(TURN_MARK, 0)

    def dealt_with(self, partition: str, at: int, entries: Iterable[Entry]) -> int:
        """Return up to where all is dealt with durably in a partition, at most `at`."""
        since = [entry.since[partition] for entry in entries if partition in entry.since]
        mark = self._store.marks.get(LOG_MARK + partition, 0)
        return min(at, max([mark, *([min(since)] if since else [])]))

    def hear(self, marks: Marks) -> None:
        """Take up to where the log was heard."""
        self._dealt.update(of_log(marks))

    def follow(self, standings: Sequence[Standing]) -> None:
        """Let queries compute again what was computed from what is removed."""
        taken = self._removals.take()
        for one in taken:
            for standing in standings:
                standing.touch(one.ranges.get(standing.entry.id, ()))
        self._followed += taken

    def write(self, standings: Iterable[Standing]) -> None:
        """Write down which ranges are to be computed again, until that is durable."""
        self._ledger.write([one.ledger_entry() for one in standings])

    def settle(self, standings: Sequence[Standing]) -> None:
        """Write down what waits, before marks move past the rows that it is for."""
        durable = self._store.marks.get(TURN_MARK, 0)
        is_old = [standing.settle(durable) for standing in standings]
        if any(is_old) or self._followed or not all(s.is_written for s in standings):
            self.write(standings)

    def keep(self, standings: Sequence[Standing], *, is_last: bool) -> None:
        """Keep what was answered, and how far that is; after `settle`.

        Args:
            standings: Of all queries.
            is_last: Marks alone are worth it now.
        """
        if self._followed:
            self._removals.cross_out(self._followed)
            self._followed = []
        marks = self._news(standings)
        settles = any(s.settling and s.settling[-1][0] == self.turn for s in standings)
        if not self._outlet.holds_rows and not settles:
            is_news = any(name.startswith(QUERY_MARK) for name in marks)
            since_s = self._clock.monotonic_s() - self._marked_s
            if not marks or (not is_news and since_s < MARK_EVERY_S and not is_last):
                return
        self._outlet.flush({**marks, TURN_MARK: self.turn})
        self._marked.update(marks)
        self._marked_s = self._clock.monotonic_s()

    def _news(self, standings: Sequence[Standing]) -> Mapping[str, int]:
        marks = {LOG_MARK + name: at for name, at in self._dealt.items()} | dict(
            marks_of(standings)
        )
        return {name: at for name, at in marks.items() if self._marked.get(name) != at}


def of_log(marks: Marks) -> dict[str, int]:
    """Return the marks that are positions in the log."""
    return {name: at for name, at in marks.items() if ":" not in name and "." not in name}
