"""From a query string to its options (OGC 18-088 section 9.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote_plus

import msgspec

from penstock.core.entity_types import TYPES, EntityType
from penstock.core.expression import Order
from penstock.sensorthings.grammar.expressions import read_condition, read_sort_key
from penstock.sensorthings.grammar.mistakes import did_you_mean, invalid, shown
from penstock.sensorthings.grammar.names import NAME, Name, follow, read_path
from penstock.sensorthings.grammar.options import (
    Expand,
    Metadata,
    Options,
    ResultFormat,
    SelectPath,
)
from penstock.sensorthings.grammar.scanner import MAX_LENGTH, Scanner

#: `$expand` in `$expand`, at most so deep.
MAX_EXPAND_DEPTH = 20
#: At most so many links expanded in one request.
MAX_EXPANDS = 100
_LARGEST = 2**53

#: Options that can stand within an `$expand`, by lower-case name, and their field.
_INNER = {
    "$filter": "where",
    "$orderby": "order",
    "$select": "select",
    "$expand": "expand",
    "$top": "top",
    "$skip": "skip",
    "$count": "count",
    "$skiptoken": "skip_token",
}
_OUTER = {
    **_INNER,
    "$resultformat": "format",
    "$format": "format",
    "$resultmetadata": "metadata",
    "$id": "id",
}
#: How they are written in messages.
_WRITTEN = ["$filter", "$orderby", "$select", "$expand", "$top", "$skip", "$count", "$skiptoken"]
_WRITTEN_OUTER = [*_WRITTEN, "$resultFormat", "$resultMetadata", "$id"]

_OPTION = re.compile(r"\$?[A-Za-z]*+")
_NUMBER = re.compile(r"[0-9]{1,16}(?![\w.])")
_BOOL = re.compile(r"(?:true|false)(?!\w)", re.IGNORECASE)
_DIRECTION = re.compile(r"(?:asc|desc)(?!\w)", re.IGNORECASE)
_WORDLIKE = re.compile(r"\w++")
_DISTINCT = re.compile(r"distinct:")
_INNER_TOKEN = re.compile(r"[^;)]*+")


def parse_options(query: str, type_: str | None) -> Options:
    """Return the options of a query string.

    Args:
        query: What stands behind the `?`, percent-encoded; `+` is a blank.
        type_: Name of the entity type that the options speak of; None when there is none, then
            `$filter`, `$orderby`, `$select` and `$expand` are refused.

    Raises:
        InvalidInput: An option is unknown or given twice, or cannot be read; says where.
    """
    if len(query) > MAX_LENGTH:
        raise invalid("query", MAX_LENGTH, f"up to {MAX_LENGTH} characters are read")
    reader = _Reader()
    fields: dict[str, object] = {}
    custom: list[tuple[str, str]] = []
    for name, value in _pairs(query):
        if not name.startswith("$"):
            if f"${name.lower()}" in _OUTER and name != "id":
                raise invalid("query", 0, f"{name} is an option with a '$': ${name}=...")
            custom.append((name, value))
            continue
        field = _OUTER.get(name.lower())
        if field is None:
            hint = did_you_mean(name, _WRITTEN_OUTER)
            known = ", ".join(_WRITTEN_OUTER)
            raise invalid("query", 0, f"there is no option {shown(name)}; there are {known}{hint}")
        if field in fields:
            raise invalid("query", 0, f"{name} is given twice")
        if field in {"where", "order", "select", "expand"} and type_ is None:
            raise invalid(name, 0, "there are no entities here that it could speak of")
        kind = TYPES[type_] if type_ is not None else None
        scanner = Scanner(value, name)
        if field == "select":
            fields["distinct"] = bool(scanner.match(_DISTINCT))
        fields[field] = reader.read(field, scanner, kind)
        if not scanner.ended:
            scanner.unexpected("an operator, ',' or the end")
    return msgspec.structs.replace(Options(), custom=tuple(custom), **fields)


def _pairs(query: str) -> Iterator[tuple[str, str]]:
    """Yield names and values; a `&` within quotes is part of the value."""
    waiting: list[str] = []
    is_open = False
    for piece in query.split("&"):
        quotes = piece.count("'") + piece.count("%27")
        waiting.append(piece)
        is_open ^= quotes % 2 == 1
        if not is_open:
            yield from _pair("&".join(waiting))
            waiting = []
    if waiting:
        yield from _pair("&".join(waiting))


def _pair(piece: str) -> Iterator[tuple[str, str]]:
    if not piece.strip():
        return
    name, equals, value = piece.partition("=")
    try:
        name, value = (unquote_plus(one, errors="strict").strip() for one in (name, value))
    except UnicodeDecodeError as problem:
        raise invalid("query", 0, f"{shown(piece)} is not UTF-8: {problem.reason}") from None
    if name.startswith("$") and not equals:
        raise invalid("query", 0, f"{shown(name)} has no value; write {name[:40]}=...")
    yield name, value


class _Reader:
    """Reads the values of options; counts what is expanded."""

    def __init__(self) -> None:
        self._expands = 0
        self._depth = 0

    def read(self, field: str, scanner: Scanner, type_: EntityType | None) -> object:
        """Read the value of an option; stops before what cannot belong to it."""
        if type_ is not None:
            of_type: dict[str, Callable[[Scanner, EntityType], object]] = {
                "where": read_condition,
                "order": _order,
                "select": _select,
                "expand": self._expand,
            }
            if field in of_type:
                return of_type[field](scanner, type_)
        if field in {"top", "skip"}:
            return _whole_number(scanner)
        if field == "count":
            return _bool(scanner)
        if field == "format":
            return _format(scanner)
        if field == "metadata":
            return _metadata(scanner)
        token = scanner.match(_INNER_TOKEN) if self._depth else None
        if token is not None:
            return token[0].strip()
        scanner.at = len(scanner.text)
        return scanner.text

    def _expand(self, scanner: Scanner, type_: EntityType) -> tuple[Expand, ...]:
        self._depth += 1
        if self._depth > MAX_EXPAND_DEPTH:
            scanner.fail(f"expanded deeper than {MAX_EXPAND_DEPTH}")
        found: dict[str, Expand] = {}
        while True:
            one = self._expanded(scanner, type_)
            before = found.get(one.link)
            found[one.link] = one if before is None else _merged(scanner, before, one)
            if not scanner.take(","):
                break
        self._depth -= 1
        return tuple(found.values())

    def _expanded(self, scanner: Scanner, type_: EntityType) -> Expand:
        at = scanner.skip_blanks()
        name = scanner.match(NAME)
        if name is None:
            scanner.unexpected("the name of a link")
        steps: list[tuple[str, int]] = []
        for step in read_path(scanner, Name(name[0], at)):
            self._expands += 1
            if self._expands > MAX_EXPANDS:
                scanner.fail(f"more than {MAX_EXPANDS} links are too many", step.at)
            link = type_.link(step.text)
            if link is None:
                known = [one.name for one in type_.links]
                hint = did_you_mean(step.text, known)
                scanner.fail(
                    f"{type_.name} has no link {shown(step.text)}; it has {', '.join(known)}{hint}",
                    step.at,
                )
            steps.append((link.name, step.at))
            type_ = TYPES[link.target]
        if len(steps) > MAX_EXPAND_DEPTH:
            scanner.fail(f"expanded deeper than {MAX_EXPAND_DEPTH}", at)
        options = self._inner(scanner, type_) if scanner.take("(") else Options()
        for link_name, link_at in reversed(steps):
            expand = Expand(link_name, options, link_at)
            options = Options(expand=(expand,))
        return options.expand[0]

    def _inner(self, scanner: Scanner, type_: EntityType) -> Options:
        fields: dict[str, object] = {}
        while not scanner.take(")"):
            at = scanner.skip_blanks()
            name = scanner.match(_OPTION)
            written = name[0] if name else ""
            field = _INNER.get(written.lower())
            if field is None:
                scanner.at = at
                hint = did_you_mean(written, _WRITTEN) if written else ""
                scanner.unexpected(f"one of {', '.join(_WRITTEN)}", hint)
            if field in fields:
                scanner.fail(f"{written} is given twice", at)
            scanner.expect("=")
            scanner.skip_blanks()
            if field == "select":
                fields["distinct"] = bool(scanner.match(_DISTINCT))
            fields[field] = self.read(field, scanner, type_)
            if not scanner.peek(")"):
                scanner.expect(";", "or ')'")
        return msgspec.structs.replace(Options(), **fields)


def _merged(scanner: Scanner, one: Expand, other: Expand) -> Expand:
    """Return one expand for two of the same link; only one of them can say more than `$expand`."""
    bare = Options()
    plain = [msgspec.structs.replace(each.options, expand=()) == bare for each in (one, other)]
    if not any(plain):
        scanner.fail(f"{one.link} is expanded twice with options of its own", other.at)
    options = (other if plain[0] else one).options
    inner = {each.link: each for each in one.options.expand}
    for each in other.options.expand:
        before = inner.get(each.link)
        inner[each.link] = each if before is None else _merged(scanner, before, each)
    return Expand(one.link, msgspec.structs.replace(options, expand=tuple(inner.values())), one.at)


def _order(scanner: Scanner, type_: EntityType) -> tuple[Order, ...]:
    keys = []
    while True:
        by = read_sort_key(scanner, type_)
        scanner.skip_blanks()
        direction = scanner.match(_DIRECTION)
        if direction is None and _WORDLIKE.match(scanner.text, scanner.at):
            scanner.unexpected("'asc', 'desc' or ','")
        keys.append(Order(by, direction is not None and direction[0].lower() == "desc"))
        if not scanner.take(","):
            return tuple(keys)


def _select(scanner: Scanner, type_: EntityType) -> tuple[SelectPath, ...] | None:
    if scanner.take("*"):
        return None
    found: dict[SelectPath, None] = {}
    while True:
        at = scanner.skip_blanks()
        name = scanner.match(NAME)
        if name is None:
            scanner.unexpected("the name of a property")
        names = read_path(scanner, Name(name[0], at))
        if name[0] == "@iot.selfLink" and len(names) == 1:
            found[("@iot.selfLink",)] = None
        else:
            followed = follow(scanner.part, names, type_)
            if len(followed.path) > 1 and type_.link(followed.path[0]) is not None:
                link = followed.path[0]
                msg = f"properties of {link} are chosen by $expand={link}($select=...)"
                scanner.fail(msg, at)
            found[followed.path] = None
        if not scanner.take(","):
            return tuple(found)


def _whole_number(scanner: Scanner) -> int:
    scanner.skip_blanks()
    number = scanner.match(_NUMBER)
    if number is None or int(number[0]) > _LARGEST:
        if number is not None:
            scanner.at = number.start()
        scanner.unexpected("a whole number, 0 or more")
    return int(number[0])


def _bool(scanner: Scanner) -> bool:
    scanner.skip_blanks()
    word = scanner.match(_BOOL)
    if word is None:
        scanner.unexpected("true or false")
    return word[0].lower() == "true"


def _format(scanner: Scanner) -> ResultFormat:
    word = scanner.text.strip()
    names = {one.lower(): one for one in ResultFormat} | {"application/json": ResultFormat.JSON}
    if word.lower() not in names:
        known = ", ".join(ResultFormat)
        scanner.unexpected(f"one of {known}", did_you_mean(word, ResultFormat))
    scanner.at = len(scanner.text)
    return names[word.lower()]


def _metadata(scanner: Scanner) -> Metadata:
    word = scanner.text.strip().lower()
    if word not in set(Metadata):
        scanner.unexpected(f"one of {', '.join(Metadata)}", did_you_mean(word, Metadata))
    scanner.at = len(scanner.text)
    return Metadata(word)
