"""The catalog in a relational database."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from penstock.catalog.admission import chunks
from penstock.catalog.database import Database, connect
from penstock.catalog.described_features import DescribedFeatures
from penstock.catalog.enrolment import MAX_ID, Enrolment
from penstock.catalog.models import Datastream, Device, ObservedProperty, Sensor, Thing
from penstock.catalog.recognition import recognise
from penstock.catalog.registering import register
from penstock.catalog.schema import bring_up_to_date
from penstock.catalog.scoping import is_within
from penstock.catalog.search import matches
from penstock.catalog.settings import CatalogSettings
from penstock.core.access import EVERYTHING, Scope
from penstock.core.catalog import DatastreamInfo, DeviceInfo, DeviceStatus, Enrolled, Policy
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.registration import Registration
from penstock.core.series import ObservationType, Series, Unit


class SqlCatalog:
    """Keeps the SensorThings entities in SQLite or PostgreSQL. See `core.catalog.Catalog`.

    Made by `open`. Reads go on while another thread writes; writes wait for each other.
    """

    def __init__(self, database: Database, settings: CatalogSettings) -> None:
        self._database = database
        self._described = DescribedFeatures(database)
        self._settings = settings

    @classmethod
    def open(
        cls,
        path_or_url: str | Path,
        settings: CatalogSettings | None = None,
        *,
        is_hub: bool = False,
    ) -> SqlCatalog:
        """Open a file (made if missing) or a database in PostgreSQL, with today's tables.

        Args:
            path_or_url: Where it is.
            settings: Of section [catalog].
            is_hub: No other hub may have it, until `close`; other programs may.

        Raises:
            Conflict: Another hub has it.
            ConfigError: It is neither, or written by a newer Penstock.
            MissingDependency: It is PostgreSQL, whose driver is not installed.
            Corrupt: The file is damaged.
            NotConnected: The file cannot be opened, or the server not reached.
        """
        settings = settings or CatalogSettings()
        database = connect(path_or_url, settings.busy_timeout_s)
        try:
            if is_hub:
                database.dialect.own()
            bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
        return cls(database, settings)

    @property
    def database(self) -> Database:
        """The database, for what else is kept in it."""
        return self._database

    def enrol(self, series: Sequence[Series], policy: Policy, now_us: int) -> Sequence[Enrolled]:
        """Find or create the Datastream of each series; durable when it returns."""
        if not series:
            return []
        with self._database.read() as connection:
            known = recognise(connection, series)
        if known is not None:
            return known
        with self._database.write() as connection:
            limit = self._settings.max_pending_devices
            return Enrolment(connection, policy, now_us, limit).run(series)

    def describe_features(self, described: Sequence[tuple[int, str]], now_us: int) -> Sequence[int]:
        """Find or create FeaturesOfInterest; 0 stands for what cannot be kept."""
        return [self._described.find(system, text, now_us) for system, text in described]

    def register(self, wanted: Registration, now_us: int) -> Sequence[int]:
        """Find or create all that is named, and return the id of each Datastream, in order."""
        with self._database.write() as connection:
            return register(connection, wanted, now_us, self._settings.max_pending_devices)

    def datastreams(
        self,
        search: str = "",
        *,
        thing: str | None = None,
        ids: Sequence[int] | None = None,
        after: int = 0,
        limit: int = 100,
        scope: Scope = EVERYTHING,
    ) -> Sequence[DatastreamInfo]:
        """Return datastreams by ascending id, those behind `after`, of those in `scope`."""
        query = _INFO.where(Datastream.id > min(after, MAX_ID), *matches(search), *is_within(scope))
        if thing is not None:
            query = query.where(Thing.name == thing)
        query = query.order_by(Datastream.id).limit(max(0, min(limit, MAX_ID)))
        found: list[DatastreamInfo] = []
        with self._database.read() as connection:
            if ids is None:
                return [_info(row) for row in connection.execute(query)]
            for chunk in chunks(sorted({at for at in ids if after < at <= MAX_ID})):
                rows = connection.execute(query.where(Datastream.id.in_(chunk)))
                found.extend(_info(row) for row in rows)
                if len(found) >= limit:
                    break
        return found[: max(0, limit)]

    def count_datastreams(self, search: str = "", scope: Scope = EVERYTHING) -> int:
        """Return how many datastreams `datastreams(search)` would give without a limit."""
        query = select(func.count()).select_from(Datastream).where(*matches(search))
        if not scope.everything:
            query = query.join(Thing, Datastream.thing_id == Thing.id).where(*is_within(scope))
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def readable(self, scope: Scope, ids: Sequence[int] | None = None) -> Sequence[int]:
        """Return which of these datastreams, or of all, are in a scope, ascending."""
        query = (
            select(Datastream.id)
            .join(Thing, Datastream.thing_id == Thing.id)
            .where(*is_within(scope))
            .order_by(Datastream.id)
        )
        found: list[int] = []
        with self._database.read() as connection:
            if ids is None:
                return connection.execute(query).scalars().all()
            for chunk in chunks(sorted({at for at in ids if 0 < at <= MAX_ID})):
                rows = connection.execute(query.where(Datastream.id.in_(chunk)))
                found.extend(rows.scalars())
        return found

    def devices(self, status: DeviceStatus | None = None) -> Sequence[DeviceInfo]:
        """Return devices by name."""
        query = select(Device.name, Device.status, Device.first_seen_us, Device.thing_id)
        if status is not None:
            query = query.where(Device.status == status)
        with self._database.read() as connection:
            return [
                DeviceInfo(name=name, status=DeviceStatus(held), first_seen_us=seen, thing_id=thing)
                for name, held, seen, thing in connection.execute(query.order_by(Device.name))
            ]

    def decide(self, device: str, status: DeviceStatus) -> None:
        """Approve or refuse a device by name.

        Raises:
            NotFound: No such device was ever seen.
            InvalidInput: The status is neither enrolled nor refused.
        """
        if status is DeviceStatus.PENDING:
            msg = f"device {device!r} cannot be made to wait again; approve or refuse it"
            raise InvalidInput(msg)
        with self._database.write() as connection:
            done = connection.execute(
                update(Device).where(Device.name == device).values(status=status)
            )
        if done.rowcount == 0:
            msg = f"no device {device!r} was ever seen; `devices` lists those that were"
            raise NotFound(msg)

    def set_retention(self, datastream: int, retention_s: float | None) -> None:
        """Set how long observations of a datastream are kept; None for the store's default.

        Raises:
            NotFound: No such datastream.
            InvalidInput: Not a positive number of seconds.
        """
        if retention_s is not None and not (math.isfinite(retention_s) and retention_s > 0):
            msg = f"retention {retention_s!r} is not a positive number of seconds"
            raise InvalidInput(msg)
        with self._database.write() as connection:
            done = connection.execute(
                update(Datastream)
                .where(Datastream.id == min(max(datastream, 0), MAX_ID))
                .values(retention_s=retention_s)
            )
        if done.rowcount == 0:
            msg = f"there is no datastream with id {datastream}"
            raise NotFound(msg)

    def retentions(self) -> Mapping[int, float]:
        """Return the datastreams with a retention of their own, in seconds."""
        query = select(Datastream.id, Datastream.retention_s).where(
            Datastream.retention_s.is_not(None)
        )
        with self._database.read() as connection:
            return {id_: float(age) for id_, age in connection.execute(query) if age is not None}

    def close(self) -> None:
        """Release the database. Safe to call twice."""
        self._database.close()


_INFO = (
    select(
        Datastream.id,
        Datastream.full_name,
        Thing.name.label("thing"),
        Thing.system_id,
        Datastream.thing_id,
        ObservedProperty.name.label("observed_property"),
        Datastream.observation_type,
        Datastream.unit_name,
        Datastream.unit_symbol,
        Datastream.unit_definition,
        Sensor.name.label("sensor"),
        Thing.position,
        Datastream.properties,
        Thing.properties.label("thing_properties"),
        Datastream.retention_s,
    )
    .join(Thing, Datastream.thing_id == Thing.id)
    .join(ObservedProperty, Datastream.observed_property_id == ObservedProperty.id)
    .join(Sensor, Datastream.sensor_id == Sensor.id)
)


def _info(row: Any) -> DatastreamInfo:
    return DatastreamInfo(
        id=row.id,
        name=row.full_name,
        thing=row.thing,
        thing_id=row.thing_id,
        observed_property=row.observed_property,
        observation_type=ObservationType(row.observation_type),
        unit=Unit(row.unit_name, row.unit_symbol, row.unit_definition),
        sensor=row.sensor,
        location=None if row.position is None else tuple(row.position),
        properties=row.properties,
        thing_properties=row.thing_properties,
        retention_s=row.retention_s,
        system=row.system_id,
    )
