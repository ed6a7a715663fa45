"""From the text of a `$filter` or a sort key to its tree (OGC 18-088 section 9.3.3.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from penstock.core.entity_types import TYPES, EntityType
from penstock.core.expression import COMPARISONS, Any, Apply, Expression, Literal, Property
from penstock.sensorthings.grammar.checking import Checking
from penstock.sensorthings.grammar.kinds import FUNCTIONS
from penstock.sensorthings.grammar.literals import read_literal
from penstock.sensorthings.grammar.mistakes import did_you_mean, shown
from penstock.sensorthings.grammar.names import ID, NAME, Name, follow, read_path
from penstock.sensorthings.grammar.scanner import Scanner

#: Parentheses, functions and `any` in each other, at most so deep.
MAX_NESTING = 40
#: At most so many operators and functions in one expression.
MAX_PARTS = 1000

#: How tight operators with two sides bind.
BINDING: Mapping[str, int] = {
    "or": 1,
    "and": 2,
    **{one.value: 4 for one in COMPARISONS},
    "in": 4,
    "add": 5,
    "sub": 5,
    "mul": 6,
    "div": 6,
    "mod": 6,
}
_NOT = 3
_COMPARISON = 4
_ADDITIVE = 5

_OPERATOR = re.compile(r"[A-Za-z]++(?![\w.@$])")
_NOT_WORD = re.compile(r"not(?![\w.@$/-])")
_MINUS = re.compile(r"-(?![0-9])")
_CALL = re.compile(r"[ ]?\(")
_ANY = re.compile(r"/any[ ]?\(")
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_VARIABLE = re.compile(r"[A-Za-z_][\w]*+")


def parse_expression(text: str, type_: str, part: str = "$filter") -> Expression:
    """Return the tree of a condition.

    Args:
        text: The condition, without percent-encoding.
        type_: Name of the type of entity that it speaks of.
        part: What it is called in messages.

    Raises:
        InvalidInput: It cannot be read, or does not fit the type; says where and what was expected.
    """
    scanner = Scanner(text, part)
    tree = read_condition(scanner, TYPES[type_])
    if not scanner.ended:
        scanner.unexpected("an operator (eq, and, or, ...) or the end" + _hint(scanner))
    return tree


def read_condition(scanner: Scanner, type_: EntityType) -> Expression:
    """Read a condition; stops before what cannot belong to it.

    Raises:
        InvalidInput: As `parse_expression` does.
    """
    tree = _Reader(scanner, type_).expression(1)
    Checking(scanner.part, type_).condition(tree)
    return tree


def read_sort_key(scanner: Scanner, type_: EntityType) -> Expression:
    """Read what to sort by; stops before what cannot belong to it.

    Raises:
        InvalidInput: As `parse_expression` does, or it has several values for one entity.
    """
    tree = _Reader(scanner, type_).expression(_ADDITIVE)
    Checking(scanner.part, type_).sort_key(tree)
    return tree


def _hint(scanner: Scanner) -> str:
    word = _OPERATOR.match(scanner.text, scanner.skip_blanks())
    return did_you_mean(word[0], BINDING) if word and word[0] not in BINDING else ""


class _Reader:
    """Reads one expression.

    Args:
        scanner: Where.
        type_: Type of the entity that paths begin at.
    """

    def __init__(self, scanner: Scanner, type_: EntityType) -> None:
        self._scanner = scanner
        self._type = type_
        self._variables: dict[str, EntityType] = {}
        self._depth = 0
        self._parts = 0

    def expression(self, least: int) -> Expression:
        """Read operands joined by operators that bind at least so tight."""
        left = self._operand(least)
        while (found := self._operator(least)) is not None:
            name, at = found
            binding = BINDING[name]
            if name == "in":
                left = self._apply(name, (left, *self._choices()), at)
            elif binding < _COMPARISON:
                left = self._chain(name, left, at)
            else:
                left = self._apply(name, (left, self.expression(binding + 1)), at)
            if binding == _COMPARISON and (again := self._operator(_COMPARISON, _COMPARISON)):
                self._scanner.fail(
                    f"comparisons cannot follow each other; put one in parentheses ({again[0]!r})",
                    again[1],
                )
        return left

    def _chain(self, name: str, first: Expression, at: int) -> Expression:
        sides = [first]
        while True:
            sides.append(self.expression(BINDING[name] + 1))
            self._count()
            if self._operator(BINDING[name], BINDING[name]) is None:
                return Apply(name, tuple(sides), at)

    def _operator(self, least: int, most: int = 9) -> tuple[str, int] | None:
        scanner = self._scanner
        at = scanner.skip_blanks()
        word = _OPERATOR.match(scanner.text, at)
        if word is None or not least <= BINDING.get(word[0], 0) <= most:
            return None
        scanner.match(_OPERATOR)
        return word[0], at

    def _operand(self, least: int) -> Expression:
        scanner = self._scanner
        at = scanner.skip_blanks()
        if least <= _NOT and scanner.match(_NOT_WORD):
            self._enter(at)
            inner = self.expression(_NOT)
            self._depth -= 1
            return self._apply("not", (inner,), at)
        if scanner.match(_MINUS):
            self._enter(at)
            inner = self._operand(9)
            self._depth -= 1
            return self._apply("neg", (inner,), at)
        if scanner.take("("):
            self._enter(at)
            inner = self.expression(1)
            scanner.expect(")", "or an operator" + _hint(scanner))
            self._depth -= 1
            return inner
        literal = read_literal(scanner)
        if literal is not None:
            return Literal(literal[0], at)
        return self._named(at)

    def _named(self, at: int) -> Expression:
        scanner = self._scanner
        name = scanner.match(NAME)
        if name is None:
            scanner.unexpected("a value, a property, a function or '('")
        if scanner.match(_CALL):
            return self._call(name[0], at)
        names = read_path(scanner, Name(name[0], at))
        if scanner.match(_ANY):
            return self._any(names, at)
        return self._property(names, at)

    def _property(self, names: list[Name], at: int) -> Property:
        scanner = self._scanner
        variable = self._variables.get(names[0].text)
        if variable is None:
            followed = follow(scanner.part, names, self._type)
            path = followed.path
        else:
            followed = follow(scanner.part, names[1:], variable)
            path = (names[0].text, *followed.path)
        if not followed.property:
            known = ", ".join(["id", *followed.type.properties])
            scanner.fail(
                f"{shown('/'.join(path))} is an entity and no value; "
                f"name one of its properties behind it: {known}",
                at,
            )
        return Property(path, at)

    def _call(self, name: str, at: int) -> Expression:
        scanner = self._scanner
        function = FUNCTIONS.get(name)
        if function is None:
            hint = did_you_mean(name, FUNCTIONS)
            known = "" if hint else f"; there are {', '.join(FUNCTIONS)}"
            scanner.fail(f"there is no function {shown(name)}{hint}{known}", at)
        self._enter(at)
        arguments: list[Expression] = []
        if not scanner.take(")"):
            arguments.append(self.expression(1))
            while scanner.take(","):
                arguments.append(self.expression(1))
            scanner.expect(")", "or ','" + _hint(scanner))
        self._depth -= 1
        most = len(function.takes)
        least = most - function.optional
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"{least} or {most}"
            scanner.fail(f"{name} takes {wanted} arguments, not {len(arguments)}", at)
        return self._apply(name, tuple(arguments), at)

    def _choices(self) -> tuple[Expression, ...]:
        scanner = self._scanner
        at = scanner.skip_blanks()
        if not scanner.take("("):
            name = scanner.match(NAME)
            if name is None:
                scanner.unexpected("'(' and values, or the path of a JSON array")
            return (self._property(read_path(scanner, Name(name[0], at)), at),)
        self._enter(at)
        choices = [self._choice()]
        while scanner.take(","):
            choices.append(self._choice())
        scanner.expect(")", "or ','" + _hint(scanner))
        self._depth -= 1
        return tuple(choices)

    def _choice(self) -> Expression:
        """Read a value of an `in`; plain ones quickly, since there can be thousands."""
        at = self._scanner.skip_blanks()
        value = read_literal(self._scanner)
        if value is not None and (self._scanner.peek(",") or self._scanner.peek(")")):
            return Literal(value[0], at)
        self._scanner.at = at
        return self.expression(_ADDITIVE)

    def _any(self, names: list[Name], at: int) -> Expression:
        scanner = self._scanner
        first = names[0].text
        own = first in self._variables
        start = self._variables.get(first, self._type)
        followed = follow(scanner.part, names[1:] if own else names, start)
        if followed.property or not followed.ends_many:
            scanner.fail("any(...) stands behind a set, such as Datastreams", at)
        scanner.skip_blanks()
        name_at = scanner.at
        variable = scanner.match(_VARIABLE)
        if variable is None:
            scanner.unexpected("the name of a variable, as in any(d: d/name eq 'x')")
        name = variable[0]
        if name in self._variables or self._is_taken(name):
            scanner.fail(f"the variable {name!r} has the name of something else", name_at)
        scanner.expect(":")
        self._enter(at)
        self._variables[name] = followed.type
        condition = self.expression(1)
        del self._variables[name]
        self._depth -= 1
        scanner.expect(")", "or an operator" + _hint(scanner))
        self._count()
        path = (first, *followed.path) if own else followed.path
        return Any(path, name, condition, at)

    def _is_taken(self, name: str) -> bool:
        return name == "id" or name in self._type.properties or self._type.link(name) is not None

    def _apply(self, name: str, arguments: tuple[Expression, ...], at: int) -> Apply:
        self._count()
        if BINDING.get(name) == _COMPARISON and any(map(_is_id, arguments)):
            arguments = tuple(_as_id(one) for one in arguments)
        return Apply(name, arguments, at)

    def _enter(self, at: int) -> None:
        self._depth += 1
        if self._depth > MAX_NESTING:
            self._scanner.fail(f"nested deeper than {MAX_NESTING}; write it flatter", at)

    def _count(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            self._scanner.fail(f"more than {MAX_PARTS} operators and functions are too many")


def _is_id(tree: Expression) -> bool:
    return isinstance(tree, Property) and tree.path[-1] == ID


def _as_id(tree: Expression) -> Expression:
    """Return a quoted whole number as the number: where ids are compared both are the same."""
    if isinstance(tree, Literal) and isinstance(tree.value, str) and _WHOLE.fullmatch(tree.value):
        return Literal(int(tree.value), tree.at)
    return tree
