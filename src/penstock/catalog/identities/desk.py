"""The desk where every change of the organisation is made: one at a time, whole or not at all."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, insert

from penstock.catalog.database import Database
from penstock.catalog.identities.picture import count_change, read_picture
from penstock.catalog.organisation_models import AuditRow
from penstock.core.access import Access, Action, Kind, Principal, Resource
from penstock.core.clock import Clock
from penstock.core.errors import Forbidden, InvalidInput, NotFound
from penstock.core.organisation import Organisation
from penstock.core.people import Actor, Event

_log = logging.getLogger(__name__)

#: Longest description, label or note, in characters.
MAX_TEXT = 2000

#: Told of every new picture before the change is on disk; when it fails, there is no change.
Publish = Callable[[Organisation], None]


class Change:
    """One change on its way: what decides, what writes, and the trail.

    Args:
        connection: In a writing transaction.
        access: As of before the change.
        by: Who makes it.
        now_us: When.
    """

    def __init__(self, connection: Connection, access: Access, by: Actor, now_us: int) -> None:
        self.connection = connection
        self.access = access
        self.by = by
        self.now_us = now_us
        self.name = access.name(by.who)
        self.is_visible = True
        self._events: list[Event] = []

    def require(self, action: Action, what: Resource, missing: str = "") -> None:
        """Do nothing if it is allowed.

        Raises:
            NotFound: Who asks may not even know about it; `missing` says so.
            Unauthenticated: Nobody has said who asks.
            Forbidden: Who asks may not.
        """
        require(self.access, self.by.who, action, what, missing)

    @property
    def made(self) -> Mapping[str, object]:
        """The columns that say who made a row, and when."""
        return {"created_us": self.now_us, "created_by": self.name}

    def record(self, *events: Event) -> None:
        """Write into the audit trail, when the change is made."""
        self._events.extend(events)

    def write_trail(self) -> None:
        """Write down what was recorded."""
        who = {
            "at_us": self.now_us,
            "by_kind": self.by.who.kind.value,
            "by_id": self.by.who.id,
            "by_name": self.name,
            "address": self.by.address,
        }
        rows = [
            {
                **who,
                "action": event.action,
                "kind": event.kind,
                "object_id": event.object_id,
                "name": event.name,
                "company_id": event.company,
                "system_id": event.system,
                "before": None if event.before is None else dict(event.before),
                "after": None if event.after is None else dict(event.after),
            }
            for event in self._events
        ]
        if rows:
            self.connection.execute(insert(AuditRow), rows)


class Desk:
    """Gives the newest picture to all, and changes it.

    Args:
        database: The catalog's.
        clock: Tells when.
        accounts: Whether everybody must sign in even if there is no user.
        publish: Told of every new picture.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        accounts: bool = False,
        publish: Publish | None = None,
    ) -> None:
        self.database = database
        self.clock = clock
        self._accounts = accounts
        self._publish = publish or (lambda _: None)
        self._changing = threading.Lock()
        self._published = 0
        with database.read() as connection:
            picture = read_picture(connection, accounts=accounts)
        self._publish(picture)
        self._access = Access(picture, clock)

    @property
    def access(self) -> Access:
        """What decides, from the newest picture."""
        return self._access

    @contextmanager
    def change(self, by: Actor) -> Iterator[Change]:
        """Make a change; when the block ends it is on disk and everybody knows of it.

        `Change.is_visible = False` says that the picture stays as it is.
        """
        with self._changing:
            before = self._access
            try:
                with self.database.write() as connection:
                    change = Change(connection, before, by, self.clock.now_us())
                    yield change
                    change.write_trail()
                    after = self._take_picture(connection) if change.is_visible else before
            except BaseException:
                self._take_back(before)
                raise
            self._access = after

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment."""
        with self.database.read() as connection:
            yield connection

    def _take_picture(self, connection: Connection) -> Access:
        count_change(connection)
        picture = read_picture(connection, accounts=self._accounts)
        self._published = picture.version
        self._publish(picture)
        return Access(picture, self.clock)

    def _take_back(self, before: Access) -> None:
        """Tell everybody that what they were told did not happen, if they were."""
        if self._published <= before.organisation.version:
            return
        self._published = before.organisation.version
        try:
            self._publish(before.organisation)
        except Exception:
            _log.exception("a change failed, and the door could not be told; restart Penstock")


def require(
    access: Access, who: Principal, action: Action, what: Resource, missing: str = ""
) -> None:
    """Do nothing if it is allowed; see `Change.require`."""
    if action is not Action.VIEW and access.allows(who, action, what):
        return
    is_nameable = what.id != 0
    if is_nameable and access.is_welcome(who) and not access.allows(who, Action.VIEW, what):
        raise NotFound(missing or f"there is no {what.kind} with id {what.id}")
    access.require(who, action, what)


def check_text(what: str, text: str, most: int = MAX_TEXT) -> str:
    """Return a text for people if it can be kept.

    Raises:
        InvalidInput: It is too long, or no text.
    """
    if len(text) > most:
        msg = f"{what} has {len(text)} characters; up to {most} are allowed"
        raise InvalidInput(msg)
    if "\0" in text or not _is_unicode(text):
        msg = f"{what} holds characters that are no text (NUL or half a surrogate)"
        raise InvalidInput(msg)
    return text


def _is_unicode(text: str) -> bool:
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        return True
    return False


def only_users(by: Actor, access: Access) -> int | None:
    """Return the id of the user who asks; None when there are no accounts.

    Raises:
        Forbidden: It is a client.
    """
    if by.who.kind is Kind.USER:
        return by.who.id
    if by.who.kind is Kind.CLIENT:
        msg = f"{access.name(by.who)} is a client; only users can do this"
        raise Forbidden(msg)
    return None
