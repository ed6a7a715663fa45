"""PATCH, PUT, JSON Patch, DELETE and links of entities; no Observations."""

from __future__ import annotations

from functools import partial
from typing import Any

from penstock.core.access import EVERYTHING, Action, Principal
from penstock.core.entities import New, Query, Removed, Step
from penstock.core.entity_types import TYPES, Link
from penstock.core.errors import InvalidInput, NotFound, NotSupported
from penstock.core.selection import Selection
from penstock.sensorthings.grammar.resource import ResourcePath
from penstock.sensorthings.grammar.resource_paths import parse_path
from penstock.sensorthings.writing.asked import Answer, Asked, Parts
from penstock.sensorthings.writing.bodies import check_complete, read_entity, reference
from penstock.sensorthings.writing.finding import Finder
from penstock.sensorthings.writing.patches import apply_patch
from penstock.sensorthings.writing.permits import Permits
from penstock.sensorthings.writing.removing_rows import forget_lost
from penstock.sensorthings.writing.tasking import Tasker
from penstock.sensorthings.writing.values import read_json, read_object, refuse, within

#: How long to wait until ingest asks the catalog anew, seconds.
FORGET_TIMEOUT_S = 10.0
#: Entities removed by one DELETE with a filter.
MAX_REMOVED = 10_000

JSON_PATCH = "application/json-patch+json"


