"""Targets: what devices are fixed to, where it is and was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from penstock.catalog.database import Database
from penstock.catalog.device_models import AssignmentRow, TargetPlace, TargetRow
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.models import Device, Thing
from penstock.catalog.places import wrong_position
from penstock.catalog.tables import NAME_LENGTH
from penstock.core.devices import Assignment, Place, Target, TargetName
from penstock.core.errors import Conflict, InvalidInput, NotFound


class SqlTargets:
    """Keeps targets. See `core.devices.TargetRecords`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def targets(
        self, systems: frozenset[int] | None = None, ids: Sequence[int] | None = None
    ) -> Sequence[Target]:
        """Return targets by id; None is all."""
        query = select(TargetRow.__table__).order_by(TargetRow.id)
        if systems is not None:
            query = query.where(TargetRow.system_id.in_(sorted(systems)))
        if ids is not None:
            query = query.where(TargetRow.id.in_(list(ids)))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
            found = [row.id for row in rows]
            places = _newest_places(connection, None if ids is None else found)
            devices = _devices(connection, None if ids is None else found)
        return [
            Target(
                id=row.id,
                name=row.name,
                system=row.system_id,
                description=row.description,
                properties=row.properties,
                location=places[row.id].position if row.id in places else None,
                located_us=places[row.id].time_us if row.id in places else None,
                devices=devices.get(row.id, []),
            )
            for row in rows
        ]

    def create(self, target: Target) -> Target:
        """Create a target; id 0 takes the next free one."""
        if not 1 <= len(target.name) <= NAME_LENGTH:
            msg = (
                f"target name {target.name[:40]!r} has {len(target.name)} characters; 1 to "
                f"{NAME_LENGTH} are allowed"
            )
            raise InvalidInput(msg)
        values: dict[str, Any] = {
            "name": target.name,
            "system_id": target.system,
            "description": target.description,
            "properties": dict(target.properties),
        }
        with self._database.write() as connection:
            taken = connection.execute(
                select(TargetRow.id).where(
                    TargetRow.system_id == target.system, TargetRow.name == target.name
                )
            ).scalar()
            if taken is not None:
                msg = f"there is a target {target.name!r} already, with id {taken}"
                raise Conflict(msg)
            if target.id:
                _require_free(connection, target.id)
                values["id"] = target.id
            made = connection.execute(insert(TargetRow).values(**values))
            id_ = int(made.inserted_primary_key[0])  # type: ignore[index]
            if target.location is not None:
                place = Place(time_us=target.located_us or 0, position=target.location)
                _move(connection, id_, [place])
        return self.targets(ids=[id_])[0]

    def delete(self, target: int) -> None:
        """Delete a target with its history; its devices are fixed to nothing."""
        with self._database.write() as connection:
            if connection.execute(delete(TargetRow).where(TargetRow.id == target)).rowcount == 0:
                raise _unknown(target)

    def move(self, target: int, places: Sequence[Place]) -> None:
        """Keep where a target was; one at a time already held replaces it."""
        with self._database.write() as connection:
            _require(connection, target)
            _move(connection, target, places)

    def places(
        self, target: int, from_us: int | None, until_us: int | None, limit: int
    ) -> Sequence[Place]:
        """Return the newest `limit` places of a target in a range, by time."""
        query = select(TargetPlace.time_us, TargetPlace.position).where(
            TargetPlace.target_id == target
        )
        if from_us is not None:
            query = query.where(TargetPlace.time_us >= from_us)
        if until_us is not None:
            query = query.where(TargetPlace.time_us < until_us)
        query = query.order_by(TargetPlace.time_us.desc()).limit(limit)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [Place(time_us=at, position=tuple(position)) for at, position in reversed(rows)]

    def assign(self, thing_id: int, target: int | None, now_us: int) -> None:
        """Fix a device to a target, or to none, from now on; again is harmless."""
        with self._database.write() as connection:
            if connection.execute(select(Thing.id).where(Thing.id == thing_id)).first() is None:
                msg = f"there is no device with Thing {thing_id}"
                raise NotFound(msg)
            if target is not None:
                _require(connection, target)
            current = select(AssignmentRow.id, AssignmentRow.target_id, AssignmentRow.from_us)
            held = connection.execute(
                current.where(AssignmentRow.thing_id == thing_id, AssignmentRow.until_us.is_(None))
            ).first()
            if held is not None and held.target_id == target:
                return
            if held is not None:
                connection.execute(
                    update(AssignmentRow)
                    .where(AssignmentRow.id == held.id)
                    .values(until_us=max(now_us, held.from_us))
                )
            if target is not None:
                connection.execute(
                    insert(AssignmentRow).values(
                        thing_id=thing_id, target_id=target, from_us=now_us
                    )
                )

    def assignments(
        self, *, thing_id: int | None = None, target: int | None = None
    ) -> Sequence[Assignment]:
        """Return who was fixed to what, newest first."""
        query = (
            select(
                Thing.name.label("device"),
                AssignmentRow.thing_id,
                AssignmentRow.target_id,
                TargetRow.name,
                AssignmentRow.from_us,
                AssignmentRow.until_us,
            )
            .join(Thing, Thing.id == AssignmentRow.thing_id)
            .join(TargetRow, TargetRow.id == AssignmentRow.target_id)
            .order_by(AssignmentRow.id.desc())
        )
        if thing_id is not None:
            query = query.where(AssignmentRow.thing_id == thing_id)
        if target is not None:
            query = query.where(AssignmentRow.target_id == target)
        with self._database.read() as connection:
            return [
                Assignment(
                    device=row.device,
                    thing_id=row.thing_id,
                    target=TargetName(row.target_id, row.name),
                    from_us=row.from_us,
                    until_us=row.until_us,
                )
                for row in connection.execute(query)
            ]


