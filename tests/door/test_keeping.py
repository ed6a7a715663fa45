"""Whatever clients do, the journal brings back exactly what the door knew: a model test."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from penstock.core.access import ANYONE
from penstock.core.clock import ManualClock
from penstock.door.aliases import GivenAliases
from penstock.door.broker import Broker
from penstock.door.commit import Entry
from penstock.door.decoding import decode
from penstock.door.delivery import hand_over
from penstock.door.intake import Run, frame
from penstock.door.journal import MESSAGES, OUTBOUND, Journal
from penstock.door.message import Message
from penstock.door.mistakes import Mistakes
from penstock.door.packets import Ack, Publish, Request, Will
from penstock.door.permissions import Permissions
from penstock.door.properties import Kind, Property
from penstock.door.quotas import Quotas
from penstock.door.restoring import restore
from penstock.door.session import Session
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


class Disk:
    """Writes every group at once, where `GroupCommit` lets a thread do it."""

    is_busy = False

    def __init__(self, broker: Broker, journal: Journal, end_offset: int) -> None:
        self.broker = broker
        self.journal = journal
        self.end_offset = end_offset

    def add(self, entry: Entry) -> None:
        self._write([entry])

    def nudge(self) -> None:
        self._write([])

    def _write(self, group: list[Entry]) -> None:
        keeper = self.broker.keeper
        self.broker.prepare(group, self.end_offset)
        changes = keeper.take(self.end_offset)
        if changes is not None:
            self.journal.write(changes)
        self.end_offset += sum(entry.run.count for entry in group)
        keeper.saved()
        for entry in group:
            entry.owner.settle(entry.run)


class Wire:
    """A connection that takes everything, and is answered by the test."""

    protocol = 5
    writable = True
    receive_maximum = 3
    packet_limit = 1 << 20
    tells_offsets = False

    def __init__(self, disk: Disk) -> None:
        self.aliases = GivenAliases(0)
        self.got: list[Publish | Ack] = []
        self._disk = disk

    def send(self, packet: bytes) -> None:
        body, _ = frame(packet, 0, len(packet), 1 << 20)
        self.got.append(decode(packet[0], packet[body:], 5))  # type: ignore[arg-type]

    def answer(self, packet: bytes) -> None:
        self._disk.nudge()
        self.send(packet)

    def cut(self) -> None:
        raise AssertionError("nobody is to be cut off here")

    def end(self, reason: object, why: str) -> None:
        raise AssertionError(f"nobody is to be sent away here: {reason} {why}")


_clients = st.sampled_from(["one", "two"])
_topics = st.sampled_from(["a", "b/c"])
_filters = st.sampled_from(["a", "#", "b/+", "$share/team/a"])
_qos = st.sampled_from([0, 1, 2, 2])


def _broker(settings: DoorSettings, clock: ManualClock) -> Broker:
    stats, permissions = Stats(), Permissions(clock)
    quotas = Quotas(settings, permissions, stats, Mistakes(clock))
    return Broker(settings, clock, stats, permissions, quotas)


class Life(RuleBasedStateMachine):
    """Two clients and a door that crashes; nothing is ever different after it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory(dir=MEMORY)
        self.clock = ManualClock()
        self.end_offset = 0
        self.number = 0
        self._start()

    def _start(self) -> None:
        settings = DoorSettings(max_queued_messages=1000)
        self.broker = _broker(settings, self.clock)
        self.journal = Journal(Path(self.place.name))
        restore(self.journal, self.broker, self.end_offset)
        self.disk = Disk(self.broker, self.journal, self.end_offset)
        self.wires: dict[str, Wire] = {}

    def _begin(self) -> None:
        self.broker.use(self.disk)  # type: ignore[arg-type]
        self.broker.tick()

    def _session(self, client: str) -> Session:
        """Return the session of a client that is there; it comes if it is not."""
        self._begin()
        session = self.broker.session_of(client)
        if session is None or session.link is None:
            self.connect(client, clean=False, expiry_s=500)
            session = self.broker.session_of(client)
        assert session is not None
        return session

    @rule(client=_clients, clean=st.booleans(), expiry_s=st.sampled_from([0, 50, 500]))
    def connect(self, client: str, *, clean: bool, expiry_s: int) -> None:
        self._begin()
        self.leave(client, with_will=True)
        opened = self.broker.open_session(client, ANYONE, clean=clean)
        assert opened is not None
        session = opened[0]
        session.expiry_s = expiry_s
        session.will = Will(f"will/{client}", b"gone", 1, True, {Property.WILL_DELAY_S: 20})
        self.broker.keeper.session(session)
        self.disk.nudge()
        self.wires[client] = Wire(self.disk)
        session.attach(self.wires[client])
        session.pump()

    @rule(client=_clients, with_will=st.booleans())
    def leave(self, client: str, *, with_will: bool) -> None:
        self._begin()
        session = self.broker.session_of(client)
        if session is not None and session.link is not None:
            self.broker.leave(session, self.wires.pop(client), with_will=with_will)

    @rule(client=_clients, name=_filters, qos=_qos, flags=st.booleans())
    def subscribe(self, client: str, name: str, qos: int, *, flags: bool) -> None:
        session = self._session(client)
        request = Request(name, qos, flags and "$" not in name, flags)
        self.broker.subscribe(ANYONE, session, request, 5 if flags else 0)
        found = self.broker.plan_retained(session, request, 0, is_new=True)
        self.disk.nudge()
        hand_over(found)

    @rule(client=_clients, name=_filters)
    def unsubscribe(self, client: str, name: str) -> None:
        session = self._session(client)
        self.broker.unsubscribe(session, name)
        self.disk.nudge()

    @rule(
        client=_clients,
        topic=_topics,
        qos=_qos,
        retain=st.booleans(),
        expiry_s=st.sampled_from([None, 30]),
        empty=st.booleans(),
        packet_id=st.integers(1, 3),
    )
    def publish(
        self,
        client: str,
        topic: str,
        qos: int,
        *,
        retain: bool,
        expiry_s: int | None,
        empty: bool,
        packet_id: int,
    ) -> None:
        session = self._session(client)
        if qos == 2 and packet_id in session.inbound:
            return
        self.number += 1
        said: dict[int, Any] = {Property.USER_PROPERTY: (("n", str(self.number)),)}
        if expiry_s:
            said[Property.MESSAGE_EXPIRY_S] = expiry_s
        payload = b"" if empty else b"%d" % self.number
        packet = Publish(topic, payload, qos, retain, False, packet_id, said)
        message = Message(packet, client, self.clock.monotonic_s())
        run = Run(b"x", b"\1\0\0\0", 1, b"", 0, [message])
        if qos == 2:
            session.inbound.add(packet_id)
            run.received.append((packet_id, 0))
        self.disk.add(Entry(self.broker, client, 5, run, session))

    @rule(client=_clients, packet_id=st.integers(1, 3))
    def release(self, client: str, packet_id: int) -> None:
        session = self._session(client)
        if packet_id in session.inbound:
            session.inbound.remove(packet_id)
            self.broker.keeper.received(session, packet_id, None)
            self.disk.nudge()

    @rule(client=_clients, count=st.integers(1, 4))
    def acknowledge(self, client: str, count: int) -> None:
        """Answer the first things that the client got and has not answered."""
        session = self._session(client)
        for _ in range(count):
            got = self.wires[client].got
            if not got:
                return
            packet = got.pop(0)
            if isinstance(packet, Ack):
                session.acknowledge(Ack(Kind.PUBCOMP, packet.packet_id))
            elif packet.qos:
                kind = Kind.PUBACK if packet.qos == 1 else Kind.PUBREC
                session.acknowledge(Ack(kind, packet.packet_id))

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self._begin()
        self.clock.advance(seconds)
        self.broker.tick()

    @rule()
    def crash(self) -> None:
        self._begin()
        self.broker.write_all()
        before = _known(self.broker)
        self.end_offset = self.disk.end_offset
        self.journal.close()
        self.clock = ManualClock(self.clock.now_us())
        self._start()
        assert _known(self.broker) == before

    @invariant()
    def a_door_that_died_now_would_know_everything_again(self) -> None:
        self._begin()
        self.broker.write_all()
        waited_for = {row[3] for row in self.journal.rows(OUTBOUND)}
        assert {row[0] for row in self.journal.rows(MESSAGES)} == waited_for
        with tempfile.TemporaryDirectory(dir=MEMORY) as place:
            for file in Path(self.place.name).iterdir():
                shutil.copy(file, place)
            journal = Journal(Path(place))
            clock = ManualClock(self.clock.now_us())  # another machine start: it counts from 0
            broker = _broker(self.broker.settings, clock)
            restore(journal, broker, self.disk.end_offset)
            journal.close()
        assert _known(broker) == _known(self.broker)

    def teardown(self) -> None:
        self.journal.close()
        self.place.cleanup()


