"""What people are told: messages from templates."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from penstock.core.errors import InvalidInput

_PLACE = re.compile(r"\{([^{}]*)\}")
#: Longest message, in characters.
MAX_MESSAGE = 2000


def check_template(template: str, columns: Collection[str]) -> None:
    """Refuse a template that names columns that are not there.

    Raises:
        InvalidInput: One of them, and which there are.
    """
    known = {"rule", "severity", "subject", *columns}
    for name in _PLACE.findall(template):
        if name not in known:
            msg = f"message: there is no column {name!r}; allowed are {', '.join(sorted(known))}"
            raise InvalidInput(msg)


def render(template: str, values: Mapping[str, Any], **more: str) -> str:
    """Return a message with values in their places; what has no value stays empty."""
    known = {**values, **more}
    made = _PLACE.sub(lambda place: _text(known.get(place[1])), template)
    return made[:MAX_MESSAGE]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
