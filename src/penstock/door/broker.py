"""What all clients share: sessions, subscriptions, retained messages, wills."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from penstock.core.access import ANYONE, Kind, Principal
from penstock.core.clock import Clock
from penstock.core.log import MQTT_3_1_1
from penstock.door.asking import is_request
from penstock.door.commit import Entry, GroupCommit
from penstock.door.delivery import Delivery, hand_over, plan
from penstock.door.intake import Run
from penstock.door.keeping import Keeper
from penstock.door.message import Message
from penstock.door.packets import Request, Will
from penstock.door.permissions import Permissions, owner_of
from penstock.door.quotas import Allowance, Quotas, whole
from penstock.door.reasons import Reason
from penstock.door.receipts import asked_by, is_for, receipt
from penstock.door.retained import Retained
from penstock.door.routing import Routing
from penstock.door.session import Link, Session
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats
from penstock.door.subscriptions import QUIET, Match, Route, Subscription, Subscriptions
from penstock.door.topics import split_share
from penstock.door.wanted import Wanted
from penstock.door.wills import logged_will

_log = logging.getLogger(__name__)

#: The journal learns that time goes on at least this often, so that sessions of clients that are
#: away grow old over restarts.
HEARTBEAT_S = 600.0


class Broker:
    """Connects sessions with each other; knows nothing of sockets."""

    def __init__(
        self,
        settings: DoorSettings,
        clock: Clock,
        stats: Stats,
        permissions: Permissions,
        quotas: Quotas,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.stats = stats
        self.keeper = Keeper(clock)
        self.quotas = quotas
        self.retained = Retained(quotas.whole, self.keeper.retained)
        self._permissions = permissions
        self._with_accounts = permissions.has_accounts
        self._commit: GroupCommit | None = None
        self._sessions: dict[str, Session] = {}
        self._wanted = Wanted(self.publish, clock)
        self._subscriptions = Subscriptions(self._filter_changed)
        #: Filters that somebody has, without those of what the door says itself.
        self._filters = 0
        #: Called when the first of them comes, with True, and when the last one goes.
        self.on_listened: Callable[[bool], None] | None = None
        self.routing = Routing(permissions, self._subscriptions, self._is_heard)
        #: Sessions whose client is away.
        self._away: dict[str, Session] = {}
        #: Sessions that were over when the door began, and whose wills are still to be sent.
        self.ended: list[Session] = []

    @property
    def is_listened_to(self) -> bool:
        """Whether anybody subscribes to anything that others publish."""
        return self._filters > 0

    def _filter_changed(self, name: str, listened: bool) -> None:
        self._wanted.changed(name, listened=listened)
        if not name.startswith("$"):
            self._filters += 1 if listened else -1
            if self._filters == listened and self.on_listened is not None:
                self.on_listened(listened)

    def use(self, commit: GroupCommit) -> None:
        """Say where wills are written to."""
        self._commit = commit

    def permissions_changed(self) -> None:
        """Decide anew where messages go, because somebody may do more or less than before."""
        self.routing.forget()
        if self._permissions.has_accounts is not self._with_accounts:
            self._with_accounts = self._permissions.has_accounts
            for session in self._sessions.values():
                session.charge(self.quotas.of(session.who))

    def session_of(self, client: str) -> Session | None:
        """Return the session of this name."""
        return self._sessions.get(client)

    def open_session(self, client: str, who: Principal, *, clean: bool) -> tuple[Session, bool]:
        """Return the session of a name and whether it was there before.

        Another connection with this session must have been ended before. What the session gets
        from now on is what `who` may receive.

        Raises:
            ProtocolViolation: There are too many sessions.
        """
        session = self._sessions.get(client)
        if session is not None and clean:
            self._drop(session)
            session = None
        if session is not None:
            self._away.pop(client, None)
            session.will_due_at_s = None
            if session.who != who:
                session.who = who
                session.charge(self.quotas.of(who))
                self.routing.forget()
            return session, True
        self.quotas.require(self.quotas.of(who), "sessions")
        return self._register(client, who), False

    def _register(self, client: str, who: Principal) -> Session:
        session = self._sessions[client] = self.new_session(client, who)
        session.allowance.sessions.take()
        self.stats.sessions = len(self._sessions)
        return session

    def new_session(self, client: str, who: Principal = ANYONE) -> Session:
        """Return a session that nobody can find."""
        allowance = self.quotas.of(who)
        session = Session(client, self.settings, self.clock, self.stats, self.keeper, allowance)
        session.who = who
        session.on_over = self.quotas.went_over
        session.on_taken = self._taken
        session.may_receive = self.routing.may_receive
        return session

    def restore_session(self, client: str, who: Principal = ANYONE) -> Session:
        """Return a new session for a client that is away, for the journal's content."""
        session = self._away[client] = self._register(client, who)
        return session

    def restore_subscription(self, session: Session, name: str, subscription: Subscription) -> None:
        """Subscribe as before, without asking anew whether it is allowed."""
        session.subscriptions.put(name, subscription)
        session.allowance.subscriptions.take()
        self._subscriptions.add(session, name, subscription)
        self.routing.forget()

    def leave(self, session: Session, link: Link, *, with_will: bool) -> None:
        """Take note that a session's connection is gone; nothing if it has another by now."""
        if session.link is not link:
            return
        now_s = self.clock.monotonic_s()
        if not with_will:
            session.will = None
        session.lose(now_s)
        if session.will_due_at_s is not None and session.will_due_at_s <= now_s:
            self._send_will(session)
        if session.expiry_s:
            self._away[session.client] = session
            self.keeper.left(session)
        else:
            self._drop(session)
        self._write_soon()

    def subscribe(self, who: Principal, session: Session, request: Request, identifier: int) -> int:
        """Subscribe; return the reason for SUBACK."""
        if who.kind is not Kind.PLATFORM and not self._permissions.may_subscribe(
            who, request.filter
        ):
            self.stats.denied_subscriptions += 1
            return Reason.NOT_AUTHORIZED
        name = request.filter
        known = name in session.subscriptions
        if not known:
            if not self.quotas.has_room_for(session.allowance, session.subscriptions, name):
                return Reason.QUOTA_EXCEEDED
            if not session.allowance.subscriptions.has_room():
                self.quotas.went_over(session.allowance, "subscriptions")
                return Reason.QUOTA_EXCEEDED
            session.allowance.subscriptions.take()
        subscription = Subscription(
            request.qos, request.no_local, request.retain_as_published, identifier
        )
        session.subscriptions.put(name, subscription)
        self._subscriptions.add(session, name, subscription)
        self.routing.forget()
        self.keeper.subscribed(session, name, subscription)
        if who.kind is Kind.PLATFORM:
            self._wanted.subscribed(name)
        return request.qos

    def plan_retained(
        self, session: Session, request: Request, identifier: int, *, is_new: bool
    ) -> list[Delivery]:
        """Plan to send the retained messages that a new subscription asks for (3.3.1.3)."""
        shared = split_share(request.filter)[0] is not None
        if shared or request.retain_handling == 2 or (request.retain_handling == 1 and not is_new):
            return []
        identifiers = (identifier,) if identifier else ()
        found = []
        for message in self.retained.match(request.filter, self.clock.monotonic_s()):
            own = request.no_local and message.publisher == session.client
            if not own and self.routing.may_receive(session, message.topic):
                qos = min(message.qos, request.qos)
                found.append(plan(session, message, qos, retain=True, identifiers=identifiers))
        return [delivery for delivery in found if delivery is not None]

    def unsubscribe(self, session: Session, name: str) -> int:
        """Unsubscribe; return the reason for UNSUBACK."""
        if not session.subscriptions.drop(name):
            return Reason.NO_SUBSCRIPTION_EXISTED
        session.allowance.subscriptions.take(-1)
        self._subscriptions.remove(session, name)
        self.routing.forget()
        self.keeper.subscribed(session, name, None)
        return Reason.SUCCESS

    def publish(self, message: Message) -> None:
        """Pass on a message that is not for the log, as soon as the journal has what it needs."""
        self._hand_over_soon(self._plan(message))

    def hand_on(self, messages: Sequence[Message]) -> None:
        """Pass on messages that are in another part of the log, in their order."""
        deliveries = [one for message in messages for one in self._plan(message)]
        if deliveries:
            is_busy = self._commit is not None and self._commit.is_busy
            self._hand_over_soon(deliveries, in_order=is_busy)

    def prepare(self, group: list[Entry], offset: int) -> None:
        """Decide where the messages of a group go, before it is written.

        Args:
            group: What is to be written.
            offset: Place in the log of its first message.
        """
        for entry in group:
            run = entry.run
            if run.messages or run.received:
                try:
                    self._prepare(entry.session, run, offset)
                except Exception:
                    # One message's trouble must not keep all others from the disk.
                    _log.exception("Routing failed; this is a bug, please report it")
            offset += run.count

    def settle(self, run: Run) -> None:
        """Pass on what is on disk."""
        hand_over(run.deliveries)

    def will_sent(self, session: Session, will: Will) -> None:
        """Take note that a will is on disk; a client that is back may have left another one."""
        if session.will is will and session.link is None:
            session.will = None
            if self._sessions.get(session.client) is session:
                self.keeper.left(session)
            else:
                self.keeper.forget(session)
            self._write_soon()

    def write_all(self) -> None:
        """Write what the journal has not been told yet."""
        self.keeper.hurry()
        self._write_soon()

    def count_subscriptions(self) -> tuple[int, int]:
        """Return how many subscriptions there are, and how many of them are shared."""
        names = [name for session in self._sessions.values() for name in session.subscriptions]
        return len(names), sum(split_share(name)[0] is not None for name in names)

    def tick(self) -> None:
        """Send wills that are due and end sessions that are over; called every second."""
        now_s = self.clock.monotonic_s()
        while self.ended:
            self._send_will(self.ended.pop())
        for session in list(self._away.values()):
            if session.will_due_at_s is not None and session.will_due_at_s <= now_s:
                self._send_will(session)
            if session.expires_at_s <= now_s:
                self._drop(session)
        if not self.keeper.is_idle or self.keeper.quiet_s > HEARTBEAT_S:
            self.write_all()

    def _write_soon(self) -> None:
        if self._commit is not None and self.keeper.is_unsaved:
            self._commit.nudge()

    def _prepare(self, session: Session | None, run: Run, offset: int) -> None:
        if session is not None:
            for packet_id, index in run.received:
                # It may have been released already, by a client that does not wait for PUBREC.
                if packet_id in session.inbound:
                    self.keeper.received(session, packet_id, offset + index)
        for message in run.messages:
            message.offset = None if message.index < 0 else offset + message.index
            run.deliveries += self._plan(message)

    def _plan(self, message: Message) -> list[Delivery]:
        """Decide who gets a message."""
        if is_request(message.topic, message.publisher):
            return []
        if message.retain:
            self._retain(message)
        route = self.routing.to(message.topic)
        if route is QUIET or message.is_expired(self.clock.monotonic_s()):
            return []
        found = [_delivery(message, match) for match in route.matches]
        for group in route.groups:
            match = group.choose(partial(self.routing.may_receive, topic=message.topic))
            found.append(_delivery(message, match, group.filter))
        return [delivery for delivery in found if delivery is not None]

    def restore_retained(self, message: Message) -> bool:
        """Keep a retained message of before; return whether there is room for it."""
        is_kept = self.retained.restore(message, self._payer(message))
        self.stats.retained = len(self.retained)
        return is_kept

    def _retain(self, message: Message) -> None:
        payer = self._payer(message)
        if not self.retained.keep(message, payer):
            self.stats.rejected += 1
            if payer.retained.has_room():
                self.quotas.went_over(payer, "retained_bytes", len(message.payload))
            else:
                self.quotas.went_over(payer, "retained")
        self.stats.retained = len(self.retained)

    def _payer(self, message: Message) -> Allowance:
        sender = self._sessions.get(message.publisher)
        return self.quotas.of_topic(None if sender is None else sender.who, message.topic)

    def _hand_over_soon(self, deliveries: list[Delivery], *, in_order: bool = False) -> None:
        if (self.keeper.is_unsaved or in_order) and self._commit is not None:
            run = Run(b"", b"", 0, b"", 0, deliveries=deliveries)
            self._commit.add(Entry(self, "", MQTT_3_1_1, run))
        else:
            hand_over(deliveries)

    def _taken(self, session: Session, message: Message) -> None:
        name = asked_by(message)
        if name and self._is_for(session, message):
            self.publish(receipt(name, session, self.clock))

    def _is_for(self, session: Session, message: Message) -> bool:
        """Tell whether a message with a receipt is for this session, which is of its system."""
        return self._permissions.acts_for(session.who, message.topic) and is_for(session, message)

    def _is_heard(self, route: Route, message: Message) -> bool:
        """Tell whether a message has anybody to go to; one with a receipt, whom it is for.

        A client that is away has it only if its session keeps it.
        """
        if not asked_by(message):
            return route is not QUIET
        members = [match for group in route.groups for match in group.members.values()]
        return any(
            (match.session.link is not None or match.qos > 0)
            and self._is_for(match.session, message)
            for match in (*route.matches, *members)
        )

    def _pass_on_shared(self, session: Session) -> None:
        """Give what an ending session had of shared subscriptions to other members (4.8.2)."""
        for outgoing in list(session.open_messages()):
            message = outgoing.message
            owner = owner_of(session.client)
            group = self._subscriptions.group(owner, outgoing.share) if outgoing.share else None
            if group is None or outgoing.is_released:
                continue
            match = group.choose(partial(self.routing.may_receive, topic=message.topic))
            if match is None or not min(message.qos, match.qos):
                continue
            delivery = _delivery(message, match, group.filter)
            if delivery is not None:
                self._hand_over_soon([delivery])

    def _drop(self, session: Session) -> None:
        """End a session; its will is due at once (section 3.1.2.5)."""
        self._away.pop(session.client, None)
        found = self._sessions.pop(session.client, None)
        self.stats.sessions = len(self._sessions)
        if session.will_due_at_s is not None:
            self._send_will(session)
        for name in session.subscriptions:
            self._subscriptions.remove(session, name)
        if session.subscriptions:
            self.routing.forget()
            self._pass_on_shared(session)
        self.keeper.forget(session)
        if found is session:
            # What is still on its way to it is paid by nobody.
            session.charge(whole(self.settings))

    def _send_will(self, session: Session) -> None:
        """Send the will; it stays with the session until it is on disk."""
        will, session.will_due_at_s = session.will, None
        if will is None or self._commit is None:
            return
        if not self.routing.may_publish(session.who, will.topic):
            self.stats.denied += 1
            self.will_sent(session, will)
            return
        self._commit.add(logged_will(self, session, will))


def _delivery(message: Message, match: Match | None, share: str = "") -> Delivery | None:
    if match is not None and message.publisher == match.session.client:
        match = match.local
    if match is None:
        return None
    retain = message.retain and match.retain_as_published
    qos = min(message.qos, match.qos)
    return plan(
        match.session, message, qos, retain=retain, identifiers=match.identifiers, share=share
    )