def _unknown(target: int) -> NotFound:
    return NotFound(f"there is no target with id {target}; `targets` lists those that are")


def _require(connection: Connection, target: int) -> None:
    if connection.execute(select(TargetRow.id).where(TargetRow.id == target)).first() is None:
        raise _unknown(target)


def _require_free(connection: Connection, target: int) -> None:
    if connection.execute(select(TargetRow.id).where(TargetRow.id == target)).first() is not None:
        msg = f"there is a target with id {target} already; leave the id out to get a free one"
        raise Conflict(msg)


def _move(connection: Connection, target: int, places: Sequence[Place]) -> None:
    for place in places:
        problem = wrong_position(place.position)
        if problem:
            raise InvalidInput(problem)
    if not places:
        return
    statement = upsert(TargetPlace)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["target_id", "time_us"], set_={"position": statement.excluded.position}
        ),
        [
            {"target_id": target, "time_us": place.time_us, "position": list(place.position)}
            for place in places
        ],
    )


def _newest_places(connection: Connection, targets: Sequence[int] | None) -> dict[int, Place]:
    newest = select(TargetPlace.target_id, func.max(TargetPlace.time_us).label("time_us")).group_by(
        TargetPlace.target_id
    )
    if targets is not None:
        newest = newest.where(TargetPlace.target_id.in_(targets))
    last = newest.subquery()
    query = select(TargetPlace.target_id, TargetPlace.time_us, TargetPlace.position).join(
        last,
        (TargetPlace.target_id == last.c.target_id) & (TargetPlace.time_us == last.c.time_us),
    )
    return {
        id_: Place(time_us=time_us, position=tuple(position))
        for id_, time_us, position in connection.execute(query)
    }


def _devices(connection: Connection, targets: Sequence[int] | None) -> dict[int, list[str]]:
    query = (
        select(AssignmentRow.target_id, Device.name)
        .join(Device, Device.thing_id == AssignmentRow.thing_id)
        .where(AssignmentRow.until_us.is_(None))
        .order_by(Device.name)
    )
    if targets is not None:
        query = query.where(AssignmentRow.target_id.in_(targets))
    found: dict[int, list[str]] = {}
    for id_, name in connection.execute(query):
        found.setdefault(id_, []).append(name)
    return found
