"""Who may do what with alarms, and in which system something new belongs."""

from __future__ import annotations

import re
from collections.abc import Callable

from penstock.core.access import Access, Action, Resource
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.organisation import DEFAULT_SYSTEM
from penstock.core.people import Actor

_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}")


class Permits:
    """Decides by the organisation as it is now.

    Args:
        access: Gives it.
    """

    def __init__(self, access: Callable[[], Access]) -> None:
        self._access = access

    def sees(self, by: Actor, system: int) -> bool:
        """Tell whether somebody may see alarms of a system."""
        return self._access().allows(by.who, Action.READ, Resource("system", system))

    def manages(self, by: Actor, system: int) -> bool:
        """Tell whether somebody may change what belongs to a system."""
        return self._access().allows(by.who, Action.MANAGE, Resource("system", system))

    def require(self, by: Actor, action: Action, system: int, what: str) -> None:
        """Do nothing if it is allowed.

        Raises:
            NotFound: They may not even see it.
            Forbidden: They may not do this.
        """
        if not self.sees(by, system):
            msg = f"there is no {what}"
            raise NotFound(msg)
        self._access().require(by.who, action, Resource("system", system))

    def name(self, by: Actor) -> str:
        """Return how somebody is called in histories."""
        access = self._access()
        return access.name(by.who) if access.organisation.accounts else ""

    def system_for(self, by: Actor, name: str) -> int:
        """Return the system of this name, or one's own, for something new.

        Raises:
            NotFound: There is none that they may see.
            Forbidden: They may not make anything there.
        """
        access = self._access()
        if name:
            found = [one.id for one in access.organisation.systems if one.name == name]
            if not found or not self.sees(by, found[0]):
                msg = f"there is no system {name[:100]!r}"
                raise NotFound(msg)
            system = found[0]
        else:
            own = sorted(access.scope(by.who).systems)
            system = own[0] if len(own) == 1 else DEFAULT_SYSTEM
        access.require(by.who, Action.MANAGE, Resource("system", system))
        return system

    def system_name(self, system: int) -> str:
        """Return the name of a system."""
        systems = self._access().organisation.systems
        return next((one.name for one in systems if one.id == system), "")

    def owner_of(self, topic: str) -> int:
        """Return the system that a topic belongs to."""
        return self._access().system_of(topic)


def check_name(name: str, what: str) -> None:
    """Refuse a name that cannot stand in addresses and files.

    Raises:
        InvalidInput: What is allowed.
    """
    if not _NAME.fullmatch(name):
        msg = f"{what} {name[:70]!r}: 1 to 63 letters, digits, '-' and '_' are allowed"
        raise InvalidInput(msg)
