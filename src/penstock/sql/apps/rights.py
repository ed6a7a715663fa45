"""Who may see and change which app, and that it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from penstock.core.access import Access, Action, Resource
from penstock.core.apps import AppRecords, KeptApp
from penstock.core.errors import InvalidInput, NotFound
from penstock.core.organisation import DEFAULT_SYSTEM, System
from penstock.core.people import Actor, Event

#: Writes into the audit trail.
Note = Callable[[Actor, Event], None]


class Rights:
    """What people may do with apps. Safe to call from any thread.

    Args:
        records: Keeps apps.
        access: Gives the organisation as it is now.
        note: Writes the audit trail.
    """

    def __init__(self, records: AppRecords, access: Callable[[], Access], note: Note) -> None:
        self._records = records
        self._access = access
        self._note = note

    def may(self, by: Actor, action: Action, system: int) -> bool:
        """Tell whether somebody may do something with a system."""
        return self._access().allows(by.who, action, Resource("system", system))

    def name(self, by: Actor) -> str:
        """Return how somebody is called."""
        return self._access().name(by.who)

    def require_member(self, by: Actor) -> None:
        """Do nothing for who may see the platform at all.

        Raises:
            Forbidden: They may not.
        """
        self._access().require(by.who, Action.VIEW, Resource("platform"))

    def seen(self, by: Actor, app: int) -> KeptApp:
        """Return an app.

        Raises:
            NotFound: There is none, or none that they may see.
        """
        self.require_member(by)
        found = self._records.apps([app])
        if not found or not self.may(by, Action.READ, found[0].system):
            msg = f"there is no app with id {app}; `GET /api/v1/apps` lists them"
            raise NotFound(msg)
        return found[0]

    def managed(self, by: Actor, app: int) -> KeptApp:
        """Return an app that somebody may change.

        Raises:
            NotFound: There is none, or none that they may see.
            Forbidden: They may see it only.
        """
        held = self.seen(by, app)
        self._access().require(by.who, Action.MANAGE, Resource("system", held.system))
        return held

    def system(self, by: Actor, name: str, action: Action) -> System:
        """Return the system of a name that `by` may use so; without a name, the one they have.

        Raises:
            InvalidInput: They have several, and name none.
            NotFound: There is none of that name that they may see.
            Forbidden: They may not use it so.
        """
        self.require_member(by)
        access = self._access()
        systems = access.organisation.systems
        if not name:
            own = [s for s in systems if self.may(by, action, s.id)]
            for one in own:
                if one.id == DEFAULT_SYSTEM or len(own) == 1:
                    return one
            msg = "say which `system` the app is of; `GET /api/v1/systems` lists yours"
            raise InvalidInput(msg)
        for one in systems:
            if one.name.lower() == name.lower() and self.may(by, Action.VIEW, one.id):
                access.require(by.who, action, Resource("system", one.id))
                return one
        msg = f"there is no system {name!r} that you may see"
        raise NotFound(msg)

    def system_of(self, app: KeptApp) -> System:
        """Return the system of an app."""
        return next(one for one in self._access().organisation.systems if one.id == app.system)

    def trail(
        self,
        by: Actor,
        action: str,
        app: KeptApp,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        """Write down what was done with an app."""
        event = Event(
            action=action,
            kind="app",
            object_id=app.id,
            name=app.spec.name,
            company=self.system_of(app).company,
            system=app.system,
            before=before,
            after=after,
        )
        self._note(by, event)
