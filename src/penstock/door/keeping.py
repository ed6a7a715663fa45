"""What the journal is to know, noted while it happens; written with the next group.

A note costs a place in a dictionary. `eager` notes are of things that somebody is told about only
once they are on disk; the others may wait for company, because forgetting them does no harm: a
message acknowledged by a subscriber may come to it once more after a crash (at QoS 1), or its
PUBREL (at QoS 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from penstock.core.clock import Clock
from penstock.core.log import MQTT_5_0
from penstock.door.encoding import encode_publish
from penstock.door.journal import (
    FACTS,
    INBOUND,
    MESSAGES,
    OUTBOUND,
    RETAINED,
    SESSIONS,
    SUBSCRIPTIONS,
    Changes,
    Row,
)
from penstock.door.packets import Publish
from penstock.door.properties import Property

if TYPE_CHECKING:
    from penstock.door.message import Message
    from penstock.door.session import Outgoing, Session
    from penstock.door.subscriptions import Subscription

#: Rows that may wait for company; more are written by themselves.
MAX_LAZY_ROWS = 20_000
#: Topics that begin with this are made anew at every start, and are not kept.
_OWN_TOPICS = "$SYS/"


class Keeper:
    """Notes changes of sessions and retained messages.

    Args:
        clock: Tells the time.

    Attributes:
        keeps: Whether there is a journal; without one nothing is noted. Set by `begin`.
    """

    def __init__(self, clock: Clock) -> None:
        self.keeps = False
        #: Added to monotonic time, it gives the journal's time: seconds that go on over restarts
        #: and do not jump with the wall clock.
        self.ahead_s = 0.0
        self._clock = clock
        self._changes = Changes()
        self._eager = False
        self._writing = False
        self._lazy_rows = 0
        self._last_session = 0
        self._last_message = 0
        #: Up to where subscribers have what came by HTTP; None while nobody subscribes.
        self.posted_offset: int | None = None
        self._written_at_s = clock.monotonic_s()

    @property
    def is_unsaved(self) -> bool:
        """Whether something that is waited for is not on disk yet."""
        return self._eager or self._writing

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to write at all."""
        return not (self._eager or self._lazy_rows)

    @property
    def quiet_s(self) -> float:
        """Time since the last write."""
        return self._clock.monotonic_s() - self._written_at_s

    def begin(self, *, last_session: int, last_message: int) -> None:
        """Note what happens from now on, with numbers above these."""
        self._last_session, self._last_message = last_session, last_message
        self.keeps = True

    # Notes.

    def session(self, session: Session) -> None:
        """Note that a session began, changed its terms, or got another will."""
        if not self.keeps:
            return
        if session.expiry_s or session.will is not None:
            self._note_session(session, None)
            self._eager = True
        else:
            self.forget(session)

    def left(self, session: Session) -> None:
        """Note that the session's client went away; a crash would say the same."""
        if session.number:
            self._note_session(session, session.expires_at_s + self.ahead_s)
            self._lazy_rows += 1
            # A will that was taken back must not come after a crash.
            self._eager |= session.will is None

    def forget(self, session: Session) -> None:
        """Note that the session ended, or is not to be kept any more.

        A will that it still has is on its way, and stays in the journal until it is on disk: then
        this is called again.
        """
        if not session.number:
            return
        rows = self._changes.rows
        number = session.number
        rows[SESSIONS.name][number,] = None
        rows[SUBSCRIPTIONS.name].update(((number, name), None) for name in session.subscriptions)
        rows[INBOUND.name].update(((number, packet_id), None) for packet_id in session.inbound)
        for outgoing in session.open_messages():
            self.done(session, outgoing)
        session.expiry_s = 0
        if session.will is not None:
            self._note_session(session, None)
        else:
            session.number = 0
        self._eager = True

    def subscribed(self, session: Session, name: str, subscription: Subscription | None) -> None:
        """Note a subscription, or with None its end."""
        if session.is_kept:
            row: Row | None = None
            if subscription is not None:
                row = (
                    subscription.qos,
                    subscription.no_local,
                    subscription.retain_as_published,
                    subscription.identifier,
                )
            self._changes.rows[SUBSCRIPTIONS.name][session.number, name] = row
            self._eager = True

    def received(self, session: Session, packet_id: int, offset: int | None) -> None:
        """Note a QoS 2 message with its place in the log, or with None that it was released."""
        if session.is_kept:
            row = None if offset is None else (offset,)
            self._changes.rows[INBOUND.name][session.number, packet_id] = row
            self._eager = True

    def queued(self, session: Session, outgoing: Outgoing) -> None:
        """Note a message for the session, or that its client has received it at QoS 2."""
        message = outgoing.message
        if not message.number:
            self._last_message += 1
            message.number = self._last_message
            self._changes.rows[MESSAGES.name][message.number,] = self._message(message)
        if not outgoing.is_noted:
            outgoing.is_noted = True
            message.uses += 1
        self._changes.rows[OUTBOUND.name][session.number, outgoing.packet_id] = (
            outgoing.place,
            message.number,
            outgoing.qos,
            outgoing.retain,
            outgoing.is_released,
            ",".join(map(str, outgoing.identifiers)),
            outgoing.share,
        )
        self._eager = True

    def done(self, session: Session, outgoing: Outgoing) -> None:
        """Note that a message needs no more delivery."""
        if not outgoing.is_noted:
            return
        outgoing.is_noted = False
        rows = self._changes.rows
        rows[OUTBOUND.name][session.number, outgoing.packet_id] = None
        message = outgoing.message
        message.uses -= 1
        if not message.uses:
            rows[MESSAGES.name][message.number,] = None
            message.number = 0
        self._lazy_rows += 2

    def retained(self, topic: str, message: Message | None) -> None:
        """Note the topic's retained message, or with None that there is none any more."""
        if self.keeps and not topic.startswith(_OWN_TOPICS):
            row = None if message is None else self._message(message)
            self._changes.rows[RETAINED.name][topic,] = row
            self._eager = True

    def posted(self, offset: int) -> None:
        """Note up to where what came by HTTP was handed on; after what was queued of it.

        Alone it may wait: what is read again after a crash was wanted by no session that lasts.
        """
        self.posted_offset = offset
        self._lazy_rows += self.keeps and self._last_session > 0

    # Writing.

    def hurry(self) -> None:
        """Write with the next group, whoever waits."""
        self._eager = self.keeps

    def take(self, durable_offset: int) -> Changes | None:
        """Return what is to be written now; None if nothing is worth it."""
        if not (self._eager or self._lazy_rows > MAX_LAZY_ROWS):
            return None
        changes, self._changes = self._changes, Changes()
        now_s = self._clock.monotonic_s()
        facts = changes.rows[FACTS.name]
        facts["journal_s",] = (now_s + self.ahead_s,)
        facts["wall_s",] = (self._clock.now_us() / 1e6,)
        facts["durable_offset",] = (float(durable_offset),)
        if self.posted_offset is not None:
            facts["posted_offset",] = (float(self.posted_offset),)
        self._eager, self._lazy_rows = False, 0
        self._writing = True
        self._written_at_s = now_s
        return changes

    def saved(self) -> None:
        """Take note that what was taken is on disk."""
        self._writing = False

    def _note_session(self, session: Session, expires_at_s: float | None) -> None:
        if not session.number:
            self._last_session += 1
            session.number = self._last_session
        will, due_s, ahead_s = session.will, session.will_due_at_s, self.ahead_s
        packet = will and encode_publish(
            Publish(will.topic, will.payload, 0, will.retain, properties=_plain(will.properties)),
            MQTT_5_0,
        )
        self._changes.rows[SESSIONS.name][session.number,] = (
            session.client,
            f"{session.who.kind} {session.who.id}",
            session.expiry_s,
            expires_at_s,
            session.sent_place,
            None if due_s is None else due_s + ahead_s,
            will and will.properties.get(Property.WILL_DELAY_S, 0),
            will and will.qos,
            packet,
            packet and crc32(packet),
        )

    def _message(self, message: Message) -> Row:
        expires_at_s = message.expires_at_s
        packet = encode_publish(
            Publish(
                message.topic,
                message.payload,
                0,
                message.retain,
                properties=message.properties,
            ),
            MQTT_5_0,
        )
        return (
            message.offset,
            message.publisher,
            message.qos,
            None if expires_at_s is None else expires_at_s + self.ahead_s,
            packet,
            crc32(packet),
        )


def _plain(properties: object) -> dict[int, object]:
    """Return a will's properties without the one that a message cannot have."""
    assert isinstance(properties, dict)
    return {key: value for key, value in properties.items() if key != Property.WILL_DELAY_S}
