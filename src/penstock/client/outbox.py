"""What a client sends: kept, sent in batches, forgotten when acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from penstock.client.packets import PUBACK, PUBLISH, Packet, publish, split_record
from penstock.client.spool import Spool
from penstock.core.errors import NotConnected

#: Least time between two rounds of sending, in seconds, so that a round is a batch.
_ROUND_S = 0.004
#: Most messages of a round.
_MOST = 2000
#: Identifiers of messages; those below are for subscriptions.
_FIRST_ID, _LAST_ID = 1001, 65_535
#: Reasons that say "not now": the connection is made anew after a pause.
_NOT_NOW = {0x80, 0x83, 0x88, 0x89, 0x93, 0x96, 0x97}


class Outbox:
    """The handler of the line that sends.

    Args:
        spool: Holds what waits.
        refused: Takes what the platform does not take.
        sync_every_s: How often the spool is synced.
        on_refused: Called with topic, payload and the reason of each message refused.
        on_message: Called with messages that come over this line.
    """

    def __init__(
        self,
        spool: Spool,
        refused: Spool,
        sync_every_s: float,
        on_refused: Callable[[str, bytes, str], None],
        on_message: Callable[[Packet], None],
    ) -> None:
        self.spool = spool
        self.refused = refused
        self.acknowledged = 0
        self.on_refused = on_refused
        self.on_message = on_message
        self._sync_every_s = sync_every_s
        self._synced_s = time.monotonic()
        self._window = 0
        self._sent = 0
        self._waiting: dict[int, int] = {}
        self._next_id = _FIRST_ID
        self._round_s = 0.0
        self._replies: list[bytes] = []
        self._trimmed = threading.Condition()

    def add(self, records: Sequence[bytes], stamped_us: int) -> None:
        """Keep records to be sent. Raises as `Spool.append` does."""
        self.spool.append(records, stamped_us)
        if self._sync_every_s == 0:
            self.spool.sync()

    def wait_empty(self, timeout_s: float) -> bool:
        """Wait until all that waits now is acknowledged and return whether it is."""
        last = self.spool.last
        with self._trimmed:
            return self._trimmed.wait_for(lambda: self.spool.trimmed >= last, timeout_s)

    # The line's thread.

    def opened(self, window: int) -> None:
        """Begin with the oldest that is not acknowledged."""
        self._window = window
        self._waiting.clear()
        self._replies.clear()
        self._sent = self.spool.trimmed
        self._round_s = 0.0

    def pump(self) -> bytes:
        """Return the next batch."""
        parts = self._replies
        self._replies = []
        now_s = time.monotonic()
        room = min(self._window - len(self._waiting), _MOST)
        if room > 0 and now_s >= self._round_s and self.spool.last > self._sent:
            self._round_s = now_s + _ROUND_S
            waiting = self._waiting
            packet_id = self._next_id
            for number, record in self.spool.read(self._sent, room):
                while packet_id in waiting:
                    packet_id = packet_id + 1 if packet_id < _LAST_ID else _FIRST_ID
                waiting[packet_id] = number
                parts.append(publish(record, packet_id))
                packet_id = packet_id + 1 if packet_id < _LAST_ID else _FIRST_ID
                self._sent = number
            self._next_id = packet_id
        return b"".join(parts)

    def rest_s(self) -> float:
        """Return how long until the next round, when something waits for it."""
        if self.spool.last <= self._sent or len(self._waiting) >= self._window:
            return 0.0
        return max(self._round_s - time.monotonic(), 0.0)

    def take(self, packets: Iterable[Packet]) -> None:
        """Forget what is acknowledged.

        Raises:
            NotConnected: The platform cannot take messages now.
        """
        waiting = self._waiting
        done = 0
        for packet in packets:
            if packet.kind == PUBACK:
                number = waiting.pop(packet.packet_id, 0)
                if packet.reason in _NOT_NOW:
                    raise NotConnected(f"the platform takes no messages now: {packet.why}")
                if packet.reason >= 0x80 and number:
                    self._refuse(number, packet.why)
                done += number > 0
            elif packet.kind == PUBLISH:
                self.on_message(packet)
        if done:
            self.acknowledged += done
            first = next(iter(waiting.values()), None)
            with self._trimmed:
                self.spool.trim(self._sent if first is None else first - 1)
                self._trimmed.notify_all()

    def reply(self, packet: bytes) -> None:
        """Send a packet with the next batch."""
        self._replies.append(packet)

    def tick(self) -> None:
        """Sync now and then."""
        now_s = time.monotonic()
        if 0 < self._sync_every_s <= now_s - self._synced_s:
            self._synced_s = now_s
            self.spool.sync()

    def is_done(self) -> bool:
        """Tell whether nothing waits."""
        return self.spool.trimmed >= self.spool.last and not self._replies

    def _refuse(self, number: int, why: str) -> None:
        for _, record in self.spool.read(number - 1, 1):
            self.refused.append([record])
            self.on_refused(*split_record(record), why)
