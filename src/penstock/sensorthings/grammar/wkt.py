"""Well-known text (OGC 06-103r4): checked here, so that no back end meets a broken one."""

from __future__ import annotations

import re
from typing import NoReturn

from penstock.sensorthings.grammar.mistakes import did_you_mean, shown
from penstock.sensorthings.grammar.scanner import Scanner

#: Collections in collections, at most so deep.
MAX_DEPTH = 20

_WORD = re.compile(r"[A-Za-z]++")
_EMPTY = re.compile(r"EMPTY\b", re.IGNORECASE)
_AXES = re.compile(r"(?:ZM|Z|M)\b", re.IGNORECASE)
_SRID = re.compile(r"SRID=([0-9]{1,6});", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]{1,3})?(?![\w.])")

#: How many lists of points are around each other, and how many points the innermost needs.
_SHAPES = {
    "POINT": (0, 1),
    "LINESTRING": (1, 2),
    "POLYGON": (2, 4),
    "MULTIPOINT": (1, 1),
    "MULTILINESTRING": (2, 2),
    "MULTIPOLYGON": (3, 4),
    "GEOMETRYCOLLECTION": (0, 0),
}


def read_wkt(scanner: Scanner, text: str, at: int) -> str:
    """Return the text of a geometry, without an SRID.

    Args:
        scanner: Of the text around it, for messages.
        text: What stands between the quotes.
        at: Where that begins.

    Raises:
        InvalidInput: It is no geometry; says where.
    """
    reader = _Reader(text, scanner.part, at)
    srid = reader.match(_SRID)
    if srid and int(srid[1]) != 4326:
        reader.fail(f"the reference system {srid[1]} is not known here; only 4326 (WGS 84) is", at)
    start = reader.at
    reader.geometry(0)
    if not reader.ended:
        reader.unexpected("the end of the geometry")
    return text[start:].strip()


class _Reader(Scanner):
    def __init__(self, text: str, part: str, offset: int) -> None:
        super().__init__(text, part)
        self._offset = offset

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        super().fail(problem, self._offset + self.at if at is None else at)

    def geometry(self, depth: int) -> None:
        self.skip_blanks()
        word = self.match(_WORD)
        if word is None:
            self.unexpected("a geometry such as POINT (30 10)")
        name = word[0].upper()
        for axes in ("ZM", "Z", "M"):
            if name not in _SHAPES and name.endswith(axes):
                name = name[: -len(axes)]
        if name not in _SHAPES:
            known = ", ".join(_SHAPES)
            hint = did_you_mean(name, _SHAPES)
            self.fail(f"found {shown(word[0])}, expected one of {known}{hint}")
        self.skip_blanks()
        self.match(_AXES)
        self.skip_blanks()
        if self.match(_EMPTY):
            return
        if name == "GEOMETRYCOLLECTION":
            self._collection(depth)
        elif name == "POINT":
            self.expect("(")
            self._point(None)
            self.expect(")")
        else:
            levels, least = _SHAPES[name]
            self._lists(levels, least, bare=name == "MULTIPOINT", size=None)

    def _collection(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            self.fail(f"collections are nested deeper than {MAX_DEPTH}")
        self.expect("(")
        self.geometry(depth + 1)
        while self.take(","):
            self.geometry(depth + 1)
        self.expect(")")

    def _lists(self, levels: int, least: int, *, bare: bool, size: int | None) -> int | None:
        self.expect("(")
        if levels > 1:
            size = self._lists(levels - 1, least, bare=bare, size=size)
            while self.take(","):
                size = self._lists(levels - 1, least, bare=bare, size=size)
            self.expect(")")
            return size
        first, points = "", 0
        last = first
        while True:
            wrapped = bare and self.take("(")
            at = self.skip_blanks()
            size = self._point(size)
            last = " ".join(self.text[at : self.at].split())
            first = first or last
            points += 1
            if wrapped:
                self.expect(")")
            if not self.take(","):
                break
        if points < least:
            self.fail(f"{points} points are too few; it takes {least}")
        if least == 4 and first != last:
            self.fail("the ring is not closed; its last point must be its first")
        self.expect(")")
        return size

    def _point(self, size: int | None) -> int:
        numbers = 0
        while numbers < 4:
            self.skip_blanks()
            if not self.match(_NUMBER):
                break
            numbers += 1
        if numbers < 2:
            self.unexpected("a number: points are written as longitude latitude")
        if size is not None and numbers != size:
            self.fail(f"this point has {numbers} numbers, the one before has {size}")
        return numbers
