"""Paths of names, followed from an entity type: navigation, a property, members of its JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from penstock.core.entity_types import TYPES, EntityType
from penstock.sensorthings.grammar.mistakes import did_you_mean, invalid, shown
from penstock.sensorthings.grammar.scanner import Scanner

#: At most so many names in one path.
MAX_STEPS = 50

ID = "@iot.id"
#: Both mean the id.
_IDS = frozenset({"id", ID})

NAME = re.compile(r"[A-Za-z_$@][\w.@$-]*+")
MEMBER = re.compile(r"[\w.@$-]++")
TEXT = re.compile(r"'((?:[^']|'')*+)'")
INDEX = re.compile(r"\[([0-9]{1,9})\]")
_SLASH = re.compile(r"/")
_ANY = re.compile(r"/any[ ]?\(")


class Name(msgspec.Struct, frozen=True):
    """A name in a path, or the position in an array, and where it stands."""

    text: str
    at: int


class Followed(msgspec.Struct, frozen=True):
    """Where a path leads.

    Attributes:
        path: As it stands in trees.
        type: The entity type at the end of the navigation.
        property: The property; empty when the path ends at an entity.
        many: The path goes along a link to many.
        ends_many: The last link is one to many.
        whole: There are no members behind the property.
    """

    path: tuple[str, ...]
    type: EntityType
    property: str = ""
    many: bool = False
    ends_many: bool = False
    whole: bool = True


def read_path(scanner: Scanner, first: Name) -> list[Name]:
    """Read the rest of a path, whose first name was read; stops before `/any(`."""
    names = [first, *_indexes(scanner)]
    while not _ANY.match(scanner.text, scanner.at) and scanner.match(_SLASH):
        at = scanner.at
        if member := scanner.match(MEMBER):
            names.append(Name(member[0], at))
        elif quoted := scanner.match(TEXT):
            names.append(Name(quoted[1].replace("''", "'"), at))
        else:
            scanner.unexpected("the name of a property")
        names.extend(_indexes(scanner))
        if len(names) > MAX_STEPS:
            scanner.fail(f"a path of more than {MAX_STEPS} names is too long", first.at)
    return names


def _indexes(scanner: Scanner) -> Iterator[Name]:
    at = scanner.at
    while scanner.text.startswith("[", at):
        index = scanner.match(INDEX)
        if index is None:
            scanner.unexpected("the position of an item, such as [0]")
        yield Name(str(int(index[1])), at)
        at = scanner.at


def follow(part: str, names: list[Name], type_: EntityType) -> Followed:
    """Follow names from an entity type.

    Raises:
        InvalidInput: A name is unknown, or nothing can come behind it; says what is known.
    """
    path: list[str] = []
    many = ends_many = False
    for position, name in enumerate(names):
        link = type_.link(name.text)
        if link is not None:
            path.append(link.name)
            type_ = TYPES[link.target]
            ends_many = link.many
            many = many or link.many
            continue
        rest = tuple(one.text for one in names[position + 1 :])
        found = ID if name.text in _IDS else name.text
        if found != ID and found not in type_.properties:
            raise _unknown(part, name, type_)
        if rest and found not in type_.json:
            msg = f"{found!r} of {type_.name} has no members; nothing can come behind it"
            raise invalid(part, names[position + 1].at, msg)
        path += (found, *rest)
        return Followed(tuple(path), type_, found, many, ends_many, not rest)
    return Followed(tuple(path), type_, "", many, ends_many)


def _unknown(part: str, name: Name, type_: EntityType) -> Exception:
    links = [link.name for link in type_.links]
    known = ["id", *type_.properties, *links]
    hint = did_you_mean(name.text, known)
    return invalid(
        part,
        name.at,
        f"{type_.name} has no {shown(name.text)}; it has {', '.join(known)}{hint}",
    )
