"""Systems in a catalog, and what belongs to them."""

from __future__ import annotations

from sqlalchemy import insert, select

from penstock.catalog import SqlCatalog
from penstock.catalog.models import Datastream, Thing
from penstock.catalog.organisation_models import SystemRow


def add_systems(catalog: SqlCatalog, *ids: int) -> None:
    """Make systems with these ids."""
    with catalog._database.write() as connection:
        for id_ in ids:
            connection.execute(
                insert(SystemRow).values(
                    id=id_, company_id=1, name=f"a.b.c.s{id_}", folded=f"a.b.c.s{id_}",
                    description="", topics=[], created_us=0, created_by="",
                )
            )  # fmt: skip


def owners(catalog: SqlCatalog) -> dict[int, int]:
    """Return the system of every Datastream."""
    query = select(Datastream.id, Thing.system_id).join(Thing, Datastream.thing_id == Thing.id)
    with catalog._database.read() as connection:
        return {row.id: row.system_id for row in connection.execute(query)}
