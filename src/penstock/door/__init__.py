"""The MQTT front door: takes messages, and acknowledges them once they are on disk."""

from penstock.door.door import Door
from penstock.door.settings import DoorSettings, User

__all__ = ["Door", "DoorSettings", "User"]
