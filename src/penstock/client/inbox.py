"""What a client receives: kept until it is consumed, and told apart when it comes again."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from penstock.client.packets import PUBLISH, Packet, puback, received, split_received
from penstock.client.spool import Spool
from penstock.core.errors import Backpressure

_DIGEST_BYTES = 16
#: Only a record that says its time can be told from another with the same result.
_TIME = b'"phenomenonTime"'


class Inbox:
    """The handler of the line that receives.

    With a spool on disk a message is acknowledged when it is there, so that bursts do not wait at
    the platform; with one in memory when it was consumed, so that a crash loses nothing.

    Args:
        spool: Keeps what was received.
        seen: Knows what was received before.
        is_durable: Whether the spool survives a crash.
    """

    def __init__(self, spool: Spool, seen: Seen, *, is_durable: bool) -> None:
        self.spool = spool
        self.repeated = 0
        self.seen = self._seen = seen
        self._is_durable = is_durable
        self._read = spool.trimmed
        self._acks: list[bytes] = []
        #: Not acknowledged yet: packet identifier and fingerprint by number, and the reverse.
        self._owed: OrderedDict[int, tuple[int, bytes]] = OrderedDict()
        self._numbers: dict[bytes, int] = {}
        #: What there was no room for.
        self._held: list[Packet] = []
        #: How often the line was opened.
        self.connections = 0
        self._arrived = threading.Condition()
        at = spool.trimmed
        while part := spool.read(at, 1000):
            waiting = [split_received(kept) for _, kept in part]
            seen.add({fingerprint(one.payload): one.offset for one in waiting})
            at = part[-1][0]

    def get(self, most: int, timeout_s: float, connection: int) -> list[tuple[int, bytes]]:
        """Return records by number; waits for the first at most so long.

        None are returned once there was another connection than the one named: before anything
        that came over it is handed out, whoever asks has to see what was missed.
        """
        with self._arrived:
            self._arrived.wait_for(
                lambda: self.spool.last > self._read or self.connections != connection, timeout_s
            )
            if self.connections != connection:
                return []
            found = self.spool.read(self._read, most)
            if found:
                self._read = found[-1][0]
            return found

    def put_back(self, number: int) -> None:
        """Hand out again from this number on."""
        with self._arrived:
            self._read = number - 1

    def done(self, number: int) -> None:
        """Forget all up to this number: it was consumed, and does not come again."""
        with self._arrived:
            self.spool.trim(number)
            self.spool.note()
            while self._owed and (first := next(iter(self._owed))) <= number:
                packet_id, mark = self._owed.pop(first)
                self._acks.append(puback(packet_id))
                self._numbers.pop(mark, None)

    def close(self) -> None:
        """Release. Safe to call twice."""
        self.spool.close()
        self._seen.close()

    # The line's thread.

    def opened(self, window: int) -> None:  # noqa: ARG002
        """Begin anew: what was not acknowledged comes again."""
        with self._arrived:
            self.connections += 1
            self._acks.clear()
            self._owed.clear()
            self._held.clear()
            self._arrived.notify_all()

    def pump(self) -> bytes:
        """Return acknowledgements."""
        if not self._acks:
            return b""
        with self._arrived:
            acks, self._acks = self._acks, []
        return b"".join(acks)

    def rest_s(self) -> float:
        """Return that nothing needs to rest."""
        return 0.0

    def take(self, packets: Iterable[Packet]) -> None:
        """Keep messages, those that are new."""
        with self._arrived:
            self._held += [packet for packet in packets if packet.kind == PUBLISH]
            self._keep_held()
            self._arrived.notify_all()

    def tick(self) -> None:
        """Try again to keep what there was no room for."""
        if self._held:
            with self._arrived:
                self._keep_held()
                self._arrived.notify_all()

    def is_done(self) -> bool:
        """Tell whether all acknowledgements are out."""
        return not self._acks

    def _keep_held(self) -> None:
        new: list[Packet] = []
        prints: dict[bytes, int | None] = {}
        for packet in self._held:
            mark = mark_of(packet.payload)
            if mark and (mark in prints or mark in self._seen):
                self.repeated += 1
                number = self._numbers.get(mark)
                if number is not None and number > self.spool.trimmed and number not in self._owed:
                    self._owed[number] = (packet.packet_id, mark)
                elif packet.packet_id:
                    self._acks.append(puback(packet.packet_id))
            else:
                prints[mark] = packet.offset
                new.append(packet)
        self._held = new
        if not new:
            return
        try:
            last = self.spool.append([received(packet) for packet in new])
        except Backpressure:
            return
        self._held = []
        prints.pop(b"", None)
        self._seen.add(prints)
        for number, packet in enumerate(new, last - len(new) + 1):
            if not packet.packet_id:
                continue
            if self._is_durable:
                self._acks.append(puback(packet.packet_id))
            else:
                mark = fingerprint(packet.payload)
                self._owed[number] = (packet.packet_id, mark)
                self._numbers[mark] = number


def mark_of(payload: bytes) -> bytes:
    """Return the fingerprint of a record, b"" if it cannot be told from others by it."""
    return fingerprint(payload) if _TIME in payload else b""


def fingerprint(payload: bytes) -> bytes:
    """Return what tells a record from others.

    One that comes again, from its sender or from the platform, is the same to the byte; its
    datastream and its time are in it.
    """
    return hashlib.blake2b(payload, digest_size=_DIGEST_BYTES).digest()


class Seen:
    """Remembers the last messages received; in a file, if there is one. For use by two threads.

    Args:
        most: How many at least.
        file: Where; made if missing. None forgets them with the process.
    """

    def __init__(self, most: int, file: Path | None) -> None:
        self._most = most
        self._lock = threading.Lock()
        #: Offset in the platform's log by fingerprint; None where it is not known (any more).
        self._known: dict[bytes, int | None] = {}
        self._path = file
        self._file: BinaryIO | None = None
        if file is not None:
            held = file.read_bytes() if file.exists() else b""
            whole = len(held) - len(held) % _DIGEST_BYTES
            for at in range(0, whole, _DIGEST_BYTES):
                self._known[held[at : at + _DIGEST_BYTES]] = None
            self._rewrite()

    def __contains__(self, fingerprint: bytes) -> bool:
        return fingerprint in self._known

    def has_other(self, fingerprint: bytes, offset: int) -> bool:
        """Tell whether it was received before, and not as the message at this offset."""
        return fingerprint in self._known and self._known[fingerprint] != offset

    def add(self, fingerprints: Mapping[bytes, int | None]) -> None:
        """Remember, with the offsets; a crash of the program does not forget the fingerprints."""
        with self._lock:
            new = [one for one in fingerprints if one not in self._known]
            self._known.update(fingerprints)
            if self._file is not None and new:
                self._file.write(b"".join(new))
                self._file.flush()
            if len(self._known) > 2 * self._most:
                self._rewrite()

    def close(self) -> None:
        """Release the file. Safe to call twice."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rewrite(self) -> None:
        excess = max(len(self._known) - self._most, 0)
        if excess:
            self._known = dict(list(self._known.items())[excess:])
        if self._path is None:
            return
        self._close()
        new = self._path.with_suffix(".new")
        new.write_bytes(b"".join(self._known))
        new.replace(self._path)
        self._file = self._path.open("ab")
