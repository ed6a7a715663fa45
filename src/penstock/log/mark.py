"""The durable mark: up to where readers in any process may read, in shared memory.

A file of 32 bytes that the writer and every reader of a partition map into memory: four
unsigned 64-bit integers in the machine's byte order, the durable offset, its complement, the
base offset of the newest segment and how many of its bytes are durable. A store or load of one
of them is one machine instruction.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

_BYTES = 32
_ALL_ONES = 2**64 - 1


class DurableMark:
    """One partition's mark, mapped for reading or for writing.

    Args:
        path: Its file.
        writable: Create the file if need be and allow `advance`.

    Raises:
        FileNotFoundError: It is to be read and does not exist yet.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        flags = os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY
        fd = os.open(path, flags | os.O_CLOEXEC, 0o644)
        try:
            if os.fstat(fd).st_size < _BYTES:
                if not writable:
                    raise FileNotFoundError(path)
                os.pwrite(fd, bytes(_BYTES), 0)
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            self._map = mmap.mmap(fd, _BYTES, access=access)
        finally:
            os.close(fd)
        self._words = memoryview(self._map).cast("Q")

    @property
    def offset(self) -> int:
        """Messages before this offset are on disk."""
        return self._words[0]

    @property
    def newest_base(self) -> int:
        """Base offset of the newest segment; read it after `offset`."""
        return self._words[2]

    @property
    def newest_bytes(self) -> int:
        """Durable bytes of the newest segment; a hint, which may be that of another one."""
        return self._words[3]

    def is_trustworthy(self) -> bool:
        """Say whether the offset and its complement agree."""
        return self._words[0] ^ self._words[1] == _ALL_ONES

    def advance(self, offset: int, newest_bytes: int) -> None:
        """Let readers see everything before `offset`, which must be on disk."""
        self._words[3] = newest_bytes
        self._words[0] = offset
        self._words[1] = offset ^ _ALL_ONES

    def announce_segment(self, base: int) -> None:
        """Tell readers of a new segment, before anything in it becomes visible."""
        self._words[2] = base

    def close(self) -> None:
        """Release the mapping."""
        self._words.release()
        self._map.close()
