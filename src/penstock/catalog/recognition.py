"""Series that name a Datastream whose device sends already: found without writing anything."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Connection, Select, and_, bindparam, func, select

from penstock.catalog.admission import chunks
from penstock.catalog.device_models import DeviceFact
from penstock.catalog.models import Datastream, Device, Thing
from penstock.core.catalog import DeviceStatus, Enrolled
from penstock.core.series import Series

#: Largest id that a database holds.
_MAX_ID = 2**63 - 1


def recognise(connection: Connection, batch: Sequence[Series]) -> list[Enrolled] | None:
    """Return the answer for each series, or None when enrolment has to look at the batch.

    This is how nearly all that comes by SensorThings is answered: such a series tells the id alone,
    so that the catalog learns nothing from it.
    """
    ids = {one.datastream_id for one in batch}
    if None in ids or any(one != _plain(one) for one in batch):
        return None
    known: dict[int, int] = {}
    for chunk in chunks(id_ for id_ in ids if id_ is not None and 0 < id_ <= _MAX_ID):
        rows = connection.execute(_query(), {"ids": chunk})
        known.update((id_, system) for id_, system in rows)
    if any(known.get(one.datastream_id or 0) != one.system for one in batch):
        return None
    return [Enrolled(one.datastream_id) for one in batch]


@cache
def _query() -> Select[int, int]:
    """Return the question for Datastreams with these ids whose device sends; made once."""
    return (
        select(Datastream.id, Thing.system_id)
        .join(Thing, Datastream.thing_id == Thing.id)
        .join(
            Device,
            and_(
                Device.thing_id == Thing.id,
                Device.system_id == Thing.system_id,
                Device.name == Thing.name,
            ),
        )
        .outerjoin(DeviceFact, DeviceFact.thing_id == Thing.id)
        .where(Device.status == DeviceStatus.ENROLLED)
        .where(func.coalesce(DeviceFact.retired, False).is_(False))
        .where(Datastream.id.in_(bindparam("ids", expanding=True)))
    )


def _plain(series: Series) -> Series:
    """Return what a series is that tells nothing but an id."""
    return Series(
        thing=series.thing,
        name=series.name,
        datastream_id=series.datastream_id,
        observation_type=series.observation_type,
        system=series.system,
    )
