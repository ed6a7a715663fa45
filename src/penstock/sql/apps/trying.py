"""Queries that are checked and computed without being kept, and the proof of what ran live."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyarrow as pa

from penstock.core.access import Action
from penstock.core.apps import AppRecords, AppSpec, KeptApp, OutputKind, Verified
from penstock.core.errors import Conflict, InvalidInput, NotSupported
from penstock.core.people import Actor
from penstock.core.queries import Meaning, Progress, Query, Streams
from penstock.sql.apps.answers import answers
from penstock.sql.apps.checking import checked
from penstock.sql.apps.rights import Rights
from penstock.sql.apps.running import query_of
from penstock.sql.apps.verifying import Verifier
from penstock.sql.filters import translate


class Trials:
    """Tries queries. Safe to call from any thread; see `core.apps.Apps` for what each does.

    Args:
        rights: Who may what.
        records: Keeps apps.
        streams: Checks and computes queries.
        verifier: Compares what is stored with what is computed.
    """

    def __init__(
        self, rights: Rights, records: AppRecords, streams: Streams, verifier: Verifier
    ) -> None:
        self._rights = rights
        self._records = records
        self._streams = streams
        self._verifier = verifier

    def explain(self, by: Actor, spec: AppSpec) -> Meaning:
        """Check a query and tell what is known of it, without keeping it."""
        return self._streams.explain(query_of(self._unkept(by, spec)))

    def translate(self, by: Actor, text: str) -> str:
        """Return a filter of the digital twin stack as a `SELECT`, which is checked."""
        self._rights.require_member(by)
        sql = translate(text)
        self._streams.explain(Query(sql=sql))
        return sql

    def backtest(
        self,
        by: Actor,
        spec: AppSpec,
        start_us: int,
        end_us: int,
        progress: Progress | None = None,
    ) -> Iterator[pa.Table]:
        """Compute the rows of a query over a range of event time, keeping nothing."""
        _check_range(start_us, end_us)
        query = query_of(self._unkept(by, spec))
        meaning = self._streams.explain(query)
        parts = self._streams.over(query, start_us, end_us, progress)
        return answers(parts, meaning)

    def verify(
        self, by: Actor, app: int, start_us: int, end_us: int, progress: Progress | None = None
    ) -> Verified:
        """Compare what is stored of one for a range with a new computation."""
        _check_range(start_us, end_us)
        held = self._rights.seen(by, app)
        if held.spec.output.kind is not OutputKind.DATASTREAMS:
            msg = "the output of this app is a topic, which is not kept; use `backtest`"
            raise NotSupported(msg)
        answered = self._streams.answered(app)
        if answered is None:
            msg = f"app {held.spec.name!r} has not run yet; start it, or use `backtest`"
            raise Conflict(msg)
        start_us, end_us = max(start_us, answered[0]), min(end_us, answered[1])
        end_us = max(start_us, end_us)
        query = query_of(held)
        meaning = self._streams.explain(query)
        parts = self._streams.over(query, start_us, end_us, progress)
        derived = self._records.derived(app)
        return self._verifier.compare(held, meaning, derived, parts, start_us, end_us)

    def _unkept(self, by: Actor, spec: AppSpec) -> KeptApp:
        wanted = msgspec.structs.replace(spec, name=spec.name or "query")
        system = self._rights.system(by, spec.system, Action.READ)
        return KeptApp(system=system.id, spec=checked(wanted), by="", changed_us=0)


def _check_range(start_us: int, end_us: int) -> None:
    if start_us >= end_us:
        msg = f"the range from {start_us} to {end_us} is empty; the end comes behind the start"
        raise InvalidInput(msg)
