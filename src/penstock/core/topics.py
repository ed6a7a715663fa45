"""Topic filters compared with topics and with each other (OASIS MQTT 5.0, section 4.7).

Share names (`$share/NAME/`) are to be taken off before.
"""

from __future__ import annotations

from penstock.core.errors import InvalidInput


def matches(wanted: str, topic: str) -> bool:
    """Tell whether a filter matches a topic; `$` topics only by filters that spell the `$` out."""
    return not _hides(wanted, topic) and _matches(wanted.split("/"), topic.split("/"))


def overlaps(one: str, other: str) -> bool:
    """Tell whether there is a topic that both filters match."""
    if _hides(one, other) or _hides(other, one):
        return False
    return _overlaps(one.split("/"), other.split("/"))


def covers(wide: str, narrow: str) -> bool:
    """Tell whether every topic that `narrow` matches is matched by `wide` too."""
    return not _hides(wide, narrow) and _matches(wide.split("/"), narrow.split("/"))


def _hides(wanted: str, other: str) -> bool:
    """A wildcard at the beginning does not match what begins with `$` ([MQTT-4.7.2-1])."""
    return other.startswith("$") and wanted[:1] in ("+", "#")


def _matches(wanted: list[str], levels: list[str]) -> bool:
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(levels) or levels[at] == "#":
            return False
        if level not in ("+", levels[at]):
            return False
    return len(levels) == len(wanted)


def _overlaps(one: list[str], other: list[str]) -> bool:
    for mine, theirs in zip(one, other, strict=False):
        if "#" in (mine, theirs):
            return True
        if mine != theirs and "+" not in (mine, theirs):
            return False
    longer, length = max((one, other), key=len), min(len(one), len(other))
    if longer[length:] == ["#"]:
        # `/#` goes one level up too, to the empty topic, which is none.
        return longer != ["", "#"]
    return len(one) == len(other)


def check_filter(wanted: str) -> str:
    """Return a topic filter if it is well-formed (section 4.7.1).

    Raises:
        InvalidInput: It is not.
    """
    levels = wanted.split("/")
    is_wrong = any(
        ("#" in level and (level != "#" or at != len(levels) - 1))
        or ("+" in level and level != "+")
        for at, level in enumerate(levels)
    )
    if not wanted or is_wrong or "\0" in wanted or len(wanted.encode(errors="replace")) > 65_535:
        msg = (
            f"topic filter {wanted[:80]!r} is not allowed; '+' stands for one whole level, '#' for "
            "all that follow, as the last level"
        )
        raise InvalidInput(msg)
    return wanted
