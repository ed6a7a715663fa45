"""The shape of a question: the question without the values in it.

Statements are built and compiled once for each shape and run with the values of the day. Literals
become `Slot`s, which say what kind of value stands there and where it is among the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec

from penstock.catalog.entities.geometry import check_text
from penstock.catalog.entities.reading_scope import id_array
from penstock.core.errors import InvalidInput
from penstock.core.expression import (
    Any,
    Apply,
    Duration,
    Expression,
    Literal,
    Members,
    Moment,
    Operator,
    Property,
    Shape,
    Span,
    Value,
)

#: What SQL databases keep in an integer.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


#: From how many choices on an `in` gives them as one parameter.
_LONG_LIST = 8


class _Choices(msgspec.Struct, frozen=True):
    """Values that something may be, all whole numbers or all texts."""

    values: tuple[int | str, ...]


class Slot(msgspec.Struct, frozen=True, tag="slot"):
    """A literal whose value is parameter `v<first>`; of a span also the one after."""

    kind: str
    first: int
    at: int


Node = Slot | Property | Apply | Any


class Values:
    """Takes the values out of expressions, in order."""

    def __init__(self) -> None:
        self.parameters: dict[str, object] = {}

    def take(self, expression: Expression) -> tuple[Hashable, Node]:
        """Return an expression's shape, and the expression with slots for literals."""
        if isinstance(expression, Literal):
            slot = self._slot(expression)
            return slot.kind, slot
        if isinstance(expression, Property):
            return expression.path, expression
        if isinstance(expression, Any):
            shape, inner = self.take(expression.condition)
            within = ("any", expression.path, expression.variable, shape)
            return within, msgspec.structs.replace(expression, condition=inner)
        expression = _gathered(expression)
        parts = [self.take(argument) for argument in expression.arguments]
        key = (expression.function, tuple([part[0] for part in parts]))
        nodes = tuple([part[1] for part in parts])
        return key, Apply(expression.function, nodes, expression.at)  # type: ignore[arg-type]

    def add(self, *values: object) -> int:
        """Add parameters and return the number of the first."""
        first = len(self.parameters)
        for at, value in enumerate(values, first):
            self.parameters[f"v{at}"] = value
        return first

    def _slot(self, literal: Literal) -> Slot:
        kind, values = _read(literal.value, literal.at)
        return Slot(kind, self.add(*values), literal.at)


def _read(value: Value, at: int) -> tuple[str, tuple[object, ...]]:
    """Return the kind of a literal and its values as the database takes them."""
    if value is None:
        return "null", ()
    return _KINDS[type(value)](value, at)


def _gathered(expression: Apply) -> Apply:
    """Return an `in` with a long list of whole numbers or texts as one literal.

    So that lists of any length have one shape, and none is beyond what a statement can hold.
    """
    if expression.function != Operator.IN or len(expression.arguments) <= _LONG_LIST:
        return expression
    tested, *choices = expression.arguments
    values = [one.value if isinstance(one, Literal) else None for one in choices]
    for type_ in (int, str):
        if all(type(value) is type_ for value in values):
            gathered = Literal(_Choices(tuple(values)), getattr(choices[0], "at", 0))  # type: ignore[arg-type]
            return Apply(expression.function, (tested, gathered), expression.at)
    return expression


def plain_value(value: Value) -> object:
    """Return a number, text, true or false as the database takes it.

    Raises:
        InvalidInput: It is a text that is not valid Unicode.
    """
    return _read(value, 0)[1][0]


def _number(value: float, _: int) -> tuple[str, tuple[object, ...]]:
    is_small = isinstance(value, float) or MIN_INTEGER <= value <= MAX_INTEGER
    return "number", (value if is_small else float(value),)


def _text(value: str, at: int) -> tuple[str, tuple[object, ...]]:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        msg = f"the text at position {at} is not valid Unicode"
        raise InvalidInput(msg) from error
    return "text", (value,)


def _choices(value: _Choices, at: int) -> tuple[str, tuple[object, ...]]:
    plain = [_read(one, at)[1][0] for one in value.values]
    kind = "texts" if isinstance(plain[0], str) else "members"
    return kind, (msgspec.json.encode(plain).decode(),)


def _shape(value: Shape, at: int) -> tuple[str, tuple[object, ...]]:
    check_text(value.wkt, at)
    return "geometry", (value.wkt,)


_KINDS: dict[type, Callable[..., tuple[str, tuple[object, ...]]]] = {
    bool: lambda value, _: ("truth", (value,)),
    int: _number,
    float: _number,
    str: _text,
    Moment: lambda value, _: ("time", (value.us,)),
    Span: lambda value, _: ("span", (value.start_us, value.end_us)),
    Duration: lambda value, _: ("duration", (value.us,)),
    Shape: _shape,
    _Choices: _choices,
    Members: lambda value, _: ("members", (id_array(value.ids),)),
}
