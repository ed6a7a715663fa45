"""From the journal back to sessions, retained messages and wills, when the door begins."""

from __future__ import annotations

import logging
from collections import defaultdict
from zlib import crc32

from penstock.core.access import Kind, Principal
from penstock.core.log import MQTT_5_0
from penstock.door.broker import Broker
from penstock.door.decoding import decode_publish
from penstock.door.intake import frame
from penstock.door.journal import (
    FACTS,
    INBOUND,
    MESSAGES,
    OUTBOUND,
    RETAINED,
    SESSIONS,
    SUBSCRIPTIONS,
    Changes,
    Journal,
    Row,
    Table,
)
from penstock.door.message import Message
from penstock.door.packets import Publish, Will
from penstock.door.properties import Property
from penstock.door.reasons import ProtocolViolation
from penstock.door.session import Outgoing, Session
from penstock.door.subscriptions import Subscription

_log = logging.getLogger(__name__)

#: Longest time that the door is believed to have been away, in seconds. A wall clock that jumped
#: must not end all sessions; one that was right for a longer time only lets them live longer.
MAX_AWAY_S = 86_400.0


def restore(journal: Journal, broker: Broker, end_offset: int) -> None:
    """Open the journal and give the broker what is in it; from then on the broker notes changes.

    Args:
        journal: Is opened here.
        broker: Has no sessions yet.
        end_offset: The offset at which the log ends.

    Raises:
        Corrupt: The journal is damaged.
        NotConnected: It cannot be read or written.
        DiskFull: There is no space for it.
    """
    journal.open()
    _Restoring(journal, broker, end_offset).run()


