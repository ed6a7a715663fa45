"""Writes of the SensorThings API in the audit trail: who made, changed and removed which entity.

Observations that are posted are data, like messages, and are not in it; that some were changed or
removed is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.api.context import Context
from penstock.core.entities import EntityReader
from penstock.core.entity_types import SETS
from penstock.core.errors import NotFound, NotSupported
from penstock.core.people import Actor, Event
from penstock.sensorthings.grammar import ResourcePath, Segment

_ACTIONS: Mapping[str, str] = {"POST": "add", "PATCH": "change", "PUT": "change"}
_MADE = re.compile(r"/(\w+)\((\d+)\)$")
_OBSERVATION = "Observation"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is written: an entity, or Observations of one; and whose it is."""

    type: str
    id: int
    address: str
    system: int | None


class SensorThingsTrail:
    """Writes down what was done. All calls wait for the catalog.

    Args:
        ctx: The platform's parts.
        reader: Tells whose an entity is.
    """

    def __init__(self, ctx: Context, reader: EntityReader) -> None:
        self._ctx = ctx
        self._reader = reader

    @staticmethod
    def is_written_down(method: str, path: ResourcePath) -> bool:
        """Tell whether a request is written down; does not wait."""
        return bool(path.segments) and not (method == "POST" and path.last.type == _OBSERVATION)

    def subject(self, path: ResourcePath, address: str) -> Subject:
        """Return what a request is about, before it is done."""
        named = [one for one in path.segments if _is_numbered(one)]
        owner = self._system(named[-1].type, named[-1].id) if named else None
        id_ = path.last.id if isinstance(path.last.id, int) else 0
        return Subject(path.last.type, id_, address.partition("?")[0], owner)

    def write(self, by: Actor, method: str, subject: Subject, headers: Mapping[str, str]) -> None:
        """Write down a request that was answered well."""
        identities = self._ctx.identities
        if identities is None:
            return
        made = _MADE.search(headers.get("Location", "")) if method == "POST" else None
        if made is not None and made[1] in SETS:
            kind, id_ = SETS[made[1]].name, int(made[2])
            subject = Subject(kind, id_, made[0].lstrip("/"), self._system(kind, id_))
        systems = {one.id: one for one in self._ctx.access.organisation.systems}
        system = None if subject.system is None else systems.get(subject.system)
        event = Event(
            action=_ACTIONS.get(method, "remove"),
            kind=subject.type,
            object_id=subject.id,
            name=subject.address,
            company=None if system is None else system.company,
            system=subject.system,
        )
        identities.trail.write(by, event)

    def _system(self, type_: str, id_: object) -> int | None:
        try:
            return self._reader.system_of(type_, id_) if isinstance(id_, int) else None
        except (NotFound, NotSupported):
            return None


def _is_numbered(segment: Segment) -> bool:
    return isinstance(segment.id, int) and segment.type != _OBSERVATION
