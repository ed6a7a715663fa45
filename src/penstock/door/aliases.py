"""Topic aliases that the door gives to a client (section 3.3.2.3.4)."""

from __future__ import annotations


class GivenAliases:
    """Numbers that stand for topics on one connection.

    Args:
        maximum: How many the client takes; 0 for none.
    """

    __slots__ = ("_given", "_maximum")

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._given: dict[str, int] = {}

    def give(self, topic: str) -> tuple[str, int]:
        """Return the topic to write and the alias to give, 0 for none."""
        if not self._maximum:
            return topic, 0
        alias = self._given.get(topic)
        if alias is not None:
            return "", alias
        if len(self._given) >= self._maximum:
            return topic, 0
        self._given[topic] = alias = len(self._given) + 1
        return topic, alias

    def take_back(self, topic: str) -> None:
        """Take back a new alias: the packet that was to bring it to the client is not sent."""
        if self._given and self._given.get(topic) == len(self._given):
            del self._given[topic]


#: For clients that take none.
NO_ALIASES = GivenAliases(0)
