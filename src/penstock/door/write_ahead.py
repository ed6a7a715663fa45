"""A damaged write-ahead file is told from a torn one, and mended where that can be done exactly.

SQLite takes everything up to the first frame whose checksum does not fit and drops the rest
without a word, since that is how a write looks that a power failure cut off. But a transaction
begins only after the one before was synced. So when a frame that does not fit is followed by a
later transaction, it was whole once, and has been damaged since.

The format is section 4 of https://www.sqlite.org/fileformat2.html: a header of 32 bytes, then
frames of 24 bytes and a page. The checksum of a frame goes on from the one before, and both are in
the file, so each frame can be checked by itself. It is a sum with a factor for each word, so that
mostly the one bit can be found that must be turned to make it fit. (The highest bits of words far
apart are alike to it: then it is not known which.)
"""

from __future__ import annotations

import logging
import os
import shutil
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

_log = logging.getLogger(__name__)

_HEADER_BYTES, _FRAME_BYTES = 32, 24
#: Bytes of header and frame that the checksum covers.
_OF_HEADER, _OF_FRAME = 24, 8
#: Last bit: whether checksums take words most significant byte first.
_MAGIC = 0x377F0682
_MASK = 0xFFFFFFFF

Sums = tuple[int, int]


@dataclass(slots=True)
class Findings:
    """What was found in a file.

    Attributes:
        mended: What was damaged and is as it was.
        lost: What was damaged and could not be mended; SQLite drops it and all behind it.
        is_certain: Whether what is lost was on disk once; else it may be a write that a power
            failure cut off, which nobody was promised.
    """

    mended: list[str] = field(default_factory=list)
    lost: str = ""
    is_certain: bool = False


def look_after(database: Path) -> None:
    """Mend what can be mended, before SQLite opens it; keep what was damaged, and say so.

    Raises:
        OSError: The files cannot be read or written.
    """
    file = database.with_name(f"{database.name}-wal")
    if not file.exists() or file.stat().st_size < _HEADER_BYTES:
        return
    data = bytearray(file.read_bytes())
    findings = _Reading(data).mend()
    if not (findings.mended or findings.lost):
        return
    aside = _keep_aside(database, file)
    if findings.mended:
        new = file.with_suffix(".new")
        with new.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
        _log.error(
            "The journal's write-ahead file %s was damaged on disk and has been mended, nothing is "
            "lost by it: %s; look after this disk. The damaged file is kept in %s",
            file, "; ".join(findings.mended), aside,
        )  # fmt: skip
    if findings.is_certain:
        _log.error(
            "The journal's write-ahead file %s is damaged: %s. The door goes on as of before: "
            "newer changes to sessions, subscriptions, retained and queued messages are lost. Look "
            "after this disk. The damaged file is kept in %s",
            file, findings.lost, aside,
        )  # fmt: skip
    elif findings.lost:
        _log.warning(
            "The last write to the journal's write-ahead file %s is not whole: %s. After a power "
            "failure that is as it should be, and nobody was promised anything; else it is damage. "
            "The file is kept in %s",
            file, findings.lost, aside,
        )  # fmt: skip


def _keep_aside(database: Path, file: Path) -> Path:
    number = 1
    while (folder := database.with_name(f"damaged-{number}")).exists():
        number += 1
    folder.mkdir()
    for one in (database, file):
        if one.exists():
            shutil.copy2(one, folder)
    return folder


