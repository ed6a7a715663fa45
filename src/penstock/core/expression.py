"""Conditions and sort keys over entities and observations, as trees: the one form they travel in.

What a `$filter` or `$orderby` says is parsed once into these nodes (OGC 18-088 section 9.3.3.5);
the catalog turns them into SQL, the observations' side into columns.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Operator(StrEnum):
    """Operators, by their OData word (OGC 18-088 table 23)."""

    OR = "or"
    AND = "and"
    NOT = "not"
    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"
    IN = "in"
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    MOD = "mod"
    NEGATE = "neg"


COMPARISONS = frozenset(
    {Operator.EQ, Operator.NE, Operator.GT, Operator.GE, Operator.LT, Operator.LE}
)


class Moment(msgspec.Struct, frozen=True, tag="moment"):
    """A point in time, microseconds UTC."""

    us: int


class Span(msgspec.Struct, frozen=True, tag="span"):
    """An interval of time, microseconds UTC; the end is not part of it. `end_us` >= `start_us`."""

    start_us: int
    end_us: int


class Duration(msgspec.Struct, frozen=True, tag="duration"):
    """A length of time, microseconds; negative ones go back. Years and months have none."""

    us: int


class Shape(msgspec.Struct, frozen=True, tag="shape"):
    """A geometry as well-known text; longitude before latitude, WGS 84."""

    wkt: str


class Members(msgspec.Struct, frozen=True, tag="members"):
    """A set of ids, found out elsewhere; the right side of an `in`."""

    ids: frozenset[int]


Value = None | bool | int | float | str | Moment | Span | Duration | Shape | Members


class Literal(msgspec.Struct, frozen=True, tag="literal"):
    """A value. `at` is where it stands in the text, counted in characters from 0."""

    value: Value
    at: int = 0


class Property(msgspec.Struct, frozen=True, tag="property"):
    """A path from the entity: navigation, then a property, then members of its JSON.

    `("Datastreams", "Thing", "properties", "site", "name")`. The id is written `@iot.id`. Items of
    JSON arrays are numbers, as text. Through a navigation to many, a comparison holds when it
    holds for any of them.
    """

    path: tuple[str, ...]
    at: int = 0


class Apply(msgspec.Struct, frozen=True, tag="apply"):
    """An operator, or a function by its lower-case name, applied to arguments.

    `in` has the tested value first and then every value it may be, or one `Members`.
    """

    function: str
    arguments: tuple[Expression, ...]
    at: int = 0


class Any(msgspec.Struct, frozen=True, tag="any"):
    """`path/any(variable: condition)`; inside, paths that begin with the variable are of the item.

    The variable is the first segment of such a `Property.path`.
    """

    path: tuple[str, ...]
    variable: str
    condition: Expression
    at: int = 0


Expression = Literal | Property | Apply | Any


class Order(msgspec.Struct, frozen=True):
    """A sort key. Nulls come first when ascending and last when descending."""

    by: Expression
    descending: bool = False
