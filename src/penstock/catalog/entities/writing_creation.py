"""Making an entity with all that is within it (18-088 section 10.2.1.1, deep insert)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert

from penstock.catalog.entities import writing_features
from penstock.catalog.entities.writing_columns import (
    MULTI,
    TABLES,
    Values,
    columns_of,
    defaults_of,
)
from penstock.catalog.entities.writing_links import (
    BETWEEN,
    COLUMNS,
    adopt,
    exists,
    set_observed_properties,
    system_of,
)
from penstock.catalog.entities.writing_names import full_name
from penstock.catalog.entities.writing_places import come_to, connect, follow_history
from penstock.catalog.search import reindex
from penstock.core.commands import TaskState
from penstock.core.entities import Made, New
from penstock.core.entity_types import TYPES, EntityType, Link
from penstock.core.errors import InvalidInput, NotFound

#: Types that belong to no system, and keep which one they were made for.
SHARED = frozenset({"Location", "Sensor", "ObservedProperty", "FeatureOfInterest", "Actuator"})

#: Properties that may be left out, beside what the standard says: 1.0 had no more.
LENIENT = frozenset({("Datastream", "observationType"), ("MultiDatastream", "observationType")})


class Creation:
    """One deep insert.

    Args:
        connection: In a writing transaction, which is undone when anything here raises.
        system: Of new Things; Things, and what belongs to one, must be of it to be linked.
        now_us: When.
    """

    def __init__(self, connection: Connection, system: int, now_us: int) -> None:
        self._connection = connection
        self._system = system
        self._now_us = now_us

    def run(self, new: New) -> Made:
        """Make it."""
        return self._make(new, {}, new.type)

    def _make(self, new: New, given: Mapping[str, int], at: str) -> Made:
        """Make an entity whose links in `given` lead to the entity that it is within."""
        type_ = TYPES[new.type]
        self._check(type_, new, given, at)
        nested: dict[str, list[Made]] = {}
        targets: dict[str, list[int]] = {name: [id_] for name, id_ in given.items()}
        later: list[tuple[Link, Sequence[int | New]]] = []
        for name, some in new.links.items():
            link = type_.link(name)
            if link is None:
                raise InvalidInput(f"{at}: {new.type} has no link {name!r}")
            if link.many and not (link.required or name == "Locations"):
                later.append((link, some))
                continue
            if not link.many and len(some) > 1:
                raise InvalidInput(f"{at}.{name}: {len(some)} are given; it is one")
            nested[name] = [
                self._target(link, one, {}, f"{at}.{name}", number)
                for number, one in enumerate(some)
            ]
            made = [one.id for one in nested[name]]
            if link.many and name in given:
                made = list(dict.fromkeys([given[name], *made]))
            elif name in given and made != [given[name]]:
                raise InvalidInput(f"{at}.{name}: it differs from the {name} that this is within")
            targets[name] = made
        if new.type == "Observation":
            return self._observation(targets, nested, at)
        id_ = self._insert(new, targets, at)
        for link, some in later:
            nested[link.name] = [
                self._target(link, one, {link.inverse: id_}, f"{at}.{link.name}", number)
                for number, one in enumerate(some)
            ]
            self._link(new.type, id_, link, nested[link.name], some)
        self._finish(new.type, id_)
        return Made(id=id_, nested=nested)

    def _target(
        self, link: Link, one: int | New, given: Mapping[str, int], at: str, number: int
    ) -> Made:
        """Return what a link leads to, made if it is new."""
        at = f"{at}[{number}]" if link.many else at
        if isinstance(one, New):
            return self._make(one, given if _is_needed_there(link) else {}, at)
        self.check(link.target, one, at)
        return Made(id=one)

    def check(self, type_: str, id_: int, at: str) -> None:
        """Raise `NotFound` when an entity is not there, or belongs to another system."""
        if type_ == "Observation" or not exists(self._connection, type_, id_):
            raise NotFound(f"{at}: there is no {type_} with id {id_}")
        system = system_of(self._connection, type_, id_)
        if system not in (None, self._system):
            raise NotFound(f"{at}: there is no {type_} with id {id_} in this system")

    @staticmethod
    def _check(type_: EntityType, new: New, given: Mapping[str, int], at: str) -> None:
        for name in type_.required:
            if name not in new.values and (type_.name, name) not in LENIENT:
                if type_.name == "Observation":
                    continue
                raise InvalidInput(f"{at}: {name} is missing; a {type_.name} needs one")
        for link in type_.links:
            if link.required and not new.links.get(link.name) and link.name not in given:
                raise InvalidInput(
                    f"{at}: {link.name} is missing; a {type_.name} needs one: "
                    f'give {{"@iot.id": number}} or a new {link.target}'
                )

    def _insert(self, new: New, targets: Mapping[str, Sequence[int]], at: str) -> int:
        table = TABLES[new.type]
        try:
            values: Values = {**defaults_of(new.type), **columns_of(new.type, new.values)}
        except InvalidInput as problem:
            raise InvalidInput(f"{at}: {problem}") from None
        for name, ids in targets.items():
            column = COLUMNS.get((new.type, name))
            if column is not None:
                values[column] = ids[0]
        properties = targets.get("ObservedProperties", ())
        self._complete(new, values, properties, at)
        made = self._connection.execute(insert(table).values(values)).inserted_primary_key
        assert made is not None
        id_ = int(made[0])
        if properties:
            set_observed_properties(self._connection, id_, properties)
        places = targets.get("Locations", ())
        if new.type == "Thing" and places:
            come_to(self._connection, id_, places, self._now_us)
        if new.type == "HistoricalLocation":
            connect(self._connection, id_, places)
            follow_history(self._connection, id_)
        return id_

    def _complete(self, new: New, values: Values, properties: Sequence[int], at: str) -> None:
        """Give columns that are not properties of their own."""
        if new.type == "Thing":
            values["system_id"] = self._system
        elif new.type in SHARED:
            values["home_id"] = self._system
        elif new.type in ("Datastream", "MultiDatastream"):
            if "observation_type" not in values:
                values.update(columns_of(new.type, {"observationType": None}))
            values["full_name"] = full_name(self._connection, values["thing_id"], values["name"])
            if new.type == "MultiDatastream":
                check_parts(values, len(properties), at)
                values["multi"] = {name: values.pop(name) for name in MULTI}
                values["observed_property_id"] = properties[0]
        elif new.type == "Task":
            values.update(
                key=secrets.token_hex(16),
                creation_time_us=self._now_us,
                # No device will answer: it must not wait among the commands that are sent again.
                state=TaskState.DONE.value,
                sent_us=self._now_us,
                ended_us=self._now_us,
                expires_us=self._now_us,
            )

    def _link(
        self, type_: str, id_: int, link: Link, made: Sequence[Made], some: Sequence[int | New]
    ) -> None:
        """Link what is linked by a table between, or by a column of the other one."""
        if link.target == "Observation":
            return
        is_linked = _is_needed_there(link)
        targets = [
            one.id
            for one, given in zip(made, some, strict=True)
            if not (isinstance(given, New) and is_linked)
        ]
        if (type_, link.name) == ("Location", "Things"):
            for thing in targets:
                come_to(self._connection, thing, [id_], self._now_us)
        elif (type_, link.name) in BETWEEN:
            table, ours, theirs = BETWEEN[type_, link.name]
            rows: list[dict[str, Any]] = [{ours: id_, theirs: one} for one in targets]
            if rows:
                self._connection.execute(insert(table), rows)
        else:
            adopt(self._connection, id_, link, targets)

    def _observation(
        self,
        targets: Mapping[str, Sequence[int]],
        nested: dict[str, list[Made]],
        at: str,
    ) -> Made:
        """Find the feature of an Observation, whose row is not kept here."""
        owner = next((targets[n] for n in ("Datastream", "MultiDatastream") if n in targets), None)
        if owner is None:
            raise InvalidInput(f"{at}: Datastream is missing; an Observation needs one")
        if "FeatureOfInterest" not in targets:
            own = writing_features.own_features(self._connection, owner)
            now = writing_features.features_of_places(self._connection, owner)
            if owner[0] not in now:
                raise InvalidInput(
                    f"{at}: FeatureOfInterest is missing, and the Thing has no Location that one "
                    "could be made from; give one of them"
                )
            feature = now[owner[0]]
            nested["FeatureOfInterest"] = [Made(id=0 if feature == own.get(owner[0]) else feature)]
            seen = feature
        else:
            seen = targets["FeatureOfInterest"][0]
            nested.setdefault("FeatureOfInterest", [Made(id=seen)])
        nested.setdefault("Datastream", [Made(id=owner[0])])
        writing_features.extend_areas(self._connection, {owner[0]: [seen]})
        return Made(id=0, nested=nested)

    def _finish(self, type_: str, id_: int) -> None:
        if type_ in ("Datastream", "MultiDatastream"):
            reindex(self._connection, [], [id_])


def _is_needed_there(link: Link) -> bool:
    """Tell whether what a link leads to is linked back when it is made."""
    inverse = TYPES[link.target].link(link.inverse)
    return inverse is not None and (not inverse.many or inverse.required)


def check_parts(values: Values, properties: int, at: str) -> None:
    """Raise `InvalidInput` when the lists of a MultiDatastream differ in length."""
    lengths = {name: len(values[name]) for name in MULTI}
    lengths["ObservedProperties"] = properties
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise InvalidInput(f"{at}: there are {text}; there must be as many of each")