class Changer:
    """Changes entities. All calls wait for the catalog."""

    def __init__(self, parts: Parts, permits: Permits, finder: Finder) -> None:
        self._parts = parts
        self._permits = permits
        self._finder = finder
        self._tasker = Tasker(parts, permits)

    def patch(self, who: Principal, asked: Asked) -> Answer:
        """Change the properties and links that the body gives."""
        type_, id_, system = self._allowed(who, asked.path, Action.WRITE)
        if JSON_PATCH in asked.content_type:
            change = self._patched(who, type_, id_, read_json(asked.body))
        else:
            change = read_entity(type_, read_object(asked.body))
        self._check(who, change)
        self._tasker.require_change(who, type_, id_, change)
        self._parts.writer.update(id_, change, system, self._parts.clock.now_us())
        return self._changed(change, id_)

    def put(self, who: Principal, asked: Asked) -> Answer:
        """Set all properties, and the links that the body gives."""
        type_, id_, system = self._allowed(who, asked.path, Action.WRITE)
        new = read_entity(type_, read_object(asked.body))
        self._check(who, new)
        self._tasker.require_change(who, type_, id_, new)
        links = tuple(link.name for link in TYPES[type_].links)
        check_complete(new, given=links)
        self._parts.writer.replace(id_, new, system, self._parts.clock.now_us())
        return self._changed(new, id_)

    def delete(self, who: Principal, asked: Asked) -> Answer:
        """Remove an entity, or all in a set that a filter holds for."""
        if not asked.path.last.is_set:
            type_, id_, _ = self._allowed(who, asked.path, Action.MANAGE)
            self._remove(who, type_, [id_])
            return Answer(200)
        ids = self._filtered(who, asked)
        for id_ in ids:
            self._permits.require_entity(who, Action.MANAGE, asked.path.last.type, id_)
        self._remove(who, asked.path.last.type, ids)
        return Answer(200)

    def link(self, who: Principal, asked: Asked) -> Answer:
        """Add to a link to many, or set a link to one: POST and PUT of `$ref`."""
        name, type_, id_, system = self._linked(who, asked.path)
        link = TYPES[type_].link(name)
        assert link is not None
        target = self._target(who, asked, read_object(asked.body), link.target)
        if (type_, name) == ("Location", "Things"):
            # The same link from its other side: a Thing keeps the other places where it is.
            type_, id_, target, system = "Thing", target, id_, None
            name, link = "Locations", TYPES["Thing"].link("Locations")
            assert link is not None
        ids = [target]
        if link.many and not _is_one_behind(link):
            ids = list(dict.fromkeys([*self._targets(type_, id_, name, link.target), target]))
        change = New(type=type_, links={name: ids})
        self._tasker.require_change(who, type_, id_, change)
        self._parts.writer.update(id_, change, system, self._parts.clock.now_us())
        return self._changed(change, id_)

    def unlink(self, who: Principal, asked: Asked) -> Answer:
        """Take a target off a link: DELETE of `$ref`."""
        name, type_, id_, _ = self._linked(who, asked.path)
        last = asked.path.last
        link = TYPES[type_].link(name)
        assert link is not None
        if not link.many:
            raise InvalidInput(f"a {type_} needs its {name}; PUT another one instead")
        if last.id is not None:
            target = last.id
        elif asked.options.id is not None:
            target = self._address(asked, asked.options.id, link.target)
        else:
            raise InvalidInput(f"say which: {name}(1)/$ref, or $ref?$id=ADDRESS")
        if not isinstance(target, int):
            raise NotFound(f"there is no {link.target} with id {target!r}")
        self._parts.writer.unlink(type_, id_, name, target)
        self._parts.changed(type_, id_, "update")
        return Answer(200)

    def _allowed(
        self, who: Principal, path: ResourcePath, action: Action
    ) -> tuple[str, int, int | None]:
        if path.properties:
            raise NotSupported("single properties cannot be written; PATCH the entity")
        type_, id_ = self._finder.entity(who, self._permits.scope(who), path)
        return type_, id_, self._permits.require_entity(who, action, type_, id_)

    def _linked(self, who: Principal, path: ResourcePath) -> tuple[str, str, int, int | None]:
        """Return the link that a path ends with, and the entity that has it."""
        if len(path.segments) < 2:
            raise InvalidInput("$ref stands behind a link: Things(1)/Locations/$ref")
        owner = ResourcePath(segments=path.segments[:-1])
        type_, id_, system = self._allowed(who, owner, Action.WRITE)
        if type_ == "Observation":
            raise NotSupported("links of Observations are changed by PATCH")
        return path.last.name, type_, id_, system

    def _targets(self, type_: str, id_: int, name: str, target: str) -> list[int]:
        if target == "Observation":
            raise InvalidInput("an Observation is moved by PATCH of its own Datastream")
        query = Query(type=target, scope=EVERYTHING, along=Step(type_, (id_,), name))
        return list(self._parts.reader.ids(query))

    def _target(self, who: Principal, asked: Asked, body: dict[str, Any], type_: str) -> int:
        address = body.get("@odata.id", body.get("@id", body.get("@iot.selfLink")))
        given = reference(body)
        if given is None and isinstance(address, str):
            given = self._address(asked, address, type_)
        if given is None:
            refuse("", 'expected {"@iot.id": number} or {"@odata.id": address}')
        self._permits.require_linkable(who, type_, [given], "@iot.id")
        return given

    @staticmethod
    def _address(asked: Asked, address: str, type_: str) -> int:
        path = parse_path(address.removeprefix(asked.base))
        if not path.segments or path.last.type != type_ or not isinstance(path.last.id, int):
            raise InvalidInput(f"{address[:80]!r} is no address of a {type_}")
        return path.last.id

    def _patched(self, who: Principal, type_: str, id_: int, patch: object) -> New:
        """Return what a JSON Patch changes."""
        before = self._finder.row(self._permits.scope(who), type_, id_)
        after = apply_patch(before, patch)
        if not isinstance(after, dict):
            raise InvalidInput("a JSON Patch cannot take the whole entity away")
        changed = {
            name: after.get(name)
            for name in {**before, **after}
            if before.get(name) != after.get(name) and name not in TYPES[type_].derived
        }
        for name, value in changed.items():
            if value is None and name in TYPES[type_].required:
                refuse(name, f"a {type_} needs it")
        return read_entity(type_, changed)

    def _check(self, who: Principal, change: New) -> None:
        """Raise when a change holds a new entity, or one that may not be seen."""
        for name, some in change.links.items():
            link = TYPES[change.type].link(name)
            assert link is not None
            if link.target == "Observation":
                refuse(name, f"an Observation is moved by PATCH of its own {link.inverse}")
            ids = []
            for number, one in enumerate(some):
                if isinstance(one, New):
                    place = f"{name}[{number}]" if link.many else name
                    refuse(
                        place,
                        f'a new {link.target} cannot be made here; give {{"@iot.id": number}}',
                    )
                ids.append(one)
            self._permits.require_linkable(who, link.target, ids, within("", name))

    def _changed(self, change: New, id_: int) -> Answer:
        if change.type in ("Thing", "Datastream") and ("name" in change.values or change.links):
            self._forget(change.type)
        self._parts.changed(change.type, id_, "update")
        return Answer(200)

    def _forget(self, type_: str) -> None:
        """Let nobody remember names that are others now."""
        if type_ == "Thing" and self._parts.fleet is not None:
            self._parts.fleet().forget()
        else:
            self._parts.forget_series(FORGET_TIMEOUT_S)

    def _filtered(self, who: Principal, asked: Asked) -> list[int]:
        """Return the entities of a set that the filter of a DELETE holds for."""
        if asked.options.where is None:
            raise InvalidInput("DELETE of a set needs a $filter that says which to remove")
        scope = self._permits.scope(who)
        along = None
        if len(asked.path.segments) > 1:
            owner = ResourcePath(segments=asked.path.segments[:-1])
            type_, id_ = self._finder.entity(who, scope, owner)
            along = Step(type_, (id_,), asked.path.last.name)
        removed = asked.path.last.type
        where = self._parts.condition(who, removed, asked.options)
        query = Query(type=removed, scope=scope, along=along, where=where)
        ids = list(self._parts.reader.ids(query))
        if len(ids) > MAX_REMOVED:
            raise InvalidInput(
                f"the filter holds for {len(ids)} entities; at most {MAX_REMOVED} are removed at "
                "once"
            )
        return ids

    def _remove(self, who: Principal, type_: str, ids: list[int]) -> None:
        """Remove entities.

        What belongs to no system may have been linked to since it was looked at: whether it may go
        is asked once more while nobody else writes.
        """
        gone = Removed()
        is_shared = self._permits.is_shared(type_) and not self._permits.scope(who).everything
        for id_ in ids:
            again = partial(self._permits.require_entity, who, Action.MANAGE, type_, id_)
            if type_ == "FeatureOfInterest":
                self._remove_observations_at(id_)
            try:
                removed = self._parts.writer.delete(type_, id_, again if is_shared else None)
            except NotFound:
                if len(ids) == 1:
                    raise
                continue
            gone = Removed(
                datastreams=gone.datastreams | removed.datastreams,
                moved=gone.moved | removed.moved,
            )
            self._parts.changed(type_, id_, "delete")
        if gone.datastreams or type_ in ("Thing", "FeatureOfInterest"):
            self._forget(type_)
        if gone.datastreams:
            doomed = tuple(sorted(gone.datastreams))
            self._parts.store.delete(Selection(datastreams=doomed))
            if self._parts.fleet is not None:
                self._parts.fleet().records.buried(doomed)
        forget_lost(self._parts, gone.moved)

    def _remove_observations_at(self, feature: int) -> None:
        own = tuple(self._parts.features.datastreams_at(feature))
        self._parts.store.delete(Selection(features=(feature,)))
        if own:
            self._parts.store.delete(Selection(datastreams=own, features=(0,)))


def _is_one_behind(link: Link) -> bool:
    """Tell whether what a link leads to has one of us: then those linked before stay as is."""
    inverse = TYPES[link.target].link(link.inverse)
    return inverse is not None and not inverse.many
