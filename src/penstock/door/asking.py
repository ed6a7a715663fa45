"""Messages on topics of the SensorThings API: asked by clients, told by the platform."""

from __future__ import annotations

from penstock.core.things_topics import is_things_topic
from penstock.door.auth import is_reserved
from penstock.door.permissions import client_of


def is_request(topic: str, publisher: str) -> bool:
    """Tell whether a message asks the platform to make something, and is for nobody else."""
    return is_things_topic(topic) and not is_reserved(client_of(publisher))


def is_notification(topic: str, publisher: str) -> bool:
    """Tell whether a message tells what was made: it is on disk already, and is not logged."""
    return is_reserved(client_of(publisher)) and is_things_topic(topic)
