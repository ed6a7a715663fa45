"""From the path of a request to the resource it names (OGC 18-088 section 9.2)."""

from __future__ import annotations

import re
from typing import NoReturn

from penstock.core.entity_types import SETS, TYPES, EntityType
from penstock.core.errors import NotFound
from penstock.sensorthings.grammar.mistakes import did_you_mean, shown
from penstock.sensorthings.grammar.names import ID, INDEX, TEXT
from penstock.sensorthings.grammar.resource import Ending, ResourcePath, Segment
from penstock.sensorthings.grammar.scanner import Scanner

#: At most so many steps.
MAX_STEPS = 50

ACTIONS = ("CreateObservations", "$batch")

_NAME = re.compile(r"[\w.@$-]++")
_MEMBER = re.compile(r"[^/\[\]']++")
_WHOLE = re.compile(r"(?:0|-?[1-9][0-9]{0,39})(?![\w.])")
_ENDINGS = {one.value: one for one in Ending if one is not Ending.ENTITY}
_SELF_LINK = "@iot.selfLink"


def parse_path(path: str) -> ResourcePath:
    """Return what a path leads to.

    Args:
        path: What stands behind the version, `/Things(1)/name`, without percent-encoding.

    Raises:
        InvalidInput: It cannot be read; says where and what was expected.
        NotFound: It can, and there is nothing of that name.
    """
    scanner = Scanner(path, "path")
    scanner.take("/")
    if scanner.ended:
        return ResourcePath()
    for action in ACTIONS:
        if path.strip("/") == action:
            return ResourcePath(action=action)
    return _Steps(scanner).read()


class _Steps:
    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._segments: list[Segment] = []
        self._type: EntityType | None = None

    def read(self) -> ResourcePath:
        scanner = self._scanner
        while True:
            at = scanner.at
            name = scanner.match(_NAME)
            if name is None:
                scanner.unexpected("the name of a set, such as Things")
            if self._segments and name[0] in _ENDINGS:
                return self._ended((), name[0], at)
            if self._is_property(name[0], at):
                return self._property(ID if name[0] == "id" else name[0])
            self._segments.append(self._segment(name[0], at))
            if len(self._segments) > MAX_STEPS:
                scanner.fail(f"more than {MAX_STEPS} steps are too many")
            if not self._goes_on():
                return ResourcePath(tuple(self._segments))

    def _goes_on(self) -> bool:
        """Go behind the slash; False at the end, where one slash too many does no harm."""
        scanner = self._scanner
        if scanner.ended:
            return False
        scanner.expect("/", "or the end")
        return not scanner.ended

    def _is_property(self, name: str, at: int) -> bool:
        if self._type is None:
            return False
        last = self._segments[-1]
        known = [one.name for one in self._type.links]
        if last.is_set:
            self._missing(
                f"{last.name} is a set, and {shown(name)} belongs to one of them; "
                f"name it, as in {last.name}(1)/{name[:40]}",
                at,
            )
        if name in {"id", ID, _SELF_LINK} or name in self._type.properties:
            return True
        if name not in known:
            known += ["id", *self._type.properties]
            hint = did_you_mean(name, known)
            self._missing(
                f"{self._type.name} has no {shown(name)}; it has {', '.join(known)}{hint}", at
            )
        return False

    def _segment(self, name: str, at: int) -> Segment:
        if self._type is None:
            found = SETS.get(name)
            if found is None:
                known = [*SETS, *ACTIONS]
                hint = did_you_mean(name, known)
                self._missing(
                    f"there is no set {shown(name)}; there are {', '.join(known)}{hint}", at
                )
            self._type, many = found, True
        else:
            link = self._type.link(name)
            assert link is not None
            self._type, many = TYPES[link.target], link.many
        return Segment(name, self._type.name, many, self._id(name, many=many))

    def _id(self, name: str, *, many: bool) -> int | str | None:
        scanner = self._scanner
        at = scanner.at
        if not scanner.take("("):
            return None
        if not many:
            self._missing(f"{name} leads to one entity; it takes no id", at)
        scanner.skip_blanks()
        id_: int | str
        if number := scanner.match(_WHOLE):
            id_ = int(number[0])
        elif text := scanner.match(TEXT):
            id_ = text[1].replace("''", "'")
        else:
            scanner.unexpected("an id: a whole number, or a text in '...'")
        scanner.expect(")")
        return id_

    def _property(self, name: str) -> ResourcePath:
        scanner = self._scanner
        assert self._type is not None
        names = [name]
        while not scanner.ended:
            at = scanner.at
            if scanner.peek("["):
                index = scanner.match(INDEX)
                if index is None:
                    scanner.unexpected("the position of an item, such as [0]")
                names.append(str(int(index[1])))
            else:
                scanner.expect("/", "or the end")
                if scanner.ended:
                    break
                at = scanner.at
                ending = scanner.match(_NAME)
                if ending and ending[0] in _ENDINGS:
                    return self._ended(tuple(names), ending[0], at)
                scanner.at = at
                names.append(self._member())
            if name not in self._type.json:
                self._missing(f"{name!r} of {self._type.name} has no members", at)
            if len(names) > MAX_STEPS:
                scanner.fail(f"more than {MAX_STEPS} steps are too many")
        return ResourcePath(tuple(self._segments), tuple(names))

    def _member(self) -> str:
        scanner = self._scanner
        if quoted := scanner.match(TEXT):
            return quoted[1].replace("''", "'")
        member = scanner.match(_MEMBER)
        if member is None:
            scanner.unexpected("the name of a member")
        return member[0]

    def _ended(self, properties: tuple[str, ...], word: str, at: int) -> ResourcePath:
        ending = _ENDINGS[word]
        if not self._scanner.ended:
            self._scanner.unexpected(f"the end: nothing comes behind {word}")
        last = self._segments[-1]
        fits = {
            Ending.VALUE: bool(properties),
            Ending.REF: not properties,
            Ending.COUNT: not properties and last.is_set,
        }
        if not fits[ending]:
            behind = {
                Ending.VALUE: "a property",
                Ending.REF: "a set or an entity",
                Ending.COUNT: "a set",
            }
            self._missing(f"{word} stands behind {behind[ending]}", at)
        return ResourcePath(tuple(self._segments), properties, ending)

    def _missing(self, problem: str, at: int) -> NoReturn:
        raise NotFound(f"path, position {at}: {problem}")
