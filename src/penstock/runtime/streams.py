"""The stream queries of a hub, put together."""

from __future__ import annotations

from collections.abc import Callable

from penstock.core.access import Access, Scope
from penstock.core.catalog import Catalog
from penstock.core.clock import Clock
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.queries import Query
from penstock.core.store import Store
from penstock.ingest.ingest import Ingest
from penstock.runtime.config import Config
from penstock.sql.engine.engine import Engine
from penstock.sql.plan import Plan


def make_streams(
    config: Config,
    store: Store,
    catalog: Catalog,
    ingest: Ingest,
    access: Callable[[], Access],
    clock: Clock,
) -> Engine:
    """Return the engine of a platform, following its ingest; it computes nothing before `open`."""

    def scope_of(system: int) -> Scope:
        return access().system_scope(system)

    def system_name(id_: int) -> str:
        names = {one.id: one.name for one in access().organisation.systems}
        return names.get(id_, "" if id_ == DEFAULT_SYSTEM else str(id_))

    engine = Engine(
        store,
        catalog,
        ingest.keep,
        plan_of,
        scope_of,
        config.data_path / "sql",
        clock,
        config.sql,
        positions=lambda: ingest.marks,
        retention_s=config.store.retention_s,
        system_name=system_name,
    )
    ingest.follow(engine)
    return engine


def plan_of(query: Query) -> Plan:
    """Return the plan of a query; loads the language when it is first asked.

    Raises:
        InvalidQuery: It cannot be run.
    """
    from penstock.sql.language import compile_query

    return compile_query(query.sql, reach_us=round(query.reach_s * 1e6))
