"""The door's figures under `$SYS/broker/`, by the names that users of Mosquitto know.

They are retained messages at QoS 0, are never written to the log, and end with the door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import penstock
from penstock.core.clock import Clock
from penstock.door.message import Message
from penstock.door.packets import Publish
from penstock.door.presence import DOOR
from penstock.door.stats import Stats
from penstock.door.topics import OWN

#: Topics of the figures begin with this.
BROKER = f"{OWN}/broker"


class Counters:
    """Publishes the figures that changed, every `interval_s`.

    Args:
        interval_s: Time between two times; 0 for never.
        clock: Tells the time.
        stats: Most of the figures.
        subscriptions: Returns how many subscriptions there are, and how many of them are shared.
        publish: Takes the messages.
    """

    def __init__(
        self,
        interval_s: float,
        clock: Clock,
        stats: Stats,
        subscriptions: Callable[[], tuple[int, int]],
        publish: Callable[[Message], None],
    ) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._stats = stats
        self._subscriptions = subscriptions
        self._publish = publish
        self._started_s = self._next_s = clock.monotonic_s()
        self._told: dict[str, str] = {}
        self._most_connected = 0

    def tick(self) -> None:
        """Publish if it is time; called at the start and every second."""
        self._most_connected = max(self._most_connected, self._stats.connections)
        now_s = self._clock.monotonic_s()
        if not self._interval_s or now_s < self._next_s:
            return
        self._next_s = now_s + self._interval_s
        for name, value in self.figures().items():
            if self._told.get(name) != value:
                self._told[name] = value
                source = Publish(f"{BROKER}/{name}", value.encode(), retain=True)
                self._publish(Message(source, DOOR, now_s))

    def figures(self) -> Mapping[str, str]:
        """Return all figures as they are now, by topic below `$SYS/broker/`."""
        stats = self._stats
        subscriptions, shared = self._subscriptions()
        connected = stats.connections
        total = max(stats.sessions, connected)
        numbers = {
            "clients/connected": connected,
            "clients/disconnected": total - connected,
            "clients/maximum": self._most_connected,
            "clients/total": total,
            "messages/received": stats.messages,
            "messages/sent": stats.delivered,
            "publish/messages/received": stats.messages,
            "publish/messages/sent": stats.delivered,
            "publish/messages/dropped": stats.subscriber_dropped,
            "publish/bytes/received": stats.bytes,
            "bytes/received": stats.received_bytes,
            "bytes/sent": stats.sent_bytes,
            "subscriptions/count": subscriptions,
            "shared_subscriptions/count": shared,
            "retained messages/count": stats.retained,
        }
        uptime_s = int(self._clock.monotonic_s() - self._started_s)
        return {
            "version": f"penstock {penstock.__version__}",
            "uptime": f"{uptime_s} seconds",
            **{name: str(value) for name, value in numbers.items()},
        }
