"""The stream apps of a hub, put together over its engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import cast

import numpy as np
import pyarrow.compute as pc

from penstock.catalog.apps.records import SqlApps
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import Access, Kind, Principal
from penstock.core.apps import KeptApp, OutputKind
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.errors import InvalidInput
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.people import Actor, Event
from penstock.core.platform import Check
from penstock.core.queries import Meaning, RunState, Sink, Streams
from penstock.core.store import CanSummarise, Store
from penstock.devices.post import Post
from penstock.runtime.config import Config
from penstock.runtime.courier import Courier
from penstock.sql.apps.checking import check_columns
from penstock.sql.apps.desk import AppDesk
from penstock.sql.apps.running import Running
from penstock.sql.apps.verifying import Recorder, Verifier
from penstock.sql.engine.adhoc import Questions
from penstock.sql.engine.derived import DatastreamSink, Origin
from penstock.sql.engine.engine import Engine
from penstock.sql.engine.outlet import Outlet
from penstock.sql.engine.topic import TopicSink
from penstock.sql.plan import Plan


class AppRoom:
    """The stream apps of one platform.

    Args:
        config: All settings.
        catalog: Knows the datastreams.
        store: Keeps observations.
        engine: Runs queries.
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
        engine: Engine,
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
        self._engine = engine
        self._records = SqlApps(catalog.database)
        self._courier = Courier(post)
        streams = cast("Streams", engine)
        self.questions = Questions(store, engine.pictures, _question, config.sql)
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
        """Start what was started before; the engine must be open."""
        self.running.restore()

    def close(self) -> None:
        """End watching. Safe to call twice."""
        self.running.close()
        self._courier.close()

    def stats(self) -> Mapping[str, float]:
        """Return counters and gauges by their Prometheus name."""
        states = [status.state for _, status in self.running.statuses().values()]
        return {
            "penstock_apps_started": float(len(states)),
            "penstock_apps_failing": float(sum(map(_is_wrong, states))),
        }

    def check(self) -> Check:
        """Return how the apps fare."""
        found = list(self.running.statuses().values())
        wrong = [(app, status) for app, status in found if _is_wrong(status.state)]
        if not wrong:
            what = "1 stream app runs" if len(found) == 1 else f"{len(found)} stream apps run"
            return Check("apps", ok=True, message=what)
        app, status = wrong[0]
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Check(
            "apps",
            ok=False,
            message=f"stream app {app.spec.name}{more} {status.state}: {status.message}; "
            f"`penstock apps log {app.spec.name}` tells more",
        )

    def _sink(self, app: KeptApp, meaning: Meaning) -> Sink:
        check_columns(app.spec, meaning)
        if app.spec.output.kind is OutputKind.TOPIC:
            return TopicSink(
                app.spec.output, meaning, partial(self._publish, app), self._engine.pictures
            )
        return self._engine.sink(self._origin(app), app.spec.output, meaning)

    def _publish(self, app: KeptApp, messages: Sequence[tuple[str, bytes]]) -> None:
        for topic in {topic for topic, _ in messages}:
            if not self._may(app.system, topic):
                msg = f"system {app.spec.system} may not publish to topic {topic[:80]!r}"
                raise InvalidInput(msg)
        self._courier.send(messages)

    def _recorder(
        self, app: KeptApp, meaning: Meaning, catalog: Catalog, recorder: Recorder
    ) -> Sink:
        return DatastreamSink(
            self._origin(app),
            app.spec.output,
            meaning,
            outlet=cast("Outlet", recorder),
            pictures=self._engine.pictures,
            catalog=catalog,
            store=self._store,
            clock=self._clock,
            inputs=lambda: np.zeros(0, np.int64),
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

    def _first_us(self) -> int | None:
        if not isinstance(self._store, CanSummarise):
            return None
        first = pc.min(self._store.summaries().column("first_time").cast("int64")).as_py()
        return None if first is None else int(first)


def _is_wrong(state: RunState) -> bool:
    return state in (RunState.FAILED, RunState.FAILING)


def _question(sql: str) -> Plan:
    # The parser takes memory that only those need who ask.
    from penstock.sql.language import compile_adhoc

    return compile_adhoc(sql)
