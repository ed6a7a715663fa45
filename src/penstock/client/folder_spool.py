"""What waits to be sent, in a folder, so that it survives a crash.

A folder holds files of frames, each a 24-byte head (length and CRC-32 of the record, its number,
the time that the client gave it) and a record; and `position`, the number before which everything
is acknowledged. The position is written now and then: after a crash some records go out again,
which is harmless, because (datastream, phenomenon time) identifies an observation. A frame that a
crash tore is cut off at the next opening.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import threading
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from io import FileIO
from pathlib import Path

from penstock.client.spool import full
from penstock.core.errors import Conflict, DiskFull, PenstockError

_HEAD = struct.Struct("<IIQq")
#: macOS has no fdatasync.
_sync = getattr(os, "fdatasync", os.fsync)
#: Size from which a new file is begun, in bytes.
SEGMENT_BYTES = 4_194_304


class FolderSpool:
    """Keeps records in a folder, made if missing; see the text above for the form.

    Raises:
        Conflict: Another process uses the folder.
        PenstockError: It cannot be used.
    """

    def __init__(
        self, folder: Path, max_bytes: int, *, drop_oldest: bool, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self.stamped_us = 0
        self.dropped = 0
        self.last = 0
        self.trimmed = 0
        self._folder = folder
        self._max_bytes = max_bytes
        self._drop_oldest = drop_oldest
        self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 4096))
        self._lock = threading.Lock()
        #: Number of the first record of each file, ascending; and the bytes of each.
        self._bases: list[int] = []
        self._sizes: list[int] = []
        self._tail = -1
        #: Where reading stopped: number of the next record, its place, and the base of its file.
        self._next: tuple[int, int, int] = (0, 0, 0)
        self._reader: FileIO | None = None
        self._read_base = -1
        self._saved = (-1, -1)
        self._unsynced = False
        self._closed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._held = _hold(folder)
            self._open()
        except OSError as error:
            msg = f"cannot use {folder} as buffer: {error.strerror}; name a folder to write to"
            raise PenstockError(msg) from error

    def append(self, records: Sequence[bytes], stamped_us: int = 0) -> int:
        """Keep records; when it returns, a crash of the program cannot take them."""
        with self._lock:
            number = self.last
            parts: list[bytes] = []
            for record in records:
                number += 1
                head = _HEAD.pack(len(record), zlib.crc32(record), number, stamped_us)
                parts += (head, record)
            data = parts[0] + parts[1] if len(parts) == 2 else b"".join(parts)
            self._make_room(len(data))
            if self._tail < 0 or self._sizes[-1] >= self._segment_bytes:
                self._begin(self.last + 1)
            try:
                written = os.write(self._tail, data)
            except OSError as error:
                written = -1
                problem = error
            else:
                problem = OSError(errno.ENOSPC, "no space left")
            if written != len(data):
                with contextlib.suppress(OSError):
                    os.ftruncate(self._tail, self._sizes[-1])
                raise DiskFull(
                    f"the buffer in {self._folder} cannot be written: {problem.strerror}; "
                    "nothing was kept; free some space"
                )
            self._sizes[-1] += len(data)
            self.last = number
            self.stamped_us = max(self.stamped_us, stamped_us)
            self._unsynced = True
            return number

    def read(self, after: int, count: int) -> list[tuple[int, bytes]]:
        """Return records behind `after`, from one file."""
        with self._lock:
            wanted = max(after, self.trimmed) + 1
            if wanted > self.last or not self._bases:
                return []
            at = bisect_right(self._bases, wanted) - 1
            base, size = self._bases[at], self._sizes[at]
            number, place, of = self._next
            if of != base or number > wanted:
                number, place = base, 0
            found: list[tuple[int, bytes]] = []
            while not found and place < size:
                number, place = self._read_some(base, size, (number, place), wanted, count, found)
            self._next = (number, place, base)
            return found

    def _read_some(
        self,
        base: int,
        size: int,
        start: tuple[int, int],
        wanted: int,
        count: int,
        found: list[tuple[int, bytes]],
    ) -> tuple[int, int]:
        """Read a piece of a file into `found`, and return number and place of the next frame."""
        number, place = start
        data = self._piece(base, place, min(size - place, 64 * count + 262_144))
        at = 0
        while len(found) < count and at + _HEAD.size <= len(data):
            end = at + _HEAD.size + _HEAD.unpack_from(data, at)[0]
            if end > len(data):
                if at:
                    break
                data += self._piece(base, place + len(data), end - len(data))
            if number >= wanted:
                found.append((number, data[at + _HEAD.size : end]))
            at, number = end, number + 1
        return number, place + at if at else size

    def trim(self, until: int) -> None:
        """Forget records; a file goes when all of it is forgotten."""
        with self._lock:
            self.trimmed = max(self.trimmed, min(until, self.last))
            while len(self._bases) > 1 and self._bases[1] <= self.trimmed + 1:
                self._remove_first()
            is_empty = bool(self._bases) and self.trimmed == self.last
            if is_empty and self._sizes[-1] >= self._segment_bytes // 4:
                self._begin(self.last + 1)
                while len(self._bases) > 1:
                    self._remove_first()

    def sync(self) -> None:
        """Sync, and note the position; appending goes on meanwhile."""
        with self._lock:
            if self._closed:
                return
            tail = os.dup(self._tail) if self._unsynced and self._tail >= 0 else -1
            self._unsynced = False
        try:
            if tail >= 0:
                _sync(tail)
        except OSError:
            self._unsynced = True
        finally:
            if tail >= 0:
                os.close(tail)
        self.note()

    def note(self) -> None:
        """Write the position."""
        with self._lock, contextlib.suppress(OSError):
            self._save()

    def close(self) -> None:
        """Sync and release."""
        self.sync()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._forget_reader()
            if self._tail >= 0:
                os.close(self._tail)
                self._tail = -1
            os.close(self._held)

    def _open(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads((self._folder / "position").read_bytes())
            self.trimmed, self.stamped_us = int(known["acknowledged"]), int(known["stamped_us"])
        for path in sorted(self._folder.glob("*.spool")):
            if path.stem.isdecimal():
                self._bases.append(int(path.stem))
                self._sizes.append(path.stat().st_size)
        if not self._bases:
            self.last = self.trimmed
            return
        self.trimmed = max(self.trimmed, self._bases[0] - 1)
        path = self._path(self._bases[-1])
        good, count, stamped_us = _good(path.read_bytes(), self._bases[-1])
        if not count and len(self._bases) > 1:
            # A crash came between its beginning and its first record.
            stamped_us = _good(self._path(self._bases[-2]).read_bytes(), self._bases[-2])[2]
        self.stamped_us = max(self.stamped_us, stamped_us)
        self.last = self._bases[-1] + count - 1
        self.trimmed = min(self.trimmed, self.last)
        self._tail = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        if good < self._sizes[-1]:
            os.ftruncate(self._tail, good)
            self._sizes[-1] = good

    def _piece(self, base: int, place: int, size: int) -> bytes:
        if self._reader is None or self._read_base != base:
            self._forget_reader()
            self._reader = self._path(base).open("rb", buffering=0)
            self._read_base = base
        self._reader.seek(place)
        return self._reader.read(size) or b""

    def _make_room(self, size: int) -> None:
        while sum(self._sizes) + size > self._max_bytes:
            if not self._drop_oldest or len(self._bases) < 2:
                raise full(f"the buffer in {self._folder}", self._max_bytes)
            upto = self._bases[1] - 1
            self.dropped += max(0, upto - self.trimmed)
            self.trimmed = max(self.trimmed, upto)
            self._remove_first()

    def _begin(self, base: int) -> None:
        try:
            new = os.open(
                self._path(base), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise DiskFull(f"the buffer in {self._folder}: {error.strerror}") from error
        with contextlib.suppress(OSError):
            self._save()  # the new file does not know the newest time yet
        if self._tail >= 0:
            if self._unsynced:
                with contextlib.suppress(OSError):
                    _sync(self._tail)
            os.close(self._tail)
        self._tail = new
        self._bases.append(base)
        self._sizes.append(0)

    def _remove_first(self) -> None:
        base = self._bases.pop(0)
        self._sizes.pop(0)
        if self._read_base == base:
            self._forget_reader()
        self._path(base).unlink(missing_ok=True)

    def _forget_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _save(self) -> None:
        state = (self.trimmed, self.stamped_us)
        if state == self._saved:
            return
        new = self._folder / "position.new"
        text = json.dumps({"acknowledged": state[0], "stamped_us": state[1]})
        new.write_text(text, encoding="utf-8")
        new.replace(self._folder / "position")
        self._saved = state

    def _path(self, base: int) -> Path:
        return self._folder / f"{base:020d}.spool"


def _good(data: bytes, base: int) -> tuple[int, int, int]:
    """Return how many bytes of a file are whole frames, how many frames, and the newest time."""
    at, count, newest = 0, 0, 0
    while at + _HEAD.size <= len(data):
        length, crc, number, stamped_us = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if end > len(data) or number != base + count or zlib.crc32(data[at + 24 : end]) != crc:
            break
        at, count, newest = end, count + 1, max(newest, stamped_us)
    return at, count, newest


def _hold(folder: Path) -> int:
    """Hold the folder for this process, and return a descriptor that ends the hold when closed."""
    held = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        import fcntl

        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows: two clients on one folder are not noticed
        pass
    except BlockingIOError as error:
        os.close(held)
        msg = f"another client uses the buffer in {folder}; give each client a folder of its own"
        raise Conflict(msg) from error
    return held
