"""Filters of the digital twin stack as queries of ours.

`SELECT * FROM * WHERE (name = 'a' OR name = 'b') AND result < 30;` is the language of its
single-source stream apps (iot-salzburg/panta_rhei). From the loosest: XOR, OR, AND, NOT, a
comparison, then on numbers `-`, `+`, `/`, `*`, `^` and `%`, each looser than the next. What is
a mistake there means here what it says: `100 > result` is not true at 100, `result = 1.5` is so
within 1e-7 on both sides, `8 - 4 - 2` is 2, and `FROM` chooses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from penstock.core.errors import InvalidQuery

#: Two numbers are equal when they are closer than this, as there.
EQUAL_WITHIN = "1e-7"

#: Most characters, and how deep parentheses go.
MAX_CHARACTERS, MAX_DEPTH = 10_000, 50

_LEVELS = (
    ("XOR",), ("OR",), ("AND",), ("NOT",), ("=", "<>", "<", ">", "<=", ">="),
    ("-",), ("+",), ("/",), ("*",), ("^",), ("%",),
)  # fmt: skip
_NOT, _COMPARISON = 3, 4

_FORM = re.compile(r"\s*SELECT\s+(?P<select>.*?)\s+FROM\s+(?P<source>.*?)"
                   r"(?:\s+WHERE\s+(?P<where>.*?))?\s*;?\s*", re.DOTALL)  # fmt: skip
_WORD = re.compile(
    r"\s*(?:('[^']*')|(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|([A-Za-z_]+)|(<=|>=|<>|[-+*/^%()=<>]))"
)
_SYSTEM = re.compile(r"[\w.*-]+")


@dataclass(frozen=True, slots=True)
class _Part:
    sql: str
    kind: str


def translate(text: str) -> str:
    """Return a `SELECT` of ours that passes on what the filter does.

    Raises:
        InvalidQuery: It is no such filter; the message says what is allowed.
    """
    form = _FORM.fullmatch(text) if len(text) <= MAX_CHARACTERS else None
    if form is None:
        msg = "a filter is written `SELECT * FROM systems [WHERE condition];`, with one of each"
        raise InvalidQuery(msg)
    systems = [system.strip() for system in form["source"].split(",")]
    for system in systems:
        if not _SYSTEM.fullmatch(system):
            msg = f"{system!r} is no system; write `*`, or names such as `cz.icecars.fleet.Car1`"
            raise InvalidQuery(msg)
    conditions = []
    source = "observations"
    if "*" not in systems:
        if len(systems) == 1:
            source = f'"{systems[0]}.*"'
        else:
            conditions = [" OR ".join(f"STARTSWITH(name, '{system}.')" for system in systems)]
    if form["where"] is not None:
        conditions.append(_Reader(form["where"]).read())
    where = " AND ".join(f"({condition})" for condition in conditions)
    return f"SELECT time, thing, result FROM {source}" + (f" WHERE {where}" if where else "")


class _Reader:
    def __init__(self, text: str) -> None:
        self._words: list[str] = []
        at, text = 0, text.rstrip()
        while at < len(text):
            match = _WORD.match(text, at)
            if match is None:
                part = text[at : at + 20].strip()
                msg = f"{part!r} is not understood; texts stand in single quotes"
                raise InvalidQuery(msg)
            self._words.append(match.group().strip())
            at = match.end()
        self._at = 0
        self._depth = 0

    def read(self) -> str:
        found = self._level(0)
        if self._next() is not None:
            msg = f"{self._next()!r} is not expected there"
            raise InvalidQuery(msg)
        return self._of(found, "truth").sql

    def _next(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def _level(self, level: int) -> _Part:
        if level == len(_LEVELS):
            return self._one()
        if level == _NOT and self._next() == "NOT":
            self._at += 1
            self._deeper()
            found = self._of(self._level(level), "truth")
            self._depth -= 1
            return _Part(f"(NOT {found.sql})", "truth")
        left = self._level(level + 1)
        while level != _NOT and (sign := self._next()) in _LEVELS[level]:
            self._at += 1
            left = self._joined(left, str(sign), self._level(level + 1), level)
            if level == _COMPARISON:
                break
        return left

    def _joined(self, left: _Part, sign: str, right: _Part, level: int) -> _Part:
        if level == _COMPARISON:
            kinds = {left.kind, right.kind}
            if len(kinds) > 1 or kinds == {"truth"}:
                msg = (
                    f"{left.sql} {sign} {right.sql} compares unlike things; numbers go with numbers"
                )
                raise InvalidQuery(msg)
            if kinds == {"number"} and sign in {"=", "<>"}:
                sign = "<" if sign == "=" else ">="
                return _Part(f"(ABS({left.sql} - {right.sql}) {sign} {EQUAL_WITHIN})", "truth")
            return _Part(f"({left.sql} {sign} {right.sql})", "truth")
        kind = "truth" if level < _COMPARISON else "number"
        a, b = self._of(left, kind).sql, self._of(right, kind).sql
        if sign in {"^", "%"}:
            return _Part(f"{'POWER' if sign == '^' else 'MOD'}({a}, {b})", kind)
        return _Part(f"({a} {'<>' if sign == 'XOR' else sign} {b})", kind)

    def _one(self) -> _Part:
        word = self._next()
        self._at += 1
        if word == "(":
            self._deeper()
            found = self._level(0)
            self._depth -= 1
            if self._next() != ")":
                raise InvalidQuery("a `)` is missing")
            self._at += 1
            return found
        if word in {"TRUE", "FALSE"}:
            return _Part(word, "truth")
        if word == "-" and self._next() is not None:
            return _Part(f"(-{self._of(self._one(), 'number').sql})", "number")
        if word in {"result", "name", "time"}:
            return _Part(word, "number" if word == "result" else "text")
        if word is not None and word[0] == "'":
            return _Part(word, "text")
        if word is not None and word[0].isdigit():
            return _Part(word, "number")
        what = (
            "something is missing at the end" if word is None else f"{word!r} is not expected there"
        )
        raise InvalidQuery(
            f"{what}; a condition is made of name, result, time, numbers and 'texts'"
        )

    def _of(self, part: _Part, kind: str) -> _Part:
        if part.kind != kind:
            wanted = "a condition" if kind == "truth" else "a number"
            raise InvalidQuery(
                f"{part.sql} is no {wanted.partition(' ')[2]}; {wanted} is wanted there"
            )
        return part

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidQuery(f"parentheses and NOT go {MAX_DEPTH} deep at most")
