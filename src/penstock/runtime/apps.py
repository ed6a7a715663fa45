"""Stream SQL of a hub: the engine, the apps, and who answers questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import pyarrow.compute as pc

from penstock.catalog.apps.records import SqlApps
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import Access, Kind, Principal, Scope
from penstock.core.apps import KeptApp, OutputKind
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.people import Actor, Event
from penstock.core.platform import Check
from penstock.core.queries import Meaning, Query, RunState, Sink, Streams
from penstock.core.store import CanSummarise, Store
from penstock.devices.post import Post
from penstock.ingest.ingest import Ingest
from penstock.runtime.config import Config
from penstock.runtime.courier import Courier
from penstock.sql.apps.checking import check_columns
from penstock.sql.apps.desk import AppDesk
from penstock.sql.apps.running import Running
from penstock.sql.apps.topics import TopicSink
from penstock.sql.apps.verifying import Recorder, Verifier
from penstock.sql.engine.derived import DatastreamSink, Origin
from penstock.sql.engine.engine import Engine
from penstock.sql.engine.outlet import Outlet
from penstock.sql.plan import Plan


class StreamRoom:
    """The stream SQL of one platform.

    Args:
        config: All settings.
        catalog: Knows the datastreams.
        store: Keeps observations.
        ingest: Keeps what is derived.
        clock: Tells the time.
        access: Gives the organisation as it is now.
        note: Writes the audit trail.
        post: Reaches the door, for apps whose output is a topic.
        delete: Deletes Datastreams with their observations.
    """

    def __init__(
        self,
        *,
        config: Config,
        catalog: SqlCatalog,
        store: Store,
        ingest: Ingest,
        clock: Clock,
        access: Callable[[], Access],
        note: Callable[[Actor, Event], None],
        post: Post,
        delete: Callable[[Sequence[int]], None],
    ) -> None:
        self._access = access
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self.engine = Engine(
            store,
            catalog,
            ingest.keep,
            self._plan_of,
            self.scope_of,
            config.data_path / "sql",
            clock,
            config.sql,
            positions=lambda: ingest.positions,
            retention_s=config.store.retention_s,
            system_name=self._system_name,
        )
        ingest.follow(self.engine)
        self._records = SqlApps(catalog.database)
        self._courier = Courier(post)
        streams = cast("Streams", self.engine)
        self.running = Running(self._records, streams, self._sink, clock, self._first_us)
        self.apps = AppDesk(
            records=self._records,
            running=self.running,
            streams=streams,
            make_sink=self._sink,
            verifier=Verifier(store, catalog, self._recorder),
            catalog=catalog,
            delete=delete,
            access=access,
            clock=clock,
            note=note,
            max_apps=config.apps.max_apps,
        )

    def start(self) -> None:
        """Compute from now on, what was started before too; ingest must run."""
        self.engine.start_thread()
        self.running.restore()

    def close(self) -> None:
        """End; ingest must still run. Safe to call twice."""
        self.running.close()
        self.engine.close()
        self._courier.close()

    def stats(self) -> Mapping[str, float]:
        """Return counters and gauges by their Prometheus name."""
        states = [status.state for _, status in self.running.statuses().values()]
        return {
            **self.engine.stats(),
            "penstock_apps_started": float(len(states)),
            "penstock_apps_failing": float(sum(map(_is_wrong, states))),
        }

    def check(self) -> Check:
        """Return how the apps fare."""
        found = list(self.running.statuses().values())
        wrong = [(app, status) for app, status in found if _is_wrong(status.state)]
        if not wrong:
            return Check("apps", ok=True, message=f"{len(found)} stream apps run")
        app, status = wrong[0]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Check(
            "apps",
            ok=False,
            message=f"stream app {app.spec.name}{more} {status.state}: {status.message}; "
            f"`penstock apps log {app.spec.name}` tells more",
        )

    def scope_of(self, system: int) -> Scope:
        """Return what a system may read: its own and what others let it read."""
        access = self._access()
        if not access.organisation.accounts:
            return Scope(everything=True)
        return access.scope_of_system(system)

    def _plan_of(self, query: Query) -> Plan:
        # The parser takes memory that only those need who ask.
        from penstock.sql.language.compiling import compile_query

        names = {app.spec.name for app in self._records.apps() if app.system == query.system}
        return compile_query(query.sql, reach_us=round(query.reach_s * 1e6), apps=names)

    def _sink(self, app: KeptApp, meaning: Meaning) -> Sink:
        check_columns(app.spec, meaning)
        if app.spec.output.kind is OutputKind.TOPIC:
            return TopicSink(
                app.spec, meaning, self._courier.send, lambda topic: self._may(app.system, topic)
            )
        return self.engine.sink(self._origin(app), app.spec.output, meaning)

    def _recorder(
        self, app: KeptApp, meaning: Meaning, catalog: Catalog, recorder: Recorder
    ) -> Sink:
        return DatastreamSink(
            self._origin(app),
            app.spec.output,
            meaning,
            outlet=cast("Outlet", recorder),
            pictures=self.engine.pictures,
            catalog=catalog,
            store=self._store,
            clock=self._clock,
        )

    def _origin(self, app: KeptApp) -> Origin:
        is_default = app.system == DEFAULT_SYSTEM
        return Origin(
            id=app.id,
            name=app.spec.name,
            version=app.version,
            system=app.system,
            prefix="" if is_default else f"{app.spec.system}.",
        )

    def _may(self, system: int, topic: str) -> bool:
        access = self._access()
        is_own = access.system_of(topic) == system or not access.organisation.accounts
        return is_own and access.may_publish(Principal(Kind.PLATFORM), topic)

    def _system_name(self, system: int) -> str:
        systems = self._access().organisation.systems
        return next((one.name for one in systems if one.id == system), str(system))

    def _first_us(self) -> int | None:
        if not isinstance(self._store, CanSummarise):
            return None
        first = pc.min(self._store.summaries().column("first_time").cast("int64")).as_py()
        return None if first is None else int(first)


def _is_wrong(state: RunState) -> bool:
    return state in (RunState.FAILED, RunState.FAILING)


