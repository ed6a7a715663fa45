"""Who wants which topic: a tree of filter levels, and the route of a topic through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from penstock.door.permissions import owner_of
from penstock.door.topics import split_share

if TYPE_CHECKING:
    from penstock.door.session import Session

#: Tells whether a session may receive the message that is talked about.
MayReceive: TypeAlias = "Callable[[Session], bool]"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one session asked for with one filter; `identifier` 0 means none."""

    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    identifier: int = 0


@dataclass(slots=True, eq=False)
class Match:
    """One session on a route: all its matching subscriptions as one (section 3.3.4).

    Attributes:
        local: The same for messages that the session's own client published; None if it wants
            none of those.
    """

    session: Session
    qos: int
    retain_as_published: bool
    identifiers: tuple[int, ...]
    local: Match | None


class Group:
    """The members of a shared subscription; each message goes to one of them, in turn.

    Attributes:
        filter: What its members subscribed to, with `$share`.
        members: By the names of their sessions; all have one owner.
    """

    __slots__ = ("_turn", "filter", "members")

    def __init__(self, name: str) -> None:
        self.filter = name
        self.members: dict[str, Match] = {}
        self._turn = 0

    def choose(self, may_receive: MayReceive) -> Match | None:
        """Return whose turn it is: the next member that is connected, else the next.

        None if no member may receive the message.
        """
        members = list(self.members.values())
        count = len(members)
        self._turn += 1
        chosen = None
        for turn in range(self._turn, self._turn + count):
            member = members[turn % count]
            if not may_receive(member.session):
                continue
            if member.session.link is not None:
                self._turn = turn
                return member
            chosen = chosen or member
        return chosen


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Where a message on one topic goes."""

    matches: tuple[Match, ...] = ()
    groups: tuple[Group, ...] = ()


#: The route of a topic that nobody listens to: such messages cost nothing beyond the log.
QUIET = Route()
#: The route of a topic that its client may not publish to.
DENIED = Route()


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    sessions: dict[str, tuple[Session, Subscription]] = field(default_factory=dict)
    #: By owner and name: no system takes messages from another's shared subscription.
    groups: dict[tuple[str, str], Group] = field(default_factory=dict)


class Subscriptions:
    """All subscriptions of all sessions.

    Args:
        changed: Called with a filter, without share name, when the first one subscribes to it and
            when the last one is gone.
    """

    def __init__(self, changed: Callable[[str, bool], None] = lambda *_: None) -> None:
        self._root = _Node()
        self._changed = changed

    def add(self, session: Session, name: str, subscription: Subscription) -> None:
        """Subscribe; replaces what the session asked for with the same filter."""
        share, plain = split_share(name)
        node = self._root
        for level in plain.split("/"):
            node = node.children.setdefault(level, _Node())
        is_first = not (node.sessions or node.groups)
        if share is None:
            node.sessions[session.client] = (session, subscription)
        else:
            group = node.groups.setdefault((owner_of(session.client), share), Group(name))
            group.members[session.client] = _combine(session, (subscription,))
        if is_first:
            self._changed(plain, True)

    def remove(self, session: Session, name: str) -> None:
        """Take back; leaves no empty branches behind. Unknown is fine."""
        share, plain = split_share(name)
        path = [self._root]
        levels = plain.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        node = path[-1]
        was_wanted = bool(node.sessions or node.groups)
        if share is None:
            node.sessions.pop(session.client, None)
        elif (key := (owner_of(session.client), share)) in node.groups:
            node.groups[key].members.pop(session.client, None)
            if not node.groups[key].members:
                del node.groups[key]
        if was_wanted and not (node.sessions or node.groups):
            self._changed(plain, False)
        for level, parent in zip(reversed(levels), reversed(path[:-1]), strict=True):
            child = parent.children[level]
            if child.children or child.sessions or child.groups:
                return
            del parent.children[level]

    def group(self, owner: str, name: str) -> Group | None:
        """Return an owner's shared subscription with this filter; None if it has no members."""
        share, plain = split_share(name)
        node: _Node | None = self._root
        for level in plain.split("/"):
            node = node and node.children.get(level)
        return None if node is None or share is None else node.groups.get((owner, share))

    def route(self, topic: str, may_receive: MayReceive = lambda _: True) -> Route:
        """Return where a message on this topic goes; `QUIET` if nobody wants it who may have it."""
        found: dict[str, tuple[Session, list[Subscription]]] = {}
        denied: set[str] = set()
        groups: list[Group] = []
        for node in self._nodes(topic):
            for client, (session, subscription) in node.sessions.items():
                if client in found:
                    found[client][1].append(subscription)
                elif client not in denied:
                    if may_receive(session):
                        found[client] = (session, [subscription])
                    else:
                        denied.add(client)
            groups += [
                group
                for group in node.groups.values()
                if any(may_receive(member.session) for member in group.members.values())
            ]
        if not found and not groups:
            return QUIET
        matches = tuple(_combine(session, wanted) for session, wanted in found.values())
        return Route(matches, tuple(groups))

    def _nodes(self, topic: str) -> Iterator[_Node]:
        level_nodes = [self._root]
        # A filter that begins with a wildcard does not match a topic that begins with '$'
        # (section 4.7.2).
        wild = not topic.startswith("$")
        for level in topic.split("/"):
            below: list[_Node] = []
            for node in level_nodes:
                names = (level, "+") if wild else (level,)
                below += [node.children[name] for name in names if name in node.children]
                if wild and "#" in node.children:
                    yield node.children["#"]
            level_nodes = below
            wild = True
        for node in level_nodes:
            yield node
            if "#" in node.children:
                yield node.children["#"]


def _combine(session: Session, wanted: Iterable[Subscription]) -> Match:
    wanted = tuple(wanted)
    local = tuple(one for one in wanted if not one.no_local)
    own = None
    if local and len(local) < len(wanted):
        own = _match(session, local, None)
    match = _match(session, wanted, own)
    if len(local) == len(wanted):
        # The usual case: no difference between own and other messages.
        match.local = match
    return match


def _match(session: Session, wanted: tuple[Subscription, ...], local: Match | None) -> Match:
    return Match(
        session,
        max(one.qos for one in wanted),
        any(one.retain_as_published for one in wanted),
        tuple(one.identifier for one in wanted if one.identifier),
        local,
    )
