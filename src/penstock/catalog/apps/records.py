"""Stream apps in the catalog's database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    delete,
    func,
    insert,
    select,
    type_coerce,
    update,
)

from penstock.catalog.app_models import AppLogRow, AppRow, AppVersionRow
from penstock.catalog.database import Database
from penstock.catalog.dialects.words import JsonNumber
from penstock.catalog.models import Datastream, Thing
from penstock.catalog.organisation_models import SystemRow
from penstock.core.apps import AppEvent, AppSpec, AppState, KeptApp
from penstock.core.errors import Conflict, NotFound


class SqlApps:
    """Keeps apps. See `core.apps.AppRecords`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apps(self, ids: Sequence[int] | None = None) -> Sequence[KeptApp]:
        """Return apps by name; None is all."""
        query = _APPS.order_by(AppRow.name, AppRow.id)
        if ids is not None:
            query = query.where(AppRow.id.in_(list(ids)))
        with self._database.read() as connection:
            return [_kept(row) for row in connection.execute(query)]

    def add(self, app: KeptApp) -> KeptApp:
        """Keep a new one and return it with its id."""
        with self._database.write() as connection:
            return _add(connection, app)

    def change(self, app: KeptApp) -> KeptApp:
        """Replace one by its next version, and return it."""
        with self._database.write() as connection:
            return _change(connection, app)

    def put(self, apps: Sequence[KeptApp]) -> Sequence[KeptApp]:
        """Keep new ones and replace others by their next versions: all, or none."""
        with self._database.write() as connection:
            return [(_change if app.id else _add)(connection, app) for app in apps]

    def set_state(self, app: int, state: AppState, by: str, now_us: int) -> KeptApp:
        """Keep what is wanted of one."""
        with self._database.write() as connection:
            connection.execute(
                update(AppRow)
                .where(AppRow.id == app)
                .values(state=state.value, changed_by=by, changed_us=now_us)
            )
            return _one(connection, app)

    def versions(self, app: int) -> Sequence[KeptApp]:
        """Return what was said of one over time, newest first."""
        query = (
            select(AppVersionRow)
            .where(AppVersionRow.app_id == app)
            .order_by(AppVersionRow.version.desc())
        )
        with self._database.read() as connection:
            now = _one(connection, app)
            return [
                msgspec.structs.replace(
                    now,
                    spec=_read(row.spec, now.spec.system),
                    version=row.version,
                    by=row.changed_by,
                    changed_us=row.changed_us,
                )
                for row in connection.execute(query)
            ]

    def remove(self, app: int) -> None:
        """Forget one, its versions and its log; its id is not used again."""
        with self._database.write() as connection:
            connection.execute(delete(AppRow).where(AppRow.id == app))

    def write(self, app: int, events: Sequence[AppEvent], keep: int) -> None:
        """Write lines into the log of one, of which the newest `keep` stay."""
        if not events:
            return
        own = AppLogRow.app_id == app
        newest = select(AppLogRow.id).where(own).order_by(AppLogRow.id.desc())
        with self._database.write(durable=False) as connection:
            if connection.execute(select(AppRow.id).where(AppRow.id == app)).scalar() is None:
                return
            connection.execute(
                insert(AppLogRow),
                [
                    {
                        "app_id": app,
                        "time_us": event.time_us,
                        "level": event.level,
                        "message": event.message,
                    }
                    for event in events
                ],
            )
            oldest = connection.execute(newest.offset(keep).limit(1)).scalar()
            if oldest is not None:
                connection.execute(delete(AppLogRow).where(own, AppLogRow.id <= oldest))

    def log(self, app: int, limit: int) -> Sequence[AppEvent]:
        """Return lines of a log, newest first."""
        query = (
            select(AppLogRow.time_us, AppLogRow.level, AppLogRow.message)
            .where(AppLogRow.app_id == app)
            .order_by(AppLogRow.id.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            return [
                AppEvent(time_us=at, level=level, message=message)
                for at, level, message in connection.execute(query)
            ]

    def derived(self, app: int) -> Sequence[int]:
        """Return the Datastreams that an app derives and that still exist, ascending."""
        query = (
            select(Datastream.id)
            .join(Thing, Thing.id == Datastream.thing_id)
            .join(AppRow, AppRow.system_id == Thing.system_id)
            .where(AppRow.id == app, AppRow.id == _APP_ID)
            .order_by(Datastream.id)
        )
        with self._database.read() as connection:
            return connection.execute(query).scalars().all()

    def count_derived(self) -> Mapping[int, int]:
        """Return how many Datastreams each app derives."""
        query = (
            select(_APP_ID, func.count())
            .join(Thing, Thing.id == Datastream.thing_id)
            .join(AppRow, (AppRow.system_id == Thing.system_id) & (AppRow.id == _APP_ID))
            .group_by(_APP_ID)
        )
        with self._database.read() as connection:
            return {int(app): count for app, count in connection.execute(query)}


#: By which app a Datastream says that it is derived. Whoever else may say so, only those of the
#: app's own system count.
_APP_ID: ColumnElement[Any] = JsonNumber(
    type_coerce(Datastream.properties, Text), about=((("app_id",),),)
)
_APPS = select(
    AppRow.id,
    AppRow.system_id,
    SystemRow.name.label("system"),
    AppRow.spec,
    AppRow.version,
    AppRow.state,
    AppRow.changed_by,
    AppRow.changed_us,
).join(SystemRow, SystemRow.id == AppRow.system_id)


def _one(connection: Connection, app: int) -> KeptApp:
    row = connection.execute(_APPS.where(AppRow.id == app)).first()
    if row is None:
        msg = f"there is no app with id {app}"
        raise NotFound(msg)
    return _kept(row)


def _kept(row: Any) -> KeptApp:
    return KeptApp(
        id=row.id,
        system=row.system_id,
        spec=_read(row.spec, row.system),
        version=row.version,
        state=AppState(row.state),
        by=row.changed_by,
        changed_us=row.changed_us,
    )


def _read(held: Mapping[str, Any], system: str) -> AppSpec:
    return msgspec.structs.replace(msgspec.convert(held, AppSpec), system=system)


def _spec(spec: AppSpec) -> dict[str, Any]:
    """Return what is kept of a spec; its system is kept beside it, whatever its name becomes."""
    held: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(spec, system=""))
    return held


def _keep_version(connection: Connection, app: KeptApp) -> None:
    connection.execute(
        insert(AppVersionRow).values(
            app_id=app.id,
            version=app.version,
            spec=_spec(app.spec),
            changed_by=app.by,
            changed_us=app.changed_us,
        )
    )


def _add(connection: Connection, app: KeptApp) -> KeptApp:
    same = select(AppRow.id).where(
        AppRow.system_id == app.system, func.lower(AppRow.name) == app.spec.name.lower()
    )
    if connection.execute(same).scalar() is not None:
        msg = f"there is an app {app.spec.name!r} already; choose another name"
        raise Conflict(msg)
    id_ = connection.execute(
        insert(AppRow)
        .values(
            system_id=app.system,
            name=app.spec.name,
            spec=_spec(app.spec),
            version=app.version,
            state=app.state.value,
            changed_by=app.by,
            changed_us=app.changed_us,
        )
        .returning(AppRow.id)
    ).scalar_one()
    made = msgspec.structs.replace(app, id=int(id_))
    _keep_version(connection, made)
    return made


def _change(connection: Connection, app: KeptApp) -> KeptApp:
    held = _one(connection, app.id)
    if held.version != app.version:
        msg = (
            f"app {held.spec.name!r} is at version {held.version}, changed by {held.by}, "
            f"and not at {app.version} any more; look at it again before you change it"
        )
        raise Conflict(msg)
    after = msgspec.structs.replace(app, version=app.version + 1)
    connection.execute(
        update(AppRow)
        .where(AppRow.id == app.id)
        .values(
            spec=_spec(after.spec),
            version=after.version,
            changed_by=after.by,
            changed_us=after.changed_us,
        )
    )
    _keep_version(connection, after)
    return _one(connection, app.id)
