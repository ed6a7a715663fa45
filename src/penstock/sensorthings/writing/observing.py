"""PATCH, PUT, JSON Patch and DELETE of Observations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from penstock.core.access import Action, Principal
from penstock.core.entities import NOWHERE, Identity, New
from penstock.core.entity_types import TYPES
from penstock.core.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    NotSupported,
    PenstockError,
)
from penstock.sensorthings import observation_rows
from penstock.sensorthings.observation_ids import id_of, identity_of
from penstock.sensorthings.observation_rows import ID
from penstock.sensorthings.writing.asked import Answer, Asked, Parts
from penstock.sensorthings.writing.bodies import read_entity
from penstock.sensorthings.writing.changing import JSON_PATCH
from penstock.sensorthings.writing.finding import Finder
from penstock.sensorthings.writing.intake import Intake, NotYetThere, distinct_datastreams
from penstock.sensorthings.writing.patches import apply_patch
from penstock.sensorthings.writing.permits import Permits
from penstock.sensorthings.writing.removing_rows import delete_rows, has_row
from penstock.sensorthings.writing.results import Kind, Row, row_of
from penstock.sensorthings.writing.unfinished import Move, complete_move, exactly
from penstock.sensorthings.writing.values import read_json, read_object, refuse

_OWNERS = ("Datastream", "MultiDatastream")


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A row in place of another one.

    Attributes:
        id: What its address has, before and after.
        row: The new row.
        system: Of the new row's datastream.
        move: From where to where; None when the new row takes the place of the old by itself.
    """

    id: int | str
    row: Row
    system: int
    move: Move | None


