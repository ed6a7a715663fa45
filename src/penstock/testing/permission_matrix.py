"""Who may do what where, cell by cell: the table that the tests check and the documentation shows.

`python -m penstock.testing.permission_matrix` prints the page `docs/reference/permissions.md`.
"""

from __future__ import annotations

import sys

from penstock.core.access import Action, Kind, Principal, Resource
from penstock.core.organisation import (
    Client,
    Company,
    Grant,
    Key,
    Organisation,
    System,
    User,
)

#: When the grant that is over was over, and when the picture is looked at.
LONG_AGO_US, NOW_US = 1_000_000, 1_700_000_000_000_000

#: Columns: a short name, what it means, and what to ask `Access`.
#: System 2 is a1; its Thing 1 has Datastreams 1 and 2, its Thing 2 has Datastream 3.
COLUMNS: tuple[tuple[str, str, Action, Resource], ...] = (
    ("in", "come in at all", Action.VIEW, Resource("platform")),
    (
        "run",
        "run the platform: users, dead letters of all, replay",
        Action.MANAGE,
        Resource("platform"),
    ),
    ("met", "read the platform's metrics", Action.READ, Resource("metrics")),
    ("co", "see company A", Action.VIEW, Resource("company", 2)),
    (
        "CO",
        "manage company A: its administrators, new systems",
        Action.MANAGE,
        Resource("company", 2),
    ),
    ("sy", "see that system a1 exists", Action.VIEW, Resource("system", 2)),
    ("SY", "manage system a1: its agents, clients, grants", Action.MANAGE, Resource("system", 2)),
    ("cl", "see client `plain` of a1", Action.VIEW, Resource("client", 1)),
    ("CL", "manage client `plain` of a1, and its keys", Action.MANAGE, Resource("client", 1)),
    ("ds", "read Datastream 1 of Thing 1 of a1", Action.READ, Resource("datastream", 1, 2, 1)),
    ("ds2", "read Datastream 2 of Thing 1 of a1", Action.READ, Resource("datastream", 2, 2, 1)),
    ("ds3", "read Datastream 3 of Thing 2 of a1", Action.READ, Resource("datastream", 3, 2, 2)),
    ("DS", "change Datastream 1: its retention", Action.MANAGE, Resource("datastream", 1, 2, 1)),
    ("wr", "send data to the topics of a1", Action.WRITE, Resource("system", 2)),
    ("cmd", "send commands to devices of a1", Action.COMMAND, Resource("thing", 1, 2)),
    ("us", "see another user", Action.VIEW, Resource("user", 1)),
)

#: Rows: a name, who it is, and a mark for each column: `y` or `.`.
ROWS: tuple[tuple[str, str, str], ...] = (
    # The marks stand in the order of the columns.
    ("nobody", "somebody who has not signed in", ". . . . . . . . . . . . . . . ."),
    ("root", "administrator of the platform", "y y y y y y y y y y y y y y y y"),
    ("boss", "administrator of company A, agent of nothing", "y . . y y y . . . . . . . . . ."),
    ("agent", "agent of a1", "y . . y . y y y y y y y y y y ."),
    ("colleague", "agent of a2, of the same company", "y . . y . . . . . . . . . . . ."),
    ("stranger", "administrator of company B and agent of b1", "y . . . . . . . . . . . . . . ."),
    ("guest", "agent of c1, which may read all of a1", "y . . . . y . . . y y y . . . ."),
    ("thing-guest", "agent of d1, which may read Thing 1", "y . . . . . . . . y y . . . . ."),
    ("ds-guest", "agent of e1, which may read Datastream 1", "y . . . . . . . . y . . . . . ."),
    ("late-guest", "agent of f1, whose grant of a1 is over", "y . . . . . . . . . . . . . . ."),
    ("keeper", "agent of the default system", "y . y . . . . . . . . . . . . ."),
    ("disabled", "disabled user who is agent of a1", ". . . . . . . . . . . . . . . ."),
    ("plain", "client of a1 that may read and write", "y . . . . y . y . y y y . y y ."),
    ("reading", "client of a1 that may only read", "y . . . . y . . . y y y . . . ."),
    ("writing", "client of a1 that may only write", "y . . . . y . . . . . . . y y ."),
    ("held", "client of a1 that is held to the topic `x`", "y . . . . y . . . y y y . y y ."),
    ("off", "disabled client of a1", ". . . . . . . . . . . . . . . ."),
    ("guest-client", "client of c1, which may read all of a1", "y . . . . y . . . y y y . . . ."),
    ("alien", "client of b1", "y . . . . . . . . . . . . . . ."),
    ("monitor", "client of the default system that may read", "y . y . . . . . . . . . . . . ."),
)

