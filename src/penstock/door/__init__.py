"""The MQTT front door: takes messages, and acknowledges them once they are on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.core.lazy import lazily
from penstock.door.settings import DoorSettings, User

if TYPE_CHECKING:
    from penstock.door.door import Door

__all__ = ["Door", "DoorSettings", "User"]

__getattr__ = lazily(__name__, {"Door": "penstock.door.door"})