class Observer:
    """Changes and removes Observations."""

    def __init__(self, parts: Parts, permits: Permits, finder: Finder, intake: Intake) -> None:
        self._parts = parts
        self._permits = permits
        self._finder = finder
        self._intake = intake

    async def change(self, who: Principal, asked: Asked, *, whole: bool) -> Answer:
        """Change an Observation; `whole` is a PUT. It keeps its id."""
        todo: Rewriting = await self._parts.blocking(self._plan, who, asked, whole)
        if todo.move is None:
            await self._intake.keep(who, todo.system, [todo.row])
        else:
            await self._move(who, todo, todo.move)
        self._parts.changed("Observation", todo.id, "update")
        return Answer(200)

    def _plan(self, who: Principal, asked: Asked, whole: bool) -> Rewriting:
        table = self._one(who, asked)
        datastream = int(table["datastream"][0].as_py())
        self._require(who, Action.WRITE, [datastream])
        scope = self._permits.scope(who)
        owner, kind = self._kind(scope, datastream)
        shown = observation_rows.rows_of(
            table, {datastream: observation_rows.Kind(kind.type, kind.parts is not None)}
        )[0]
        before = {name: _plain(shown.get(name)) for name in TYPES["Observation"].properties}
        change = self._body(asked, before, whole=whole)
        links = self._targets(who, change)
        identity = Identity(datastream, _us(table["time"][0]), int(table["feature"][0].as_py()))
        id_ = shown[ID]
        target = next((links[name] for name in _OWNERS if name in links), datastream)
        if target != datastream:
            self._require(who, Action.WRITE, [target])
            owner, kind = self._kind(scope, target)
        for name in _OWNERS:
            if name in links and name != owner:
                raise NotFound(f"{name}: there is no {name} with id {links[name]}")
        row = row_of(change.values, kind, identity.time_us, "")
        feature = links.get("FeatureOfInterest", identity.feature)
        if target != datastream and not feature:
            feature = self._parts.features.features_now([target]).get(target, 0)
        row = row._replace(datastream=target, feature=feature)
        is_home = id_of(row.identity) == id_
        if not is_home:
            moved = row_of(change.values, kind, identity.time_us, "", id_)
            row = row._replace(parameters=moved.parameters)
        system = self._permits.system_of_datastream(target)
        assert system is not None
        old = identity if row.identity != identity else None
        if old is not None and self._is_taken(row.identity, id_):
            raise Conflict(
                f"another Observation of Datastream {target} is at this phenomenonTime; choose "
                "another time, or delete that one first"
            )
        move = None if old is None else Move(str(id_), old, None if is_home else row.identity)
        return Rewriting(id_, row, system, move)

    def _is_taken(self, identity: Identity, id_: int | str) -> bool:
        """Tell whether another Observation is there.

        What carries the same id was left by a change that was cut short: this one completes it.
        """
        held = self._parts.store.scan(exactly(identity))
        return any(observation_rows.own_id(text) != id_ for text in held["parameters"].to_pylist())

    async def _move(self, who: Principal, todo: Rewriting, move: Move) -> None:
        """Put the new row where the Observation is to be, then take it from where it was."""
        unfinished, blocking = self._parts.unfinished, self._parts.blocking
        note = self._intake.note(who, todo.system, [todo.row], move).encoded()
        id_ = await blocking(unfinished.begin, note)
        try:
            await self._intake.keep(who, todo.system, [todo.row])
        except NotYetThere:
            # It is on disk, so nothing is lost when the old one goes.
            await blocking(complete_move, self._parts, move)
            await blocking(unfinished.finish, id_)
            raise
        except PenstockError:
            await blocking(unfinished.finish, id_)
            raise
        await blocking(complete_move, self._parts, move)
        await blocking(unfinished.finish, id_)

    def _one(self, who: Principal, asked: Asked) -> pa.Table:
        if asked.path.last.is_set:
            raise InvalidInput("this is a set; name one: Observations(1)")
        if asked.path.properties:
            raise NotSupported("single properties cannot be written; PATCH the Observation")
        table = self._finder.observations(who, asked.path, asked.options)
        if not table.num_rows:
            raise NotFound("there is no such Observation")
        return table

    def _kind(self, scope: Any, datastream: int) -> tuple[str, Kind]:
        for name in _OWNERS:
            try:
                return name, self._finder.kind(scope, name, datastream)
            except NotFound:
                continue
        raise NotFound(f"there is no Datastream with id {datastream}")

    @staticmethod
    def _body(asked: Asked, before: Mapping[str, object], *, whole: bool) -> New:
        """Return all properties as they are to be, and the links that are given."""
        if JSON_PATCH in asked.content_type:
            after = apply_patch(dict(before), read_json(asked.body))
            if not isinstance(after, dict) or "result" not in after:
                raise InvalidInput("result: an Observation needs one")
            return read_entity("Observation", after)
        body = read_object(asked.body)
        if whole and "result" not in body:
            refuse("result", "it is missing; an Observation needs one")
        change = read_entity("Observation", body)
        if whole:
            return change
        held = read_entity("Observation", dict(before))
        return New(type="Observation", values={**held.values, **change.values}, links=change.links)

    def _targets(self, who: Principal, change: New) -> dict[str, int]:
        found: dict[str, int] = {}
        for name, some in change.links.items():
            one = some[0]
            if isinstance(one, New):
                refuse(name, 'a new one cannot be made here; give {"@iot.id": number}')
            self._permits.require_visible(who, name, [one], name)
            found[name] = one
        return found

    def _require(self, who: Principal, action: Action, datastreams: list[int]) -> None:
        for system in {self._permits.system_of_datastream(one) for one in datastreams}:
            if system is not None:
                self._permits.require(who, action, system)

    def delete(self, who: Principal, asked: Asked) -> Answer:
        """Remove an Observation, or all that a filter holds for."""
        if not asked.path.last.is_set:
            table = self._one(who, asked)
            self._remove(who, table)
            return Answer(200)
        if asked.options.where is None:
            raise InvalidInput("DELETE of a set needs a $filter that says which to remove")
        while True:
            table = self._finder.observations(who, asked.path, asked.options)
            if not table.num_rows or not self._remove(who, table):
                return Answer(200)

    def _remove(self, who: Principal, table: pa.Table) -> int:
        """Remove rows and return how many."""
        datastreams = distinct_datastreams(table)
        self._require(who, Action.MANAGE, datastreams)
        count = delete_rows(self._parts.store, table)
        self._forget_moved(table)
        return count

    def _forget_moved(self, table: pa.Table) -> None:
        """Forget where removed rows were: each is believed about itself and no other.

        Where another Observation is at the identity of such an id, the id stays taken: that other
        one keeps its own.
        """
        carried = {
            str(id_): at
            for at, text in enumerate(table["parameters"].to_pylist())
            if (id_ := observation_rows.own_id(text)) is not None
        }
        for id_, to in self._parts.moved.moved(list(carried)).items():
            row = table.slice(carried[id_], 1)
            feature = int(row["feature"][0].as_py())
            if to == Identity(int(row["datastream"][0].as_py()), _us(row["time"][0]), feature):
                home = identity_of(observation_rows.own_id(row["parameters"][0].as_py()) or id_)
                is_left = home != to and has_row(self._parts.store, home)
                gone = Identity(home.datastream, home.time_us, NOWHERE) if is_left else None
                self._parts.moved.move(id_, gone)


def _plain(value: object) -> object:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value


def _us(scalar: pa.Scalar) -> int:
    value: int = scalar.cast(pa.int64()).as_py()
    return value
