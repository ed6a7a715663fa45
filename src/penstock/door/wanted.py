"""What of the SensorThings API somebody listens to, told to the platform, which makes only that.

The platform subscribes to `core.things_topics.WANTED`, and gets all filters at once and then every
change: `{"all": ["v1.1/Observations"]}`, `{"add": [...]}`, `{"remove": [...]}`. Filters with
wildcards are not told: who has them gets what is made for others.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from penstock.core.clock import Clock
from penstock.core.things_topics import WANTED, is_things_topic
from penstock.door.message import Message
from penstock.door.packets import Publish
from penstock.door.presence import DOOR


class Wanted:
    """Knows the filters of the SensorThings API that sessions have.

    Args:
        publish: Passes a message on.
        clock: Tells the time.
    """

    def __init__(self, publish: Callable[[Message], None], clock: Clock) -> None:
        self._publish = publish
        self._clock = clock
        self._filters: dict[str, None] = {}
        self._told = False

    def changed(self, name: str, *, listened: bool) -> None:
        """Take note that somebody, or nobody any more, listens to a filter."""
        if "+" in name or "#" in name or not is_things_topic(name):
            return
        if listened:
            self._filters[name] = None
        else:
            self._filters.pop(name, None)
        if self._told:
            self._tell({"add" if listened else "remove": [name]})

    def subscribed(self, name: str) -> None:
        """Tell everything to who begins to listen, if that is what the platform subscribed to."""
        if name == WANTED:
            self._told = True
            self._tell({"all": list(self._filters)})

    def _tell(self, what: dict[str, list[str]]) -> None:
        payload = msgspec.json.encode(what)
        self._publish(Message(Publish(WANTED, payload, 1), DOOR, self._clock.monotonic_s()))
