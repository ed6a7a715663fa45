"""Routes: which codecs understand the messages of a topic."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from penstock.core.errors import ConfigError
from penstock.core.listening import Kind
from penstock.ingest.settings import DEFAULT_ROUTES, IngestSettings, Route
from penstock.ingest.tenancy import Tenancy, no_organisation

#: Codec name of a route whose messages stay in the log and go no further.
NONE = "none"

#: What the platform tells itself begins with this; it is no data of devices, and no route is asked.
OWN_TOPICS = "$SYS/"

_NAME = re.compile(r"\{([^{}]*)\}")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Pattern:
    """A topic filter in MQTT's syntax (`+`, `#`), with `{name}` for what is to be captured.

    `{name}` stands for at least one character and never for a `/`. Topics that begin with `$` are
    matched only by filters that spell the `$` out, as MQTT asks for (section 4.7.2).

    Args:
        topic: The filter.

    Raises:
        ConfigError: It is not a valid filter.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._regex = re.compile(_translate(topic), re.DOTALL)

    def match(self, topic: str) -> Mapping[str, str] | None:
        """Return what the filter captures from a topic, or None if it does not match."""
        found = self._regex.fullmatch(topic)
        if found is None:
            return None
        return found.groupdict() if self._regex.groups else _NOTHING


def _translate(topic: str) -> str:
    names: set[str] = set()
    levels = topic.split("/")
    rest = levels[-1] == "#"
    parts = [_level(level, topic, names) for level in (levels[:-1] if rest else levels)]
    guard = "" if topic.startswith("$") else r"(?!\$)"
    if not rest:
        return guard + "/".join(parts)
    return guard + ("/".join(parts) + "(?:/.*)?" if parts else ".*")


def _level(level: str, topic: str, names: set[str]) -> str:
    if level == "+":
        return "[^/]*"
    pieces = _NAME.split(level)
    literals, captured = pieces[::2], pieces[1::2]
    if any(c in literal for literal in literals for c in "+#{}\0"):
        msg = (
            f"route topic {topic!r} is not a valid filter at {level!r}; `+` stands for a whole "
            "level, `#` for all the levels at the end, `{name}` for a level or a part of one"
        )
        raise ConfigError(msg)
    out = [re.escape(literals[0])]
    for name, literal in zip(captured, literals[1:], strict=True):
        if not name.isidentifier() or name in names:
            msg = (
                f"route topic {topic!r} captures {name!r}; a captured name is made of letters, "
                "digits and '_' and occurs once"
            )
            raise ConfigError(msg)
        names.add(name)
        out += (f"(?P<{name}>[^/]+)", re.escape(literal))
    return "".join(out)


class Topic:
    """A topic that was seen.

    Attributes:
        name: As it was published to.
        route: Number of its route.
        fields: What the route captured from it.
        system: The system that owns it.
        path: As its route and codecs see it: without the system's name in front.
    """

    __slots__ = ("fields", "name", "path", "route", "system")

    def __init__(
        self, name: str, route: int, fields: Mapping[str, str], system: int, path: str
    ) -> None:
        self.name = name
        self.route = route
        self.fields = fields
        self.system = system
        self.path = path


#: Longer topics are matched every time, so that hostile ones cannot fill the memory.
MAX_KNOWN_TOPIC_BYTES = 512


class TopicTable(dict[bytes, Topic]):
    """Remembers the route of every topic seen, by its bytes, so that a message costs a look-up.

    Args:
        routes: Tried in order; the first match is taken.
        max_topics: Topics remembered; `trim` forgets all when there are more.
        tenancy: Knows whose topics they are; without it all are the default system's.
    """

    #: Route number of topics that no route matches.
    UNROUTED = -1
    #: Route number of topics of the platform itself, which are passed over.
    OWN = -2

    def __init__(
        self, routes: Sequence[Route], max_topics: int, tenancy: Tenancy | None = None
    ) -> None:
        super().__init__()
        self.tenancy = tenancy or Tenancy(no_organisation())
        self.codecs = tuple(route.codecs for route in routes)
        self._patterns = tuple(Pattern(route.topic) for route in routes)
        self._max_topics = max_topics

    def __missing__(self, raw: bytes) -> Topic:
        """Find the route of a topic not seen before."""
        name = raw.decode(errors="replace")
        system, path = self.tenancy.place(name)
        topic = Topic(name, *self._find(path), system, path)
        if len(raw) <= MAX_KNOWN_TOPIC_BYTES:
            self[raw] = topic
        return topic

    def _find(self, name: str) -> tuple[int, Mapping[str, str]]:
        if name.startswith(OWN_TOPICS):
            return self.OWN, _NOTHING
        for number, pattern in enumerate(self._patterns):
            fields = pattern.match(name)
            if fields is not None:
                return number, fields
        return self.UNROUTED, _NOTHING

    def trim(self) -> None:
        """Forget everything if there is too much or systems changed; called between batches."""
        if self.tenancy.follow() or len(self) > self._max_topics:
            self.clear()


def routes_of(settings: IngestSettings) -> tuple[Route, ...]:
    """Return all routes in the order in which they are tried.

    Raises:
        ConfigError: A route names `none`, or what devices say beside results, beside codecs.
    """
    routes = settings.routes + (DEFAULT_ROUTES if settings.default_routes else ())
    for route in routes:
        alone = [name for name in route.codecs if name == NONE or name in set(Kind)]
        if alone and len(route.codecs) > 1:
            msg = (
                f"route {route.topic!r} has codecs {', '.join(route.codecs)}; `{alone[0]}` makes "
                "no observations and stands alone"
            )
            raise ConfigError(msg)
    return routes
