"""What a topic of the SensorThings API wants to hear of (OGC 18-088 section 14.2)."""

from __future__ import annotations

import msgspec

from penstock.core.errors import InvalidInput
from penstock.core.things_topics import split_things_topic
from penstock.sensorthings.grammar import Ending, Options, ResourcePath, parse_options, parse_path


class Listening(msgspec.Struct, frozen=True):
    """A topic that somebody subscribed to.

    Attributes:
        topic: As it was written; what is told is published to it.
        system: Name of the system whose entities it is about; "" is the default one.
        text: The path as it was written.
        query: The options as they were written.
        path: A set (`Things`, `Datastreams(1)/Observations`), an entity (`Things(1)`), or a
            property of one (`Things(1)/name`).
        options: `$select`, `$expand` and `$filter`.
    """

    topic: str
    system: str
    text: str
    query: str
    path: ResourcePath
    options: Options

    @property
    def type(self) -> str:
        """Name of the type of entity that it is about."""
        return self.path.last.type

    @property
    def owner(self) -> str:
        """Path of the entity that a property is of."""
        return self._first(len(self.path.segments))

    @property
    def parent(self) -> str:
        """Path of the entity that a set is linked to."""
        return self._first(len(self.path.segments) - 1)

    def _first(self, count: int) -> str:
        """Return the path of the first so many entities; their ids hold no slash."""
        return "/".join(self.text.split("/")[:count])


def read_topic(topic: str) -> Listening:
    """Return what a topic of the SensorThings API wants to hear of.

    Raises:
        InvalidInput: It is none that anything will ever be published to.
        NotFound: The same.
        NotSupported: The same.
    """
    system, rest = split_things_topic(topic)
    text, _, query = rest.partition("?")
    path = parse_path(text)
    if not path.segments or path.action or path.ending is not Ending.ENTITY:
        raise InvalidInput(
            f"topic {topic[:80]!r} leads to no entities; subscribe to a set such as v1.1/Things, "
            "to an entity, or to a property of one"
        )
    return Listening(topic, system, text, query, path, parse_options(query, path.last.type))
