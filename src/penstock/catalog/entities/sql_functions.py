"""Functions that conditions need and SQLite lacks, registered on each connection.

They never raise: what cannot be computed is null.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from penstock.catalog.entities import geometry


def register(connection: Any) -> None:
    """Make the functions known to a connection of `sqlite3`."""
    for name, (arguments, function) in FUNCTIONS.items():
        connection.create_function(f"penstock_{name}", arguments, function, deterministic=True)


def _lower(text: object) -> str | None:
    return text.lower() if isinstance(text, str) else None


def _upper(text: object) -> str | None:
    return text.upper() if isinstance(text, str) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _on_number(function: Callable[[float], float]) -> Callable[[object], float | None]:
    def call(value: object) -> float | None:
        if isinstance(value, int):
            return value
        return function(value) if isinstance(value, float) and math.isfinite(value) else None

    return call


def _round(value: float) -> float:
    """Round half away from zero."""
    whole = math.floor(abs(value))
    return math.copysign(float(whole + (abs(value) - whole >= 0.5)), value)


def _divide(left: object, right: object) -> float | None:
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)) or right == 0:
        return None
    return _finite(left / right)


def _modulo(left: object, right: object) -> float | None:
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)) or right == 0:
        return None
    return None if math.isinf(left) else _finite(math.fmod(left, right))


FUNCTIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "lower": (1, _lower),
    "upper": (1, _upper),
    "round": (1, _on_number(_round)),
    "floor": (1, _on_number(lambda value: float(math.floor(value)))),
    "ceiling": (1, _on_number(lambda value: float(math.ceil(value)))),
    "divide": (2, _divide),
    "modulo": (2, _modulo),
    "relation": (3, geometry.relation),
    "relates": (3, geometry.relates),
    "distance": (2, geometry.distance),
    "length": (1, geometry.length),
}