class _Reading:
    """Walks through a write-ahead file; `mend` changes `data`."""

    def __init__(self, data: bytearray) -> None:
        self.data = data
        self.order = "<"
        self.page_bytes = 0
        self.salts = b""
        self.findings = Findings()

    def mend(self) -> Findings:
        """Mend what can be mended, and return what was found."""
        if self._header():
            at, sums = _HEADER_BYTES, self._stored(_OF_HEADER)
            while at + self.step <= len(self.data):
                found = self._frame(at, sums)
                if found is None:
                    break
                sums = found
                at += self.step
        return self.findings

    @property
    def step(self) -> int:
        """Bytes of a frame with its page."""
        return _FRAME_BYTES + self.page_bytes

    # The header.

    def _header(self) -> bool:
        """Read the header; return whether it is one, perhaps after mending."""
        head = bytes(self.data[:_OF_HEADER])
        for self.order in ("<", ">"):
            stored = self._stored(_OF_HEADER)
            if self._take_header(head):
                sums = _sums(head, (0, 0), self.order)
                if sums == stored:
                    return True
                if self._is_there(_HEADER_BYTES) and self._fits(_HEADER_BYTES, sums):
                    content = struct.pack(">II", *sums)
                    self._mended("its header's checksum", _OF_HEADER, content)
                    return True
            for fixed in turned(head, (0, 0), stored, self.order):
                if self._take_header(fixed) and self._is_of_first_frame():
                    self._mended("its header", 0, fixed)
                    return True
        if any(self.data[_HEADER_BYTES:]):
            self.findings.lost = "its header does not fit"
            self.findings.is_certain = True
        return False

    def _take_header(self, head: bytes) -> bool:
        magic, version, page_bytes = struct.unpack(">III", head[:12])
        self.page_bytes = page_bytes
        self.salts = head[16:24]
        fits = magic == _MAGIC + (self.order == ">") and version == 3_007_000
        return fits and 512 <= page_bytes <= 65_536 and not page_bytes & (page_bytes - 1)

    def _is_of_first_frame(self) -> bool:
        return self.data[_HEADER_BYTES + 8 : _HEADER_BYTES + 16] == self.salts

    # Frames.

    def _frame(self, at: int, before: Sums) -> Sums | None:
        """Return the checksum of a frame, perhaps after mending; None where the file ends."""
        sums, stored = self._sums(at, before), self._stored(at + 16)
        is_ours = self.data[at + 8 : at + 16] == self.salts
        if sums == stored:
            if not is_ours:
                self._mended(f"the salt at byte {at + 8}", at + 8, self.salts)
            return stored
        behind = at + self.step
        if self._is_there(behind) and self._fits(behind, sums):
            self._mended(f"the checksum at byte {at + 16}", at + 16, struct.pack(">II", *sums))
            return sums
        good = self._good_behind(at)
        if not (is_ours or good):
            return None  # a frame from before the file began anew
        part = self._covered(at)
        fixed = turned(part, before, stored, self.order) if is_ours else []
        if len(fixed) == 1:
            self._mended(f"a bit of the frame at byte {at}", at, fixed[0][:_OF_FRAME])
            self.data[at + _FRAME_BYTES : at + self.step] = fixed[0][_OF_FRAME:]
            return stored
        is_certain = self._is_of_an_older_transaction(at, good)
        if is_certain and self._supersede(at, before, good):
            return self._stored(at + 16)
        self.findings.lost = f"the frame at byte {at} does not fit its checksum"
        self.findings.is_certain = is_certain
        return None

    def _supersede(self, at: int, before: Sums, good: list[int]) -> bool:
        """Take a page that cannot be mended from a later frame that wrote it again."""
        page = self.data[at : at + 4]
        same = [one for one in good if self.data[one : one + 4] == page]
        commits = [one for one in good if self._is_commit(one)]
        # All behind must fit as it is: its checksums are made anew here.
        is_whole = good == list(range(at + self.step, good[-1] + 1, self.step))
        if not (same and commits and is_whole and same[-1] <= commits[-1]):
            return False
        start, stop = at + _FRAME_BYTES, at + self.step
        self.data[start:stop] = self.data[same[-1] + _FRAME_BYTES : same[-1] + self.step]
        self.findings.mended.append(f"the frame at byte {at}, by a newer one of the same page")
        sums = before
        for one in (at, *good):
            sums = self._sums(one, sums)
            self.data[one + 16 : one + _FRAME_BYTES] = struct.pack(">II", *sums)
        del self.data[good[-1] + self.step :]
        return True

    def _good_behind(self, at: int) -> list[int]:
        """Return the frames behind one that are of this file and fit by themselves."""
        frames = range(at + self.step, len(self.data) - self.step + 1, self.step)
        return [one for one in frames if self._fits(one, self._stored(one - self.step + 16))]

    def _is_of_an_older_transaction(self, at: int, good: list[int]) -> bool:
        """Tell whether another transaction comes behind the one of a damaged frame."""
        return bool(good) and any(map(self._is_commit, (at, *good[:-1])))

    def _is_commit(self, at: int) -> bool:
        return any(self.data[at + 4 : at + 8])

    def _is_there(self, at: int) -> bool:
        return at + self.step <= len(self.data)

    def _fits(self, at: int, before: Sums) -> bool:
        if self.data[at + 8 : at + 16] != self.salts:
            return False
        return self._sums(at, before) == self._stored(at + 16)

    def _covered(self, at: int) -> bytes:
        page = self.data[at + _FRAME_BYTES : at + self.step]
        return bytes(self.data[at : at + _OF_FRAME] + page)

    def _sums(self, at: int, before: Sums) -> Sums:
        return _sums(self._covered(at), before, self.order)

    def _stored(self, at: int) -> Sums:
        one, two = struct.unpack(">II", self.data[at : at + 8])
        return one, two

    def _mended(self, what: str, at: int, content: bytes) -> None:
        self.data[at : at + len(content)] = content
        self.findings.mended.append(what)


def _sums(data: bytes, before: Sums, order: str) -> Sums:
    """Return SQLite's checksum of words, going on from `before`."""
    one, two = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two


def turned(data: bytes, before: Sums, stored: Sums, order: str) -> list[bytes]:
    """Return the data with one bit turned that makes it fit a checksum, for each such bit."""
    sums = _sums(data, before, order)
    missing = ((stored[0] - sums[0]) & _MASK, (stored[1] - sums[1]) & _MASK)
    words = list(struct.unpack(f"{order}{len(data) // 4}I", data))
    found: list[bytes] = []
    for place, (one, two) in enumerate(_factors(len(words))):
        for bit in range(32):
            change = 1 << bit
            sign = -1 if words[place] & change else 1
            if missing == ((sign * change * one) & _MASK, (sign * change * two) & _MASK):
                words[place] ^= change
                found.append(struct.pack(f"{order}{len(words)}I", *words))
                words[place] ^= change
    return found


@lru_cache(2)
def _factors(count: int) -> list[Sums]:
    """Return how often each of so many words is in the two sums, modulo 2^32."""
    factors: list[Sums] = []
    # What one in either sum before a pair of words comes to behind all of them.
    of_one, of_two = (1, 0), (0, 1)
    for _ in range(count // 2):
        # A pair adds its second word to the second sum, and its first to the first, and with it
        # to the second.
        second = of_two
        first = ((of_one[0] + of_two[0]) & _MASK, (of_one[1] + of_two[1]) & _MASK)
        factors += [second, first]
        of_one, of_two = first, ((first[0] + of_two[0]) & _MASK, (first[1] + of_two[1]) & _MASK)
    return factors[::-1]