_USERS = (
    "root",
    "boss",
    "agent",
    "colleague",
    "stranger",
    "guest",
    "thing-guest",
    "ds-guest",
    "late-guest",
    "keeper",
    "disabled",
)
_USER_IDS = {name: at for at, name in enumerate(_USERS, 1)}
_CLIENTS = ("plain", "reading", "writing", "held", "off", "guest-client", "alien", "monitor")
_CLIENT_IDS = {name: at for at, name in enumerate(_CLIENTS, 1)}


def principal(name: str) -> Principal:
    """Return the one that a row is about."""
    if name in _USER_IDS:
        return Principal(Kind.USER, _USER_IDS[name])
    if name in _CLIENT_IDS:
        return Principal(Kind.CLIENT, _CLIENT_IDS[name])
    return Principal()


def organisation() -> Organisation:
    """Return the organisation that the rows and columns are about."""
    user = _USER_IDS
    return Organisation(
        accounts=True,
        version=1,
        users=[
            User(id=id_, name=name, administrator=name == "root", disabled=name == "disabled")
            for name, id_ in user.items()
        ],
        companies=[
            Company(id=1, name="default", administrators=frozenset()),
            Company(id=2, name="at.a", administrators=frozenset({user["boss"]})),
            Company(id=3, name="at.b", administrators=frozenset({user["stranger"]})),
        ],
        systems=[
            _system(1, 1, "default", "keeper"),
            _system(2, 2, "at.a.w.a1", "agent", "disabled"),
            _system(3, 2, "at.a.w.a2", "colleague"),
            _system(4, 3, "at.b.w.b1", "stranger"),
            _system(5, 3, "at.b.w.c1", "guest"),
            _system(6, 3, "at.b.w.d1", "thing-guest"),
            _system(7, 3, "at.b.w.e1", "ds-guest"),
            _system(8, 3, "at.b.w.f1", "late-guest"),
        ],
        clients=[
            _client("plain", 2),
            _client("reading", 2, may_write=False),
            _client("writing", 2, may_read=False),
            _client("held", 2, topics=("at.a.w.a1/x",)),
            _client("off", 2, disabled=True),
            _client("guest-client", 5),
            _client("alien", 4),
            _client("monitor", 1, may_write=False),
        ],
        keys=[
            Key(id=1, digest="0" * 64, client=1),
        ],
        grants=[
            Grant(id=1, owner=2, reader=5),
            Grant(id=2, owner=2, reader=6, thing=1),
            Grant(id=3, owner=2, reader=7, datastream=1),
            Grant(id=4, owner=2, reader=8, expires_us=LONG_AGO_US),
        ],
    )


def _system(id_: int, company: int, name: str, *agents: str) -> System:
    ids = frozenset(_USER_IDS[agent] for agent in agents)
    return System(id=id_, company=company, name=name, agents=ids)


def _client(
    name: str,
    system: int,
    *,
    may_read: bool = True,
    may_write: bool = True,
    topics: tuple[str, ...] | None = None,
    disabled: bool = False,
) -> Client:
    return Client(
        id=_CLIENT_IDS[name],
        system=system,
        name=name,
        may_read=may_read,
        may_write=may_write,
        topics=topics,
        disabled=disabled,
    )


def cells() -> list[tuple[str, str, bool]]:
    """Return every cell: row, column, and whether it is allowed."""
    found = []
    for name, _, marks in ROWS:
        values = marks.split()
        for (column, *_), mark in zip(COLUMNS, values, strict=True):
            found.append((name, column, mark == "y"))
    return found


_HEAD = """\
# Permissions

Who may do what where. Everything not marked is refused: what one may not even see answers 404,
the rest 403, and 401 when nobody has said who asks. The same `core.access.Access` decides for MQTT,
HTTP, live events and commands; every cell below is tested against it and against the HTTP API.
Without accounts (a single user on loopback) everybody may do everything.

Made from `penstock.testing.permission_matrix`; do not edit.

Company A has the systems a1 and a2; company B has b1, c1, d1, e1 and f1. System a1 lets c1 read all
of its data, d1 only Thing 1, e1 only Datastream 1; f1 could read all of it until some time ago.
"""


def page() -> str:
    """Return the page of the documentation."""
    lines = [_HEAD, "## What", ""]
    lines += [f"- **{name}**: {meaning}" for name, meaning, _, _ in COLUMNS]
    lines += ["", "## Who", ""]
    lines.append("| who | " + " | ".join(name for name, *_ in COLUMNS) + " |")
    lines.append("| --- |" + " --- |" * len(COLUMNS))
    for _, meaning, marks in ROWS:
        shown = " | ".join("✓" if mark == "y" else "" for mark in marks.split())
        lines.append(f"| {meaning} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
