"""What one session subscribes to, and how many of its filters one topic can match at most."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from penstock.door.topics import split_share

if TYPE_CHECKING:
    from penstock.door.subscriptions import Subscription


class Filters(dict[str, "Subscription"]):
    """A session's subscriptions by their filters; change it with `put` and `drop` only.

    Filters have one *form* when their wildcards stand at the same levels: `plant/+/heat` and
    `hall/+/on`. A topic matches at most one filter of a form, since the other levels are its own,
    so the number of forms bounds what a message costs for this session. Every share name is a form
    of its own: each gets a copy of the message.
    """

    def __init__(self) -> None:
        super().__init__()
        self._forms: Counter[str] = Counter()

    def put(self, name: str, subscription: Subscription) -> None:
        """Subscribe, in the place of what was asked for with this filter before."""
        if name not in self:
            self._forms[form_of(name)] += 1
        self[name] = subscription

    def drop(self, name: str) -> bool:
        """Take a subscription back; return whether it was there."""
        if self.pop(name, None) is None:
            return False
        form = form_of(name)
        self._forms[form] -= 1
        if not self._forms[form]:
            del self._forms[form]
        return True

    def forms_with(self, name: str) -> int:
        """Return how many forms there are, with this filter."""
        return len(self._forms.keys() | {form_of(name)})


def form_of(name: str) -> str:
    """Return the form of a filter: where its wildcards are, and its share name."""
    share, plain = split_share(name)
    levels = plain.split("/")
    form = "/".join(level if level in ("+", "#") else "" for level in levels)
    # All filters without wildcards are one form: a topic matches one of them, itself.
    form = form if form.strip("/") else ""
    return form if share is None else f"$share/{share}/{form}"
