"""Answers with secrets in them, remembered for those who must ask again at once."""

from __future__ import annotations

from collections import OrderedDict

from penstock.core.clock import Clock

#: How long a secret is remembered, in seconds, and how many are.
SECRET_S, MAX_SECRETS = 600.0, 1000


class Secrets:
    """Answers with secrets in them, remembered for a few minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def keep(self, digest: str, body: bytes) -> None:
        """Remember an answer."""
        self._held[digest] = (self._clock.monotonic_s(), body)
        while len(self._held) > MAX_SECRETS:
            self._held.popitem(last=False)

    def get(self, digest: str) -> bytes | None:
        """Return an answer that is still remembered."""
        since_s, body = self._held.get(digest, (0.0, b""))
        if not body or self._clock.monotonic_s() - since_s > SECRET_S:
            self._held.pop(digest, None)
            return None
        return body
