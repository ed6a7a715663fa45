"""POST: entities with all that is within them, and Observations."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from penstock.core.access import Action, Principal, Scope
from penstock.core.entities import Made, New
from penstock.core.entity_types import TYPES
from penstock.core.errors import Conflict, InvalidInput, NotFound, PenstockError
from penstock.sensorthings.grammar.resource import Ending, ResourcePath
from penstock.sensorthings.observation_ids import id_of, quoted
from penstock.sensorthings.observation_rows import free_id
from penstock.sensorthings.writing.asked import Answer, Asked, Parts
from penstock.sensorthings.writing.bodies import check_complete, read_entity
from penstock.sensorthings.writing.finding import Finder
from penstock.sensorthings.writing.intake import Intake, NotYetThere
from penstock.sensorthings.writing.permits import Permits
from penstock.sensorthings.writing.planning_rows import (
    Planned,
    is_plain,
    made_entities,
    plan,
    rows_of,
)
from penstock.sensorthings.writing.removing_rows import has_row
from penstock.sensorthings.writing.results import Row, row_of
from penstock.sensorthings.writing.streams import NotRemembered, Streams
from penstock.sensorthings.writing.tasking import Tasker
from penstock.sensorthings.writing.values import read_object, refuse

_log = logging.getLogger(__name__)

#: Bytes of a body that is read in the event loop; more would keep others waiting.
MAX_HERE = 4096


@dataclass(frozen=True, slots=True)
class Making:
    """What a POST makes, as far as it is made before its Observations are."""

    new: New
    made: Made
    rows: list[Row]
    system: int


class Maker:
    """Makes entities."""

    def __init__(
        self, parts: Parts, permits: Permits, finder: Finder, intake: Intake, streams: Streams
    ) -> None:
        self._parts = parts
        self._permits = permits
        self._finder = finder
        self._intake = intake
        self._tasker = Tasker(parts, permits)
        self._streams = streams

    async def post(self, who: Principal, asked: Asked) -> Answer:
        """Make what the body describes in the set that the path leads to."""
        making = await self._quickly(who, asked)
        if making is not None:
            await self._check_new(asked, making)
            await self._intake.keep(who, making.system, making.rows)
            return await self._made(asked, making)
        new = await self._parts.blocking(self._read, who, asked)
        if new.type == "Task":
            answer: Answer = await self._parts.blocking(self._tasker.make, who, asked, new)
            return answer
        making = await self._parts.blocking(self._make, who, asked, new)
        assert making is not None
        try:
            await self._check_new(asked, making)
            await self._intake.keep(who, making.system, making.rows, making.made.unfinished)
        except NotYetThere:
            raise
        except PenstockError:
            await self._parts.blocking(self._undo, making)
            raise
        return await self._made(asked, making)

    async def _check_new(self, asked: Asked, making: Making) -> None:
        if asked.only_new:
            await self._parts.blocking(self._refuse_known, making.rows)

    def _refuse_known(self, rows: list[Row]) -> None:
        """Raise `Conflict` when a row would replace one."""
        for row in rows:
            if has_row(self._parts.store, row.identity):
                id_ = free_id(row.identity, self._parts.moved)
                raise Conflict(
                    f"Observations({quoted(id_)}) is there already, and what replaces it cannot "
                    "be taken back; PATCH it, or choose another phenomenonTime"
                )

    async def _made(self, asked: Asked, making: Making) -> Answer:
        set_name = TYPES[making.new.type].set_name
        if making.new.type == "Observation":
            moved, identity = self._parts.moved, making.rows[0].identity
            id_: int | str = id_of(identity)
            if moved.has_moved():
                id_ = await self._parts.blocking(free_id, identity, moved)
            self._parts.changed("Observation", id_, "create")
        else:
            id_ = making.made.id
        for type_, one in made_entities(making.new, making.made):
            self._parts.changed(type_, one, "create")
        return Answer(201, {"Location": f"{asked.base}/{set_name}({quoted(id_)})"})

    async def _quickly(self, who: Principal, asked: Asked) -> Making | None:
        """Return what `_quick` does, without a thread where the catalog need not be asked."""
        if len(asked.body) <= MAX_HERE:
            try:
                return self._quick(who, asked, may_wait=False)
            except NotRemembered:
                pass
        making: Making | None = await self._parts.blocking(self._quick, who, asked)
        return making

    def _quick(self, who: Principal, asked: Asked, *, may_wait: bool = True) -> Making | None:
        """Return an Observation of a datastream that exists, about a feature that does.

        None when it is anything else; this is how nearly all of them come.

        Raises:
            NotRemembered: The catalog would have to be asked, and may not.
        """
        segments = asked.path.segments
        if segments[-1].type != "Observation" or not segments[-1].is_set or len(segments) > 2:
            return None
        if asked.path.properties or asked.path.ending is not Ending.ENTITY:
            return None
        new = read_entity("Observation", read_object(asked.body))
        named = [
            (name, one)
            for name, some in new.links.items()
            for one in some
            if name != "FeatureOfInterest"
        ]
        if len(segments) == 2 and isinstance(segments[0].id, int):
            named.append((segments[0].type, segments[0].id))
        owner = named[0] if named else ("", 0)
        if any(one != owner for one in named) or owner[0] not in ("Datastream", "MultiDatastream"):
            return None
        type_, id_ = owner
        feature = next(iter(new.links.get("FeatureOfInterest", ())), None)
        if isinstance(id_, New) or isinstance(feature, New) or asked.options.custom:
            return None
        scope = self._permits.scope(who)
        stream = self._streams.get(type_, id_, scope, may_wait=may_wait)
        check_complete(new, given=(type_,))
        if feature is not None:
            self._require_feature(who, scope, feature, may_wait)
        self._permits.require(who, Action.WRITE, stream.system)
        if feature is None:
            feature = self._streams.feature_now(id_, may_wait=may_wait)
        if feature is None:
            _refuse_no_place()
        row = row_of(new.values, stream.kind, 0, "")
        row = row._replace(datastream=id_, feature=feature)
        if new.values.get("phenomenonTime") is None:
            row = row._replace(time_us=self._intake.now_us(id_))
        return Making(new, Made(id=0), [row], stream.system)

    def _require_feature(self, who: Principal, scope: Scope, id_: int, may_wait: bool) -> None:
        if scope.everything and self._streams.has_feature(id_, may_wait=may_wait):
            return
        if not may_wait:
            raise NotRemembered
        type_ = "FeatureOfInterest"
        self._permits.require_visible(who, type_, [id_], f"Observation.{type_}")

    def _read(self, who: Principal, asked: Asked) -> New:
        last = asked.path.last
        if not last.is_set or asked.path.properties:
            raise InvalidInput(
                f"POST makes entities in a set; {last.name} is one entity: PATCH or PUT change it"
            )
        new = read_entity(last.type, read_object(asked.body))
        if len(asked.path.segments) > 1:
            new = self._within(who, asked, new)
        check_complete(new)
        return new

    def _within(self, who: Principal, asked: Asked, new: New) -> New:
        """Link a new entity to the one that the path leads through."""
        parent = ResourcePath(segments=asked.path.segments[:-1])
        type_, id_ = self._finder.entity(who, self._permits.scope(who), parent)
        link = TYPES[type_].link(asked.path.last.name)
        if link is None:
            raise NotFound(f"{type_} has no link {asked.path.last.name!r}")
        back = TYPES[new.type].link(link.inverse)
        assert back is not None
        given = list(new.links.get(back.name, ()))
        if not back.many and given not in ([], [id_]):
            refuse(back.name, f"it is another one than {type_}({id_}), which the path leads to")
        ids = given if id_ in given else [*given, id_]
        return msgspec.structs.replace(new, links={**new.links, back.name: ids})

    def _make(self, who: Principal, asked: Asked, new: New) -> Making:
        """Make all but the Observations: nothing when anything is wrong with those either."""
        scope = self._permits.scope(who)
        planned = plan(
            new,
            lambda type_, id_, at: self._finder.kind(scope, type_, id_, at),
            self._parts.clock.now_us(),
        )
        system = self._permits.home(who, asked, new)
        if new.type == "Observation" and is_plain(new):
            return self._plain(new, planned, system)
        rows: list[Row] = []

        def note(made: Made) -> bytes:
            rows.extend(self._timed(rows_of(new, made, planned), planned))
            return self._intake.note(who, system, rows).encoded()

        now_us = self._parts.clock.now_us()
        made = self._parts.writer.create(new, system, now_us, note if planned else None)
        return Making(new, made, rows, system)

    def _plain(self, new: New, planned: list[Planned], system: int) -> Making:
        owners = [*new.links.get("Datastream", ()), *new.links.get("MultiDatastream", ())]
        datastream = owners[0]
        assert isinstance(datastream, int)
        named = new.links.get("FeatureOfInterest")
        if named:
            feature = named[0]
            assert isinstance(feature, int)
        else:
            found = self._parts.features.features_now([datastream]).get(datastream)
            if found is None:
                _refuse_no_place()
            feature = found
        row = planned[0].row._replace(datastream=datastream, feature=feature)
        return Making(new, Made(id=0), self._timed([row], planned), system)

    def _timed(self, rows: list[Row], planned: list[Planned]) -> list[Row]:
        """Give Observations that came without a time one that is theirs alone."""
        return [
            row if one.has_time else row._replace(time_us=self._intake.now_us(row.datastream))
            for row, one in zip(rows, planned, strict=True)
        ]

    def _undo(self, making: Making) -> None:
        """Take back what was made when its Observations could not be."""
        for type_, id_ in made_entities(making.new, making.made):
            try:
                self._parts.writer.delete(type_, id_)
            except NotFound:
                continue
            except PenstockError:
                _log.exception("%s(%s) was made and could not be taken back", type_, id_)
        if making.made.unfinished:
            self._parts.unfinished.finish(making.made.unfinished)


def _refuse_no_place() -> NoReturn:
    refuse(
        "FeatureOfInterest",
        "it is missing, and the Thing has no Location that one could be made from",
    )
