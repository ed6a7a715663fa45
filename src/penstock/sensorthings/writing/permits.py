"""Who may write what, and which system new entities belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from penstock.core.access import EVERYTHING, Action, Kind, Principal, Resource, Scope
from penstock.core.entities import New, Query
from penstock.core.entity_types import TYPES
from penstock.core.errors import Forbidden, InvalidInput, NotFound
from penstock.core.expression import Apply, Expression, Literal, Property
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.sensorthings.walking import holders
from penstock.sensorthings.writing.asked import Asked, Parts

#: How a Thing is linked to entities that belong to no system.
_FROM_THINGS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "Sensor": (("Datastreams", "Sensor"), ("MultiDatastreams", "Sensor")),
    "ObservedProperty": (
        ("Datastreams", "ObservedProperty"),
        ("MultiDatastreams", "ObservedProperties"),
    ),
    "Location": (("Locations",), ("HistoricalLocations", "Locations")),
    "Actuator": (("TaskingCapabilities", "Actuator"),),
}


class Permits:
    """Decides about writing. All calls wait for the catalog."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def scope(self, who: Principal) -> Scope:
        """Return what somebody may read.

        Raises:
            Unauthenticated: Nobody has said who asks.
        """
        access = self._parts.access()
        access.require(who, Action.VIEW, Resource("platform"))
        return access.scope(who)

    def require(self, who: Principal, action: Action, system: int) -> None:
        """Do nothing if somebody may do this in a system."""
        self._parts.access().require(who, action, Resource("system", system))

    def require_entity(self, who: Principal, action: Action, type_: str, id_: int) -> int | None:
        """Do nothing if somebody may do this to an entity; return its system, if it has one.

        One that belongs to no system may be changed by who may change all that it is linked to;
        while that is nothing, by who may do so in the system that it was made for.

        Raises:
            NotFound: It does not exist.
            Forbidden: They may not.
        """
        system = self._parts.reader.system_of(type_, id_)
        if system is not None:
            self.require(who, action, system)
            return system
        scope = self.scope(who)
        if scope.everything:
            return None
        own = self._systems(who, action)
        if not own:
            raise Forbidden(f"{self._name(who)} may {action} in no system")
        if not self._is_only_of(type_, id_, own):
            raise Forbidden(
                f"{type_}({id_}) is used in systems where {self._name(who)} may not {action}; make "
                "one of your own"
            )
        return None

    @staticmethod
    def is_shared(type_: str) -> bool:
        """Tell whether entities of a type belong to no system, and several may use one."""
        return type_ in _FROM_THINGS or type_ == "FeatureOfInterest"

    def _is_only_of(self, type_: str, id_: int, own: Sequence[int]) -> bool:
        ours = Scope(systems=frozenset(own))
        if not self._parts.reader.count(Query(type=type_, scope=ours, id=id_)):
            return False
        if type_ == "FeatureOfInterest":
            return self._is_feature_of(id_, own)
        same = Literal(id_)
        tests: list[Expression] = [
            Apply("eq", (Property((*path, "@iot.id")), same)) for path in _FROM_THINGS[type_]
        ]
        where = tests[0] if len(tests) == 1 else Apply("or", tuple(tests))
        count = self._parts.reader.count
        every = Query(type="Thing", scope=EVERYTHING, where=where)
        return count(every) == count(Query(type="Thing", scope=ours, where=where))

    def _is_feature_of(self, id_: int, own: Sequence[int]) -> bool:
        own_there = self._parts.features.datastreams_at(id_)
        datastreams = {*holders(self._parts.store, [id_]), *own_there}
        return all(self.system_of_datastream(one) in own for one in datastreams)

    def system_of_datastream(self, id_: int) -> int | None:
        """Return the system of a Datastream or MultiDatastream."""
        for type_ in ("Datastream", "MultiDatastream"):
            try:
                return self._parts.reader.system_of(type_, id_)
            except NotFound:
                continue
        return None

    def require_visible(self, who: Principal, type_: str, ids: Sequence[int], at: str) -> None:
        """Raise `NotFound` when one of these does not exist for somebody."""
        scope = self.scope(who)
        for id_ in dict.fromkeys(ids):
            query = Query(type=type_, scope=scope, id=id_)
            if not self._parts.reader.count(query):
                raise NotFound(f"{at}: there is no {type_} with id {id_}")

    def require_linkable(self, who: Principal, type_: str, ids: Sequence[int], at: str) -> None:
        """Raise when one of these may not be linked: a link changes both of its ends.

        What belongs to a system has to be one's own to change, everything else to be seen.
        """
        self.require_visible(who, type_, ids, at)
        for id_ in dict.fromkeys(ids):
            system = self._parts.reader.system_of(type_, id_)
            if system is not None:
                self.require(who, Action.WRITE, system)

    def home(self, who: Principal, asked: Asked, new: New) -> int:
        """Return the system that a new entity, and all within it, belongs to.

        Raises:
            InvalidInput: It is not clear which, or entities of several would be linked.
            Forbidden: They may not write there.
        """
        linked: dict[int, str] = {}
        self._look(who, new, new.type, linked)
        named = self._named(who, asked)
        if len(linked) > 1 or (linked and named is not None and named not in linked):
            places = ", ".join(linked.values())
            raise InvalidInput(f"{places} belong to different systems, or another one is named")
        system = next(iter(linked), named)
        if system is None:
            system = self._default(who)
        self.require(who, Action.WRITE, system)
        return system

    def _look(self, who: Principal, new: New, at: str, linked: dict[int, str]) -> None:
        """Find the systems of what a new entity is linked to, and check that it may be seen."""
        for name, some in new.links.items():
            link = TYPES[new.type].link(name)
            assert link is not None
            for number, one in enumerate(some):
                place = f"{at}.{name}[{number}]" if link.many else f"{at}.{name}"
                if isinstance(one, New):
                    self._look(who, one, place, linked)
                    continue
                self.require_visible(who, link.target, [one], place)
                system = self._parts.reader.system_of(link.target, one)
                if system is not None:
                    linked.setdefault(system, place)

    def _named(self, who: Principal, asked: Asked) -> int | None:
        name = dict(asked.options.custom).get("system")
        if name is None:
            return None
        access = self._parts.access()
        systems = access.organisation.systems
        found = next((one.id for one in systems if one.name == name), None)
        # One that somebody may not see is to them as if it were not there.
        if found is not None and not access.allows(who, Action.VIEW, Resource("system", found)):
            found = None
        if found is None and not systems and name == "default":
            return DEFAULT_SYSTEM
        if found is None:
            raise NotFound(f"there is no system {name[:80]!r}")
        return found

    def _default(self, who: Principal) -> int:
        access = self._parts.access()
        organisation = access.organisation
        if not organisation.accounts:
            return DEFAULT_SYSTEM
        if who.kind is Kind.CLIENT:
            return next(one.system for one in organisation.clients if one.id == who.id)
        own = self._systems(who, Action.WRITE)
        if len(own) == 1:
            return own[0]
        access.require(who, Action.VIEW, Resource("platform"))
        names = ", ".join(one.name for one in organisation.systems if one.id in own)
        if not names:
            raise Forbidden(f"{self._name(who)} may write in no system")
        raise InvalidInput(
            f"it is not said which system this belongs to; add ?system=NAME with one of {names}"
        )

    def _systems(self, who: Principal, action: Action) -> list[int]:
        access = self._parts.access()
        return [
            one.id
            for one in access.organisation.systems
            if access.allows(who, action, Resource("system", one.id))
        ]

    def _name(self, who: Principal) -> str:
        return self._parts.access().name(who)
