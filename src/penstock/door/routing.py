"""Where the messages of each topic go: looked up once, and forgotten when anything changes."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakSet, WeakValueDictionary

from penstock.core.access import Kind, Principal
from penstock.core.things_topics import is_things_topic
from penstock.door.fields import decode_text
from penstock.door.message import Message
from penstock.door.permissions import Permissions
from penstock.door.session import Session
from penstock.door.subscriptions import DENIED, QUIET, Route, Subscriptions
from penstock.door.topics import check_topic, is_own

#: Topics whose routes are remembered; beyond it all are forgotten and looked up anew.
MAX_KNOWN_TOPICS = 100_000
#: Longer topics are looked up every time, so that hostile ones cannot fill the memory.
MAX_KNOWN_TOPIC_BYTES = 512


class KnownRoutes:
    """Routes looked up before, for one user or client of the organisation."""

    def __init__(self, routing: Routing, who: Principal) -> None:
        self.known: dict[bytes, Route] = {}
        self.age = 0
        self._routing = routing
        self._who = who

    def forget(self) -> None:
        """Forget all routes, because subscriptions changed."""
        self.known.clear()
        self.age += 1

    def look_up(self, topic: bytes) -> Route:
        """Check the topic, find its route and remember it."""
        name = decode_text(topic)
        check_topic(name)
        route = self._routing.route(self._who, name)
        if not self.known:
            self._routing.filled(self)
        if len(self.known) >= MAX_KNOWN_TOPICS:
            self.known.clear()
        is_notified = self._who.kind is Kind.PLATFORM and is_things_topic(name)
        if len(topic) <= MAX_KNOWN_TOPIC_BYTES and not is_notified:
            self.known[topic] = route
        return route

    def is_heard(self, route: Route, message: Message) -> bool:
        """Tell whether a message has anybody to go to."""
        return self._routing.is_heard(route, message)


class Routing:
    """Finds routes.

    Args:
        permissions: Who may publish and receive what.
        subscriptions: Who wants what.
        is_heard: Tells whether a message with this route has anybody to go to.
    """

    def __init__(
        self,
        permissions: Permissions,
        subscriptions: Subscriptions,
        is_heard: Callable[[Route, Message], bool],
    ) -> None:
        self.is_heard = is_heard
        self._permissions = permissions
        self._subscriptions = subscriptions
        self._by_topic: dict[str, Route] = {}
        self._routes: WeakValueDictionary[Principal, KnownRoutes] = WeakValueDictionary()
        #: Those that know a route, so that forgetting does not ask ten thousand who know none.
        self._filled: WeakSet[KnownRoutes] = WeakSet()

    def of(self, who: Principal) -> KnownRoutes:
        """Return the routes that all connections of this user or client share."""
        routes = self._routes.get(who)
        if routes is None:
            routes = self._routes[who] = KnownRoutes(self, who)
        return routes

    def filled(self, routes: KnownRoutes) -> None:
        """Take note that these routes are worth forgetting."""
        self._filled.add(routes)

    def forget(self) -> None:
        """Look everything up anew: subscriptions or permissions changed."""
        self._by_topic.clear()
        for routes in self._filled:
            routes.forget()
        self._filled.clear()

    def route(self, who: Principal, topic: str) -> Route:
        """Return the route of a valid topic for messages from this user or client."""
        if is_own(topic) or not self.may_publish(who, topic):
            return DENIED
        if who.kind is not Kind.PLATFORM and is_things_topic(topic):
            return QUIET
        return self.to(topic)

    def to(self, topic: str) -> Route:
        """Return the route of a topic, whoever publishes to it."""
        route = self._by_topic.get(topic)
        if route is None:
            if len(self._by_topic) >= MAX_KNOWN_TOPICS:
                self._by_topic.clear()
            route = self._subscriptions.route(
                topic, lambda session: self.may_receive(session, topic)
            )
            if len(topic) <= MAX_KNOWN_TOPIC_BYTES:
                self._by_topic[topic] = route
        return route

    def may_publish(self, who: Principal, topic: str) -> bool:
        """Tell whether messages from this user or client may go to a topic."""
        return who.kind is Kind.PLATFORM or self._permissions.may_publish(who, topic)

    def may_receive(self, session: Session, topic: str) -> bool:
        """Tell whether a session may get messages of a topic."""
        return self._permissions.may_receive(session.who, topic)
