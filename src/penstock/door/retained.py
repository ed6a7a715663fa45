"""Retained messages: the last one of each topic that asked for it, found by filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from penstock.door.message import Message
from penstock.door.quotas import Allowance
from penstock.door.topics import is_own


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    message: Message | None = None
    payer: Allowance | None = None


class Retained:
    """Keeps as many messages, and of as much payload, as an allowance has room for.

    `noted` is told of every message that is kept, and with None of every one that is not any more.
    """

    def __init__(
        self,
        whole: Allowance,
        noted: Callable[[str, Message | None], None] = lambda _topic, _message: None,
    ) -> None:
        self._noted = noted
        self._root = _Node()
        self._whole = whole

    def __len__(self) -> int:
        return self._whole.retained.used

    def keep(self, message: Message, payer: Allowance | None = None) -> bool:
        """Keep it instead of the topic's former one; an empty payload only removes that.

        `payer` is part of the whole, which pays if nobody else does.

        Returns whether there was room; without room the former one is removed all the same,
        so that nobody is told a value that has been replaced.
        """
        self.drop(message.topic)
        if not message.payload:
            return True
        payer = payer or self._whole
        # What the door itself has to say is neither counted nor bounded.
        if not is_own(message.topic) and not _has_room(payer, message):
            return False
        self._put(message, payer)
        self._noted(message.topic, message)
        return True

    def restore(self, message: Message, payer: Allowance) -> bool:
        """Keep what was kept before, whatever the payer's share has become; False if it is full."""
        if not _has_room(self._whole, message):
            return False
        self._put(message, payer)
        return True

    def _put(self, message: Message, payer: Allowance) -> None:
        node = self._root
        for level in message.topic.split("/"):
            node = node.children.setdefault(level, _Node())
        node.message = message
        if not is_own(message.topic):
            node.payer = payer
            payer.retained.take()
            payer.retained_bytes.take(len(message.payload))

    def drop(self, topic: str) -> None:
        """Forget the message of this topic, if there is one."""
        path = [self._root]
        levels = topic.split("/")
        for level in levels:
            child = path[-1].children.get(level)
            if child is None:
                return
            path.append(child)
        node = path[-1]
        if node.message is None:
            return
        if node.payer is not None:
            node.payer.retained.take(-1)
            node.payer.retained_bytes.take(-len(node.message.payload))
        node.message = node.payer = None
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


def _has_room(payer: Allowance, message: Message) -> bool:
    return payer.retained.has_room() and payer.retained_bytes.has_room(len(message.payload))


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
