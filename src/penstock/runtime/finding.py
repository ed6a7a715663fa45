"""What `penstock doctor` finds."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at.

    Attributes:
        what: Its name.
        level: Whether it is well.
        found: What was found.
        do: The next step, when there is one.
    """

    what: str
    level: Level
    found: str
    do: str = ""