def _known(broker: Broker) -> dict[str, Any]:
    """Return what must be the same before and after a crash."""
    sessions = broker._sessions.values()
    ahead_s = broker.keeper.ahead_s
    now_s = broker.clock.monotonic_s()
    retained = [
        (
            m.topic,
            m.payload,
            m.qos,
            m.publisher,
            None if m.expires_at_s is None else m.expires_at_s + ahead_s,
            dict(m.properties),
        )
        for m in broker.retained.match("#", now_s)
    ]
    return {
        "retained": sorted(retained, key=lambda row: row[0]),
        "sessions": {
            one.client: {
                "expiry": one.expiry_s,
                "subscriptions": one.subscriptions,
                "inbound": one.inbound,
                "queued": [
                    (
                        out.packet_id,
                        out.message.topic,
                        out.message.payload,
                        None
                        if (expires_at_s := out.message.expires_at_s) is None
                        else expires_at_s + ahead_s,
                        dict(out.message.properties),
                        (out.qos, out.retain, out.identifiers, out.is_released, out.share),
                    )
                    for out in one.open_messages()
                ],
                "will": one.will,
            }
            for one in sessions
            if one.is_kept
        },
    }


Life.TestCase.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
test_a_crash_at_any_moment_changes_nothing_that_is_known = Life.TestCase
