"""Requests to write, each to what answers it."""

from __future__ import annotations

import dataclasses

from penstock.core.access import Principal
from penstock.core.entity_types import TYPES
from penstock.core.errors import InvalidInput, NotFound, NotSupported
from penstock.sensorthings.grammar.resource import Ending
from penstock.sensorthings.writing.asked import Answer, Asked, Parts, Run
from penstock.sensorthings.writing.batches import Batcher
from penstock.sensorthings.writing.changing import Changer
from penstock.sensorthings.writing.data_arrays import ArrayMaker
from penstock.sensorthings.writing.finding import Finder
from penstock.sensorthings.writing.intake import Intake
from penstock.sensorthings.writing.making import Maker
from penstock.sensorthings.writing.observing import Observer
from penstock.sensorthings.writing.permits import Permits
from penstock.sensorthings.writing.streams import Streams
from penstock.sensorthings.writing.unfinished import resume


class Writing:
    """Answers POST, PATCH, PUT, DELETE and batches.

    Observations can be read when the answer comes; everything is durable then.

    Every call may raise what is wrong: `InvalidInput` (says where in the body), `NotFound`,
    `Conflict`, `Forbidden`, `Unauthenticated`, `NotSupported`, `Backpressure`. Nothing is
    half-made then.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        finder = Finder(parts)
        streams = Streams(parts, finder)

        def changed(type_: str, id_: int | str, what: str) -> None:
            if type_ not in ("Observation", "Task"):
                streams.forget()
            told(type_, id_, what)

        told = parts.changed
        parts = dataclasses.replace(parts, changed=changed)
        permits, intake = Permits(parts), Intake(parts)
        self._maker = Maker(parts, permits, finder, intake, streams)
        self._changer = Changer(parts, permits, finder)
        self._observer = Observer(parts, permits, finder, intake)
        self._arrays = ArrayMaker(parts, permits, finder, intake)
        self._batcher = Batcher(parts)

    async def resume(self) -> int:
        """Do to its end what was cut short, before anybody writes; return how much it was."""
        return await resume(self._parts)

    async def post(self, who: Principal, asked: Asked) -> Answer:
        """Make an entity, Observations from data arrays, or a link."""
        if asked.path.action == "CreateObservations":
            return await self._arrays.post(who, asked)
        _check(asked)
        if asked.path.ending is Ending.REF:
            return await self._changing(self._changer.link, who, asked)
        return await self._maker.post(who, asked)

    async def patch(self, who: Principal, asked: Asked) -> Answer:
        """Change what the body gives; with `application/json-patch+json` step by step."""
        _check(asked)
        if self._is_observation(asked):
            return await self._observer.change(who, asked, whole=False)
        return await self._changing(self._changer.patch, who, asked)

    async def put(self, who: Principal, asked: Asked) -> Answer:
        """Set all properties, or what a link to one leads to."""
        _check(asked)
        if asked.path.ending is Ending.REF:
            return await self._changing(self._changer.link, who, asked)
        if self._is_observation(asked):
            return await self._observer.change(who, asked, whole=True)
        return await self._changing(self._changer.put, who, asked)

    async def delete(self, who: Principal, asked: Asked) -> Answer:
        """Remove an entity, what a filter holds for, or a link."""
        _check(asked)
        _check_removal(asked)
        if asked.path.ending is Ending.REF:
            return await self._changing(self._changer.unlink, who, asked)
        if self._is_observation(asked):
            return await self._changing(self._observer.delete, who, asked)
        return await self._changing(self._changer.delete, who, asked)

    async def batch(self, who: Principal, asked: Asked, run: Run) -> Answer:
        """Run many requests."""
        return await self._batcher.run(who, asked, run)

    async def _changing(self, call: object, who: Principal, asked: Asked) -> Answer:
        assert callable(call)
        answer = await self._parts.blocking(call, who, asked)
        assert isinstance(answer, Answer)
        return answer

    @staticmethod
    def _is_observation(asked: Asked) -> bool:
        return asked.path.last.type == "Observation"


def _check(asked: Asked) -> None:
    path = asked.path
    if path.action:
        raise InvalidInput(f"{path.action} takes POST only")
    if not path.segments:
        raise NotFound("the service itself cannot be changed; write to a set, such as /Things")
    if path.ending in (Ending.VALUE, Ending.COUNT):
        raise NotSupported(f"{path.ending.value} can only be read")
    assert path.last.type in TYPES


def _check_removal(asked: Asked) -> None:
    # An option that is passed over would remove more than was asked for.
    options, path = asked.options, asked.path
    given = {
        "$orderby": bool(options.order),
        "$top": options.top is not None,
        "$skip": options.skip > 0,
        "$skiptoken": options.skip_token is not None,
        "$filter": options.where is not None
        and not (path.last.is_set and path.ending is not Ending.REF),
    }
    wrong = [name for name, is_given in given.items() if is_given]
    if wrong:
        raise InvalidInput(
            f"DELETE does not take {', '.join(wrong)} here; a set takes $filter, one entity nothing"
        )
