"""What the path of a request leads to."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Ending(StrEnum):
    """What of the resource is wanted."""

    ENTITY = ""
    VALUE = "$value"
    REF = "$ref"
    COUNT = "$count"


class Segment(msgspec.Struct, frozen=True):
    """One step of a path: a set, one of a set, or where a link to one leads.

    Attributes:
        name: As written: `Things`, `Datastreams`, `Thing`.
        type: Name of the entity type there.
        many: It is a set, or one of a set when there is an id.
        id: `Things(1)`: 1; `Observations('5-17')`: "5-17". None when none is given.
    """

    name: str
    type: str
    many: bool
    id: int | str | None = None

    @property
    def is_set(self) -> bool:
        """Whether it is any number of entities."""
        return self.many and self.id is None


class ResourcePath(msgspec.Struct, frozen=True):
    """A path, read; the service root has neither segments nor an action.

    Attributes:
        segments: From the first set on; all but the last are single entities.
        properties: A property of the entity at the end, and members of its JSON; the id is
            `@iot.id`.
        ending: `$value`, `$ref` or `$count`.
        action: `CreateObservations`, `$batch`, or empty.
    """

    segments: tuple[Segment, ...] = ()
    properties: tuple[str, ...] = ()
    ending: Ending = Ending.ENTITY
    action: str = ""

    @property
    def last(self) -> Segment:
        """The step at the end; there must be one."""
        return self.segments[-1]
