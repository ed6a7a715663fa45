"""What all clients share: sessions, subscriptions, retained messages, wills."""

from __future__ import annotations

from collections.abc import Hashable

from penstock.core.clock import Clock
from penstock.core.log import MQTT_3_1_1
from penstock.door.auth import INTERNAL, Action, Authoriser, Principal
from penstock.door.commit import Entry, GroupCommit
from penstock.door.encoding import encode_publish
from penstock.door.fields import decode_text
from penstock.door.intake import Run
from penstock.door.message import Message
from penstock.door.packets import Publish, Request, Will
from penstock.door.properties import Property
from penstock.door.reasons import Reason
from penstock.door.receipts import receipt_for
from penstock.door.retained import Retained
from penstock.door.session import Link, Session
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats
from penstock.door.subscriptions import DENIED, QUIET, Match, Route, Subscription, Subscriptions
from penstock.door.topics import check_topic, is_own, split_share

#: Topics whose routes are remembered; beyond it all are forgotten and looked up anew.
MAX_KNOWN_TOPICS = 100_000
#: Longer topics are looked up every time, so that hostile ones cannot fill the memory.
MAX_KNOWN_TOPIC_BYTES = 512


class KnownRoutes:
    """Routes looked up before, for clients that may do the same."""

    def __init__(self, broker: Broker, who: Principal) -> None:
        self.known: dict[bytes, Route] = {}
        self.age = 0
        self._broker = broker
        self._who = who

    def forget(self) -> None:
        """Forget all routes, because subscriptions changed."""
        self.known.clear()
        self.age += 1

    def look_up(self, topic: bytes) -> Route:
        """Check the topic, find its route and remember it."""
        name = decode_text(topic)
        check_topic(name)
        route = self._broker.route(self._who, name)
        if len(self.known) >= MAX_KNOWN_TOPICS:
            self.known.clear()
        if len(topic) <= MAX_KNOWN_TOPIC_BYTES:
            self.known[topic] = route
        return route


