"""Whose a topic is: its system, by the names and the claims of the organisation."""

from __future__ import annotations

from penstock.core.organisation import DEFAULT_SYSTEM, TOPIC_KINDS, Organisation, is_system_name
from penstock.core.topics import matches, overlaps


class TopicOwners:
    """Knows which system owns a topic. Never changes; quick.

    Args:
        organisation: The systems, and whether there are accounts.
    """

    def __init__(self, organisation: Organisation) -> None:
        self._has_accounts = organisation.accounts
        self._systems = {system.id: system for system in organisation.systems}
        self._names = {system.name: system.id for system in organisation.systems}
        self._claims = [
            (claim, system.id) for system in organisation.systems for claim in system.topics
        ]

    def system_of(self, topic: str) -> int:
        """Return the system that owns a topic; the default one where no other does."""
        system = self._names.get(_first(topic))
        if system is not None and system != DEFAULT_SYSTEM:
            return system
        for claim, owner in self._claims:
            if matches(claim, topic):
                return owner
        return DEFAULT_SYSTEM

    def is_reserved(self, topic: str) -> bool:
        """Tell whether a topic begins with the name of a system that is not there (any more).

        It is nobody's, so that neither what a removed system left nor what a coming one will own
        falls to the default system. The default system may claim such topics as its own.
        """
        first = _first(topic)
        if not self._has_accounts or not is_system_name(first):
            return False
        return first not in self._names and not any(matches(one, topic) for one, _ in self._claims)

    def meets(self, wanted: str, systems: frozenset[int]) -> bool:
        """Tell whether a filter could match a topic of one of these systems."""
        if DEFAULT_SYSTEM in systems:
            return True
        return any(
            overlaps(wanted, own)
            for id_ in systems
            if (system := self._systems.get(id_)) is not None
            for own in (
                *system.topics,
                f"{system.name}/#",
                *(f"{system.name}{kind}/#" for kind in TOPIC_KINDS),
            )
        )


def _first(topic: str) -> str:
    """Return the first level of a topic, without the ending of a system's own topics."""
    first = topic.partition("/")[0]
    return first[: -len(TOPIC_KINDS[0])] if first.endswith(TOPIC_KINDS) else first
