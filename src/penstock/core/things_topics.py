"""MQTT topics of the SensorThings API: `v1.1/Datastreams(7)/Observations` (OGC 18-088 section 14).

What clients publish there asks for something to be made; what subscribers get there are entities,
and only the platform publishes those. So a request is never handed to subscribers as it came.
"""

from __future__ import annotations

from penstock.core.organisation import is_system_name

#: First level of the topics of the default system; those of others have `SYSTEM/` in front.
VERSION = "v1.1"
_FIRST = f"{VERSION}/"
_WITHIN = f"/{VERSION}/"
#: Topic on which the door tells the platform what somebody listens to; see `door.wanted`.
WANTED = "$SYS/penstock/wanted"


def is_things_topic(topic: str) -> bool:
    """Tell whether a topic, or a filter without share name, is one of the SensorThings API."""
    if topic.startswith(_FIRST):
        return True
    system, within, _ = topic.partition(_WITHIN)
    return bool(within) and is_system_name(system)


def split_things_topic(topic: str) -> tuple[str, str]:
    """Return the name of the system ("" for the default one) and the path within the API.

    Only for topics of the API.
    """
    if topic.startswith(_FIRST):
        return "", topic.removeprefix(_FIRST)
    system, _, path = topic.partition(_WITHIN)
    return system, path


def things_topic(system: str, path: str) -> str:
    """Return the topic of a path, for a system by its name; "" is the default one."""
    return f"{system}{_WITHIN}{path}" if system else f"{_FIRST}{path}"