class Broker:
    """Connects sessions with each other; knows nothing of sockets."""

    def __init__(
        self, settings: DoorSettings, clock: Clock, stats: Stats, authoriser: Authoriser
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.stats = stats
        self.retained = Retained(settings.max_retained, settings.max_retained_bytes)
        self._authoriser = authoriser
        self._commit: GroupCommit | None = None
        self._sessions: dict[str, Session] = {}
        self._subscriptions = Subscriptions()
        self._topic_routes: dict[str, Route] = {}
        self._routes: dict[Hashable, KnownRoutes] = {}
        #: Sessions whose client is away.
        self._away: dict[str, Session] = {}

    def use(self, commit: GroupCommit) -> None:
        """Say where wills are written to."""
        self._commit = commit

    def routes_for(self, who: Principal) -> KnownRoutes:
        """Return the routes that this client shares with its like."""
        scope = INTERNAL if who.is_internal else (self._authoriser.scope(who),)
        routes = self._routes.get(scope)
        if routes is None:
            routes = self._routes[scope] = KnownRoutes(self, who)
        return routes

    def route(self, who: Principal, topic: str) -> Route:
        """Return the route of a valid topic for messages from this client."""
        if is_own(topic) or not self._may(who, topic, Action.PUBLISH):
            return DENIED
        return self._route_of(topic)

    def _may(self, who: Principal, topic: str, action: Action) -> bool:
        return who.is_internal or self._authoriser.authorise(who, topic, action)

    def session_of(self, client: str) -> Session | None:
        """Return the session of this client identifier."""
        return self._sessions.get(client)

    def open_session(self, client: str, *, clean: bool) -> tuple[Session, bool] | None:
        """Return the client's session and whether it was there before; None if there are too many.

        Another connection of the same client must have been ended before.
        """
        session = self._sessions.get(client)
        if session is not None and clean:
            self._drop(session)
            session = None
        if session is not None:
            self._away.pop(client, None)
            session.will_due_at_s = None
            return session, True
        if len(self._sessions) >= self.settings.max_sessions:
            return None
        session = Session(client, self.settings, self.clock, self.stats)
        session.on_taken = self._taken
        self._sessions[client] = session
        self.stats.sessions = len(self._sessions)
        return session, False

    def leave(self, session: Session, link: Link, *, with_will: bool) -> None:
        """Take note that a session's connection is gone; nothing if it has another by now."""
        if session.link is not link:
            return
        session.detach()
        now_s = self.clock.monotonic_s()
        session.expires_at_s = now_s + session.expiry_s
        if session.will is not None:
            delay_s = session.will.properties.get(Property.WILL_DELAY_S, 0)
            session.will_due_at_s = now_s + min(delay_s, session.expiry_s)
            if not with_will:
                session.will = session.will_due_at_s = None
            elif session.will_due_at_s <= now_s:
                self._send_will(session)
        if session.expiry_s:
            self._away[session.client] = session
        else:
            self._drop(session)

    def subscribe(self, who: Principal, session: Session, request: Request, identifier: int) -> int:
        """Subscribe and send retained messages; return the reason for SUBACK."""
        if not self._may(who, request.filter, Action.SUBSCRIBE):
            return Reason.NOT_AUTHORIZED
        name = request.filter
        known = name in session.subscriptions
        if not known and len(session.subscriptions) >= self.settings.max_subscriptions:
            return Reason.QUOTA_EXCEEDED
        subscription = Subscription(
            request.qos, request.no_local, request.retain_as_published, identifier
        )
        session.subscriptions[name] = subscription
        self._subscriptions.add(session, name, subscription)
        self._forget_routes()
        return request.qos

    def send_retained(
        self, session: Session, request: Request, identifier: int, *, is_new: bool
    ) -> None:
        """Send the retained messages that a new subscription asks for (section 3.3.1.3)."""
        shared = split_share(request.filter)[0] is not None
        if shared or request.retain_handling == 2 or (request.retain_handling == 1 and not is_new):
            return
        identifiers = (identifier,) if identifier else ()
        for message in self.retained.match(request.filter, self.clock.monotonic_s()):
            if not (request.no_local and message.publisher == session.client):
                qos = min(message.qos, request.qos)
                session.deliver(message, qos, retain=True, identifiers=identifiers)

    def unsubscribe(self, session: Session, name: str) -> int:
        """Unsubscribe; return the reason for UNSUBACK."""
        if session.subscriptions.pop(name, None) is None:
            return Reason.NO_SUBSCRIPTION_EXISTED
        self._subscriptions.remove(session, name)
        self._forget_routes()
        return Reason.SUCCESS

    def publish(self, message: Message) -> None:
        """Pass on a message that is on disk."""
        if message.retain:
            if not self.retained.keep(message):
                self.stats.rejected += 1
            self.stats.retained = len(self.retained)
        route = self._route_of(message.topic)
        if route is QUIET or message.is_expired(self.clock.monotonic_s()):
            return
        for match in route.matches:
            _deliver(message, match)
        for group in route.groups:
            _deliver(message, group.choose())

    def settle(self, run: Run) -> None:
        """Pass on wills once they are on disk."""
        for message in run.messages:
            self.publish(message)

    def _taken(self, session: Session, message: Message) -> None:
        receipt = receipt_for(message, session.client, self.clock)
        if receipt is not None:
            self.publish(receipt)

    def tick(self) -> None:
        """Send wills that are due and end sessions that are over; called every second."""
        now_s = self.clock.monotonic_s()
        for session in list(self._away.values()):
            if session.will_due_at_s is not None and session.will_due_at_s <= now_s:
                self._send_will(session)
            if session.expires_at_s <= now_s:
                self._drop(session)

    def _drop(self, session: Session) -> None:
        """End a session; its will is due at once (section 3.1.2.5)."""
        if session.will_due_at_s is not None:
            self._send_will(session)
        for name in session.subscriptions:
            self._subscriptions.remove(session, name)
        if session.subscriptions:
            self._forget_routes()
        self._away.pop(session.client, None)
        self._sessions.pop(session.client, None)
        self.stats.sessions = len(self._sessions)

    def _send_will(self, session: Session) -> None:
        will, session.will, session.will_due_at_s = session.will, None, None
        if will is None or self._commit is None:
            return
        message = Message(will, session.client, self.clock.monotonic_s())
        packet = _as_packet(will)
        ends = len(packet).to_bytes(4, "little")
        run = Run(packet, ends, 1, b"", 0, [message])
        entry = Entry(self, session.client, MQTT_3_1_1, run)
        self._commit.add(entry)

    def _route_of(self, topic: str) -> Route:
        route = self._topic_routes.get(topic)
        if route is None:
            if len(self._topic_routes) >= MAX_KNOWN_TOPICS:
                self._topic_routes.clear()
            route = self._subscriptions.route(topic)
            if len(topic) <= MAX_KNOWN_TOPIC_BYTES:
                self._topic_routes[topic] = route
        return route

    def _forget_routes(self) -> None:
        self._topic_routes.clear()
        for routes in self._routes.values():
            routes.forget()


def _as_packet(will: Will) -> bytes:
    """Return a will as it is logged: a QoS 0 packet, since nobody acknowledges it."""
    return encode_publish(Publish(will.topic, will.payload, 0, will.retain), MQTT_3_1_1)


def _deliver(message: Message, match: Match | None) -> None:
    if match is not None and message.publisher == match.session.client:
        match = match.local
    if match is None:
        return
    retain = message.retain and match.retain_as_published
    qos = min(message.qos, match.qos)
    match.session.deliver(message, qos, retain=retain, identifiers=match.identifiers)
