"""Whatever is dropped, broken or killed: each message is dealt with once, and none is missed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from penstock.client.arriving import Arrivals, Item, Page
from penstock.client.catching_up import CatchingUp
from penstock.client.consuming import Consumer
from penstock.client.folder_spool import FolderSpool
from penstock.client.inbox import Inbox, Seen
from penstock.client.packets import OFFSET, PUBACK, PUBLISH, Cutter, Packet
from penstock.core.clock import ManualClock
from penstock.core.errors import NotConnected

TOPIC = "default.int"
#: What the door's queue for one client holds.
ROOM = 4
REMEMBER = 40


class Life(RuleBasedStateMachine):
    """A platform with a log and a session, and a consumer that is killed again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        #: The log: payload and QoS by offset.
        self.log: list[tuple[bytes, int]] = []
        #: The session: offsets that wait, and those sent and not acknowledged by packet identifier.
        self.queue: list[int] = []
        self.in_flight: dict[int, int] = {}
        self.made = self.last_id = 0
        self.is_online = self.http_works = True
        self.page_size = 3
        self.handed_out: list[int] = []
        self.dealt: list[int] = []
        #: Whether the session is lost and another connection made while the consumer waits next.
        self.meanwhile = False
        self._start()
        self.consumer.subscribing([TOPIC])
        self.consumer.subscribed()

    def _start(self) -> None:
        folder = Path(self.place.name)
        spool = FolderSpool(folder / "inbox", 1 << 20, drop_oldest=False)
        self.inbox = Inbox(spool, Seen(REMEMBER, folder / "seen"), is_durable=True)
        missed = CatchingUp(lambda *_: (), self.inbox.seen, REMEMBER, folder / "places.json")
        arrivals = Arrivals(self._fetch, missed.places, self.inbox.seen, REMEMBER)
        self.consumer = Consumer(
            self.inbox, lambda _: (), ManualClock(), arrivals, missed, lambda _: True
        )
        self.consumer.wanted = None
        self.consumer.subscribing([TOPIC])
        self.inbox.opened(10)
        self.is_online = True
        self._send_again()
        get = self.inbox.get

        def waiting(most: int, timeout_s: float, connection: int) -> list[tuple[int, bytes]]:
            if self.meanwhile:
                self.meanwhile = False
                self._come_back_anew()
            return get(most, timeout_s, connection)

        self.inbox.get = waiting  # type: ignore[method-assign]

    def _come_back_anew(self) -> None:
        """Lose the session and what it had, come back, and get what is newer."""
        self.forget_the_session()
        self.publish([(1, True)])
        self.queue = []
        self.connect()
        self.publish([(1, True)])
        self.deliver(ROOM, acknowledged=False)

    def _fetch(self, filters: Sequence[str], offset: int | None, most: int) -> Page:
        assert filters == ["default.int/#"]
        if not self.http_works:
            raise NotConnected("away")
        end = len(self.log)
        start = end if offset is None else offset
        stop = min(start + min(most, self.page_size), end)
        items = [Item(at, TOPIC, self.log[at][0].decode()) for at in range(start, stop)]
        return Page(items, stop, 0, end)

    def _send_again(self) -> None:
        waiting, self.in_flight = list(self.in_flight.values()), {}
        for offset in waiting:
            self._send(offset, 1)

    def _send(self, offset: int, qos: int) -> None:
        self.last_id += 1
        if qos:
            self.in_flight[self.last_id] = offset
        packet_id = self.last_id if qos else 0
        payload = self.log[offset][0]
        self.inbox.take(
            [Packet(PUBLISH, qos << 1, packet_id, 0, TOPIC, payload, False, {OFFSET: offset})]
        )

    def _arrive(self, payload: bytes, qos: int) -> None:
        """Put a message into the log, and hand it to the consumer if that can be done."""
        offset = len(self.log)
        self.log.append((payload, qos))
        if qos and len(self.queue) < ROOM:
            self.queue.append(offset)
        elif qos and self.is_online:
            self.disconnect()  # the queue is full: 0x97
        elif not qos and self.is_online:
            self._send(offset, 0)  # it overtakes what waits

    @initialize()
    def begin(self) -> None:
        self.consume(3)
        self.consume_while_it_comes_back_anew(3)
        self.publish([(1, True), (0, False), (1, False), (1, True)])

    @rule(several=st.lists(st.tuples(st.sampled_from([0, 1, 1]), st.booleans()), min_size=1))
    def publish(self, several: list[tuple[int, bool]]) -> None:
        for qos, timed in several[:6]:
            self.made += 1
            fields = {"result": self.made, **({"phenomenonTime": self.made} if timed else {})}
            self._arrive(json.dumps(fields).encode(), qos)

    @rule(back=st.integers(1, 8), qos=st.sampled_from([0, 1]))
    def publish_again(self, back: int, qos: int) -> None:
        """A sender that does not know whether its message arrived sends it again."""
        if back <= len(self.log) and b"phenomenonTime" in self.log[-back][0]:
            self._arrive(self.log[-back][0], qos)

    @rule(count=st.integers(1, 4), acknowledged=st.booleans())
    def deliver(self, count: int, *, acknowledged: bool) -> None:
        while self.is_online and self.queue and count:
            self._send(self.queue.pop(0), 1)
            count -= 1
        if acknowledged and self.is_online:
            for packet in Cutter().feed(self.inbox.pump()):
                assert packet.kind == PUBACK
                self.in_flight.pop(packet.packet_id, None)

    @rule()
    def disconnect(self) -> None:
        self.is_online = False

    @rule()
    def connect(self) -> None:
        if not self.is_online:
            self.is_online = True
            self.inbox.opened(10)
            self._send_again()

    @rule()
    def forget_the_session(self) -> None:
        self.is_online = False
        self.queue, self.in_flight = [], {}

    @rule(most=st.integers(1, 6))
    def consume_while_it_comes_back_anew(self, most: int) -> None:
        self.meanwhile = True
        self.consume(most)
        self.meanwhile = False

    @rule(works=st.booleans(), size=st.integers(1, 6), again=st.booleans())
    def http(self, size: int, *, works: bool, again: bool) -> None:
        self.http_works, self.page_size = works, size
        self.consumer._arrivals._due_s = 0.0
        if again:
            self.consumer._arrivals.begin()

    @rule(most=st.integers(1, 6))
    def reconnect(self, most: int) -> None:
        self.disconnect()
        self.connect()
        self.consume(most)

    @rule(most=st.integers(1, 6))
    def consume(self, most: int) -> None:
        self.acknowledge()
        messages = self.consumer.consume(0.0, most)
        self.handed_out = [message.result for message in messages]

    @rule()
    def acknowledge(self) -> None:
        self.consumer.acknowledge()
        self.dealt += self.handed_out
        self.handed_out = []
        assert len(self.dealt) == len(set(self.dealt)), f"twice: {self.dealt}"

    @rule()
    def crash(self) -> None:
        """End without a word; what was handed out last is not dealt with."""
        self.handed_out = []
        self.is_online = False
        self.inbox.close()
        self._start()

    def teardown(self) -> None:
        self.disconnect()
        self.connect()
        self.http(3, works=True, again=False)
        for _ in range(3 * len(self.log) + 10):
            self.deliver(4, acknowledged=True)
            self.consume(5)
        self.acknowledge()
        assert sorted(self.dealt) == list(range(1, self.made + 1))
        self.inbox.close()
        self.place.cleanup()


Life.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
test_each_message_is_dealt_with_once = Life.TestCase
