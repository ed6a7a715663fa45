"""Topic names and topic filters (section 4.7): which are allowed."""

from __future__ import annotations

from penstock.door.reasons import ProtocolViolation, Reason

#: Topics that the door alone publishes to begin with this level.
OWN = "$SYS"
#: Topics by which the door tells the rest of the platform what happens.
PLATFORM = f"{OWN}/penstock"
#: Most levels a topic name or filter may have; matching costs time per level.
MAX_LEVELS = 128


def check_topic(topic: str) -> None:
    """Check a name that someone publishes to.

    Raises:
        ProtocolViolation: It is empty, has a wildcard or too many levels.
    """
    if not topic or "+" in topic or "#" in topic:
        raise ProtocolViolation(
            Reason.TOPIC_NAME_INVALID,
            f"topic {topic[:80]!r} cannot be published to; it must not be empty nor hold "
            "the wildcards '+' and '#'",
        )
    _check_levels(topic, Reason.TOPIC_NAME_INVALID)


def check_filter(name: str) -> None:
    """Check a filter that someone subscribes to.

    Raises:
        ProtocolViolation: It is empty, a wildcard is not alone in its level, `#` is not last,
            or a share name is missing.
    """
    share, plain = split_share(name)
    levels = plain.split("/")
    fits = all(level in ("+", "#") or not {"+", "#"} & set(level) for level in levels)
    named = share is None or (share and not {"+", "#"} & set(share))
    if not plain or not named or not fits or "#" in levels[:-1]:
        raise ProtocolViolation(
            Reason.TOPIC_FILTER_INVALID,
            f"topic filter {name[:80]!r} is not allowed; '+' and '#' must stand alone in a "
            "level, '#' in the last one, and a shared filter is '$share/NAME/FILTER'",
        )
    _check_levels(plain, Reason.TOPIC_FILTER_INVALID)


def is_own(topic: str) -> bool:
    """Say whether only the door itself publishes to this topic."""
    return topic.startswith(OWN) and topic[len(OWN) : len(OWN) + 1] in ("", "/")


def split_share(name: str) -> tuple[str | None, str]:
    """Return the share name, or None, and the filter proper."""
    if not name.startswith("$share/"):
        return None, name
    share, _, plain = name[len("$share/") :].partition("/")
    return share, plain


def _check_levels(name: str, reason: Reason) -> None:
    if name.count("/") >= MAX_LEVELS:
        raise ProtocolViolation(reason, f"topic {name[:80]!r}... has more than {MAX_LEVELS} levels")
