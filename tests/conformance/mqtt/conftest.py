"""A running door, and raw connections to it."""

from __future__ import annotations

from tests.door.conftest import call, clock, door, journal, meet, open_door

__all__ = ["call", "clock", "door", "journal", "meet", "open_door"]
