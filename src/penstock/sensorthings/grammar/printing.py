"""From trees back to text: what is printed reads as the same tree."""

from __future__ import annotations

from penstock.core.expression import (
    Any,
    Apply,
    Duration,
    Expression,
    Literal,
    Members,
    Moment,
    Property,
    Shape,
    Span,
    Value,
)
from penstock.sensorthings.grammar.expressions import BINDING
from penstock.sensorthings.grammar.literals import duration_text, moment_text
from penstock.sensorthings.grammar.names import MEMBER
from penstock.sensorthings.grammar.options import Expand, Metadata, Options, ResultFormat

_NOT, _COMPARISON, _ADDITIVE, _TIGHTEST = 3, 4, 5, 9


def print_expression(tree: Expression) -> str:
    """Return the text of a tree, without percent-encoding.

    Raises:
        ValueError: It holds `Members`, which have no text.
    """
    return _print(tree, 0)


def print_options(options: Options, separator: str = "&") -> str:
    """Return the text of options, without percent-encoding; within an `$expand` parted by `;`."""
    parts = [f"{name}={value}" for name, value in options.custom]
    if options.top is not None:
        parts.append(f"$top={options.top}")
    if options.skip:
        parts.append(f"$skip={options.skip}")
    if options.count is not None:
        parts.append(f"$count={str(options.count).lower()}")
    if options.select is not None:
        names = ",".join(_path(path) for path in options.select)
        parts.append(f"$select={'distinct:' if options.distinct else ''}{names}")
    if options.where is not None:
        parts.append(f"$filter={print_expression(options.where)}")
    if options.order:
        keys = (
            f"{_print(one.by, _ADDITIVE)}{' desc' if one.descending else ' asc'}"
            for one in options.order
        )
        parts.append(f"$orderby={','.join(keys)}")
    if options.expand:
        parts.append(f"$expand={','.join(_expand(one) for one in options.expand)}")
    if options.format is not ResultFormat.JSON:
        parts.append(f"$resultFormat={options.format}")
    if options.metadata is not Metadata.FULL:
        parts.append(f"$resultMetadata={options.metadata}")
    if options.skip_token is not None:
        parts.append(f"$skiptoken={options.skip_token}")
    if options.id is not None:
        parts.append(f"$id={options.id}")
    return separator.join(parts)


def _expand(expand: Expand) -> str:
    inside = print_options(expand.options, ";")
    return f"{expand.link}({inside})" if inside else expand.link


def _print(tree: Expression, least: int) -> str:
    if isinstance(tree, Literal):
        return print_value(tree.value)
    if isinstance(tree, Property):
        return _path(tree.path)
    if isinstance(tree, Any):
        return f"{_path(tree.path)}/any({tree.variable}: {_print(tree.condition, 0)})"
    text, binding = _applied(tree)
    return f"({text})" if binding < least else text


def _applied(tree: Apply) -> tuple[str, int]:
    name, arguments = tree.function, tree.arguments
    if name == "not":
        return f"not {_print(arguments[0], _NOT)}", _NOT
    if name == "neg":
        return f"-({_print(arguments[0], 0)})", _TIGHTEST
    binding = BINDING.get(name)
    if binding is None:
        return f"{name}({','.join(_print(one, 0) for one in arguments)})", _TIGHTEST
    if name == "in":
        left = _print(arguments[0], _ADDITIVE)
        if len(arguments) == 2 and isinstance(arguments[1], Property):
            return f"{left} in {_path(arguments[1].path)}", binding
        return f"{left} in ({','.join(_print(one, _ADDITIVE) for one in arguments[1:])})", binding
    if binding < _COMPARISON:
        return f" {name} ".join(_print(one, binding + 1) for one in arguments), binding
    left = _print(arguments[0], binding + (binding == _COMPARISON))
    return f"{left} {name} {_print(arguments[1], binding + 1)}", binding


def _path(path: tuple[str, ...]) -> str:
    return "/".join(
        name if MEMBER.fullmatch(name) else "'" + name.replace("'", "''") + "'" for name in path
    )


def print_value(value: Value) -> str:
    """Return the text of a value.

    Raises:
        ValueError: It is `Members`.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, Moment):
        return moment_text(value.us)
    if isinstance(value, Span):
        return f"{moment_text(value.start_us)}/{moment_text(value.end_us)}"
    if isinstance(value, Duration):
        return f"duration'{duration_text(value.us)}'"
    if isinstance(value, Shape):
        return f"geography'{value.wkt}'"
    assert isinstance(value, Members)
    msg = "a set of ids found out elsewhere has no text"
    raise ValueError(msg)
