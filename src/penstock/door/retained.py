"""Retained messages: the last one of each topic that asked for it, found by filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from penstock.door.message import Message
from penstock.door.topics import is_own


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    message: Message | None = None


class Retained:
    """Keeps at most `max_count` messages of together at most `max_bytes` of payload.

    `noted` is told of every message that is kept, and with None of every one that is not any more.
    """

    def __init__(
        self,
        max_count: int,
        max_bytes: int,
        noted: Callable[[str, Message | None], None] = lambda _topic, _message: None,
    ) -> None:
        self._noted = noted
        self._root = _Node()
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._bytes = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def keep(self, message: Message) -> bool:
        """Keep it instead of the topic's former one; an empty payload only removes that.

        Returns whether there was room; without room the former one is removed all the same,
        so that nobody is told a value that has been replaced.
        """
        self.drop(message.topic)
        if not message.payload:
            return True
        if not self._has_room(message):
            return False
        node = self._root
        for level in message.topic.split("/"):
            node = node.children.setdefault(level, _Node())
        node.message = message
        self._noted(message.topic, message)
        self._add(message, 1)
        return True

    def _has_room(self, message: Message) -> bool:
        return is_own(message.topic) or (
            self._count < self._max_count and self._bytes + len(message.payload) <= self._max_bytes
        )

    def _add(self, message: Message, count: int) -> None:
        """Count a message; what the door itself has to say is neither counted nor bounded."""
        if not is_own(message.topic):
            self._count += count
            self._bytes += count * len(message.payload)

    def drop(self, topic: str) -> None:
        """Forget the message of this topic, if there is one."""
        path = [self._root]
        levels = topic.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        if path[-1].message is None:
            return
        self._add(path[-1].message, -1)
        path[-1].message = None
        self._noted(topic, None)
        for level, parent in zip(reversed(levels), reversed(path[:-1]), strict=True):
            child = parent.children[level]
            if child.children or child.message is not None:
                return
            del parent.children[level]

    def match(self, name: str, now_s: float) -> list[Message]:
        """Return the messages whose topics match the filter and that are not expired."""
        found = list(_walk(self._root, name.split("/"), 0))
        fresh = [message for message in found if not message.is_expired(now_s)]
        if len(fresh) < len(found):
            for message in found:
                if message.is_expired(now_s):
                    self.drop(message.topic)
        return fresh


def _walk(node: _Node, levels: list[str], depth: int) -> Iterator[Message]:
    if depth == len(levels):
        if node.message is not None:
            yield node.message
        return
    level = levels[depth]
    if level == "#":
        yield from _below(node, hide_dollar=depth == 0)
    elif level == "+":
        for name, child in node.children.items():
            if depth or not name.startswith("$"):
                yield from _walk(child, levels, depth + 1)
    elif level in node.children:
        yield from _walk(node.children[level], levels, depth + 1)


def _below(node: _Node, *, hide_dollar: bool) -> Iterator[Message]:
    if node.message is not None:
        yield node.message
    for name, child in node.children.items():
        if not (hide_dollar and name.startswith("$")):
            yield from _below(child, hide_dollar=False)
