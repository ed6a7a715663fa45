"""Whether an app can be kept: its query, what it reads, and where its answer goes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from penstock.core.apps import AppRecords, AppSpec, AppState, KeptApp
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.errors import PenstockError
from penstock.core.organisation import System
from penstock.core.queries import Meaning, Streams
from penstock.sql.apps.cycles import refuse_cycle, refuse_missing
from penstock.sql.apps.running import MakeSink, query_of


class Assessor:
    """Knows what is known of the queries of apps.

    Args:
        records: Keeps apps.
        streams: Checks queries.
        make_sink: Checks that an answer has a place.
        catalog: Keeps derived Datastreams.
        clock: Tells the time.
    """

    def __init__(
        self,
        records: AppRecords,
        streams: Streams,
        make_sink: MakeSink,
        catalog: Catalog,
        clock: Clock,
    ) -> None:
        self._records = records
        self._streams = streams
        self._make_sink = make_sink
        self._catalog = catalog
        self._clock = clock
        self._meanings: dict[tuple[int, int], Meaning | None] = {}

    def draft(
        self, spec: AppSpec, system: System, by: str, held: KeptApp | None = None, id_: int = 0
    ) -> KeptApp:
        """Return an app as it may be kept: a new one of an id, or the next of one that is held."""
        return KeptApp(
            id=held.id if held else id_,
            system=system.id,
            spec=msgspec.structs.replace(spec, system=system.name),
            version=held.version if held else 1,
            state=held.state if held else AppState.STOPPED,
            by=by,
            changed_us=self._clock.now_us(),
        )

    def assess(self, app: KeptApp, beside: Sequence[KeptApp] = ()) -> Meaning:
        """Return what is known of the query of an app that is to be kept.

        Args:
            app: See above.
            beside: Apps that are to be kept with it.

        Raises:
            InvalidQuery: Its query cannot be run.
            InvalidInput: Its answer has no place, or apps would read each other in a ring.
        """
        meaning = self._streams.explain(query_of(app))
        replaced = {one.id for one in beside}
        others = [*beside, *(one for one in self._records.apps() if one.id not in replaced)]
        names = {one.spec.name for one in others if one.system == app.system}
        refuse_missing(meaning, names)
        self._make_sink(app, meaning)
        refuse_cycle(app, meaning, others, self.meaning_of(beside), self._catalog)
        return meaning

    def meaning(self, app: KeptApp) -> Meaning | None:
        """Return what is known of the query of an app, or None if it cannot be run any more."""
        key = (app.id, app.version)
        if key not in self._meanings:
            try:
                self._meanings[key] = self._streams.explain(query_of(app))
            except PenstockError:
                return None
        return self._meanings[key]

    def keep(self, app: KeptApp, meaning: Meaning) -> None:
        """Remember what is known of an app that is kept now."""
        self._meanings[app.id, app.version] = meaning

    def meaning_of(self, drafts: Iterable[KeptApp]) -> _MeaningOf:
        """Return what tells what is known of an app, drafts that are not kept yet among them."""
        return _MeaningOf(self, {one.id: one for one in drafts})

    def explained(self, app: KeptApp) -> Meaning | None:
        """Return what is known of a draft, or None if its query cannot be run."""
        try:
            return self._streams.explain(query_of(app))
        except PenstockError:
            return None


class _MeaningOf:
    def __init__(self, assessor: Assessor, drafts: dict[int, KeptApp]) -> None:
        self._assessor = assessor
        self._drafts = drafts
        self._known: dict[int, Meaning | None] = {}

    def __call__(self, app: KeptApp) -> Meaning | None:
        draft = self._drafts.get(app.id)
        if draft is None:
            return self._assessor.meaning(app)
        if app.id not in self._known:
            self._known[app.id] = self._assessor.explained(draft)
        return self._known[app.id]