class _Restoring:
    """Reads the tables one after the other; `changes` is what turned out to be over."""

    def __init__(self, journal: Journal, broker: Broker, end_offset: int) -> None:
        self.journal = journal
        self.broker = broker
        self.keeper = broker.keeper
        self.end_offset = end_offset
        self.changes = Changes()
        self.sessions: dict[int, Session] = {}
        self.connected: set[int] = set()
        self.messages: dict[int, Message] = {}
        self.now_s = broker.clock.monotonic_s()
        self.orphans = 0
        self.undone = 0

    def run(self) -> None:
        """Restore everything."""
        self._facts()
        self._sessions()
        self._subscriptions()
        self._inbound()
        self._messages()
        self._outbound()
        self._retained()
        last_session = max(self.sessions, default=0)
        last_message = max(self.messages, default=0)
        self._drop_unused()
        if self.orphans:
            _log.error(
                "%d rows of the journal %s belong to no session or message and were removed; "
                "this is a bug or damage, please report it",
                self.orphans,
                self.journal.file,
            )
        if len(self.changes):
            self.journal.write(self.changes)
        self.keeper.begin(last_session=last_session, last_message=last_message)
        broker = self.broker
        if self.sessions or len(broker.retained):
            _log.info(
                "Restored %d sessions, %d messages on their way and %d retained ones",
                len(self.sessions),
                len(self.messages),
                len(broker.retained),
            )

    def _facts(self) -> None:
        facts: dict[str, float] = dict(self.journal.rows(FACTS))
        before_s = facts.get("journal_s", 0.0)
        wall_s = self.broker.clock.now_us() / 1e6
        away_s = min(max(wall_s - facts.get("wall_s", wall_s), 0.0), MAX_AWAY_S)
        self.keeper.ahead_s = before_s + away_s - self.now_s
        if "posted_offset" in facts:
            self.keeper.posted_offset = int(facts["posted_offset"])
        durable = int(facts.get("durable_offset", 0))
        #: Messages from here on never reached the log.
        self.limit = max(self.end_offset, durable)
        self.log_is_new = self.end_offset < durable
        if self.log_is_new:
            self.changes.rows[FACTS.name]["durable_offset",] = (float(self.end_offset),)
            _log.error(
                "The log ends at offset %d, though it was on disk up to %d: messages were "
                "removed from it; sessions and retained messages are kept",
                self.end_offset,
                durable,
            )

    def _sessions(self) -> None:
        for row in self.journal.rows(SESSIONS):
            number, client, owner, expiry_s, expires_at_s, sent, due_s, *left = row
            delay_s, qos, packet, crc = left
            who = self._owner(owner, number)
            will = None
            if packet is not None:
                found = self._packet(packet, crc, SESSIONS, number)
                properties = dict(found.properties)
                if delay_s:
                    properties[Property.WILL_DELAY_S] = delay_s
                will = Will(found.topic, found.payload, qos, found.retain, properties)
            if not expiry_s:
                session = self.broker.new_session(client, who)
                self.broker.ended.append(session)
            elif self.broker.session_of(client) is not None:
                raise self.journal.corrupt(f"there are two sessions of client {client!r}")
            else:
                session = self.broker.restore_session(client, who)
            session.number, session.expiry_s, session.sent_place = number, expiry_s, sent
            session.will = will
            self.sessions[number] = session
            self._set_times(session, expires_at_s, due_s)

    def _owner(self, text: str, number: int) -> Principal:
        kind, _, id_ = text.partition(" ")
        try:
            return Principal(Kind(kind), int(id_))
        except ValueError as error:
            raise self.journal.corrupt(f"session {number} has the owner {text!r}") from error

    def _set_times(self, session: Session, expires_at_s: float | None, due_s: float | None) -> None:
        ahead_s = self.keeper.ahead_s
        if expires_at_s is None:
            # It was connected when the door ended: its connection is lost now.
            self.connected.add(session.number)
            session.lose(self.now_s)
            return
        session.expires_at_s = expires_at_s - ahead_s
        if session.will is not None:
            session.will_due_at_s = self.now_s if due_s is None else due_s - ahead_s

    def _subscriptions(self) -> None:
        for number, name, qos, no_local, as_published, identifier in self.journal.rows(
            SUBSCRIPTIONS
        ):
            session = self.sessions.get(number)
            if session is None:
                self._orphan(SUBSCRIPTIONS, number, name)
                continue
            wanted = Subscription(qos, bool(no_local), bool(as_published), identifier)
            self.broker.restore_subscription(session, name, wanted)

    def _inbound(self) -> None:
        for number, packet_id, offset in self.journal.rows(INBOUND):
            session = self.sessions.get(number)
            if session is None:
                self._orphan(INBOUND, number, packet_id)
            elif self._is_in_log(offset):
                session.inbound.add(packet_id)
                if self.log_is_new:
                    self.changes.rows[INBOUND.name][number, packet_id] = (None,)
            else:
                self.undone += 1
                self.changes.rows[INBOUND.name][number, packet_id] = None

    def _messages(self) -> None:
        for row in self.journal.rows(MESSAGES):
            number, offset = row[0], row[1]
            message = self._message(row, MESSAGES)
            if not self._is_in_log(offset):
                self.undone += 1
                message.number = 0
            else:
                message.number = number
            if self.log_is_new and offset is not None:
                message.offset = None
                self.changes.rows[MESSAGES.name][number,] = (None, *row[2:])
            self.messages[number] = message

    def _outbound(self) -> None:
        found: dict[int, list[Outgoing]] = defaultdict(list)
        for row in self.journal.rows(OUTBOUND):
            number, packet_id, place, message_number, qos, retain, released, identifiers, share = (
                row
            )
            session = self.sessions.get(number)
            message = self.messages.get(message_number)
            if session is None or message is None:
                self._orphan(OUTBOUND, number, packet_id)
                continue
            if not message.number:
                self.changes.rows[OUTBOUND.name][number, packet_id] = None
                continue
            message.uses += 1
            numbers = tuple(map(int, identifiers.split(","))) if identifiers else ()
            outgoing = Outgoing(message, qos, bool(retain), numbers, packet_id, place, share)
            outgoing.is_noted = True
            outgoing.is_released = bool(released)
            was_sent = number in self.connected or place <= session.sent_place
            outgoing.is_sent = was_sent or outgoing.is_released
            found[number].append(outgoing)
        for number, messages in found.items():
            messages.sort(key=lambda one: one.place)
            self.sessions[number].restore(messages)

    def _retained(self) -> None:
        broker = self.broker
        for row in self.journal.rows(RETAINED):
            message = self._message(row, RETAINED)
            if self.log_is_new:
                message.offset = None
            if message.is_expired(self.now_s) or not broker.restore_retained(message):
                self.changes.rows[RETAINED.name][row[0],] = None

    def _drop_unused(self) -> None:
        for number, message in self.messages.items():
            if not message.uses:
                self.changes.rows[MESSAGES.name][number,] = None

    def _is_in_log(self, offset: int | None) -> bool:
        return offset is None or offset < self.limit

    def _message(self, row: Row, table: Table) -> Message:
        key, offset, publisher, qos, expires_at_s, packet, crc = row
        found = self._packet(packet, crc, table, key)
        message = Message(found, publisher, self.now_s)
        message.qos = qos
        message.offset = offset
        if expires_at_s is not None:
            message.expires_at_s = expires_at_s - self.keeper.ahead_s
        return message

    def _packet(self, packet: bytes, crc: int, table: Table, key: object) -> Publish:
        where = f"the message of row {key!r} in table {table.name!r}"
        if crc32(packet) != crc:
            raise self.journal.corrupt(f"{where} fails its checksum")
        try:
            body, stop = frame(packet, 0, len(packet), len(packet))
            if stop != len(packet):
                raise self.journal.corrupt(f"{where} has the wrong length")
            # It was taken once, whatever the bounds for what comes from clients are now.
            return decode_publish(packet[0], packet[body:], MQTT_5_0, len(packet))
        except ProtocolViolation as problem:
            raise self.journal.corrupt(f"{where} is not a PUBLISH packet: {problem}") from problem

    def _orphan(self, table: Table, *key: object) -> None:
        self.orphans += 1
        self.changes.rows[table.name][key] = None
