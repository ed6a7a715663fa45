"""Two companies, and a file in which a door finds them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from penstock.core.access import digest
from penstock.core.organisation import Client, Company, Grant, Key, Organisation, System, User

CAR, HALL = "cz.icecars.fleet.Car1", "at.mill.hall.North"

#: Secrets of the keys, by whom they stand for.
KEYS = {name: f"key-of-{name}" for name in ("car", "reader", "writer", "held", "hall", "sue")}


def key(number: int, name: str, **holder: int | None) -> Key:
    """Return a key with one of the secrets."""
    return Key(id=number, digest=digest(KEYS[name]), **holder)  # type: ignore[arg-type]


def two_companies(**changes: object) -> Organisation:
    """Return an organisation: Sue is agent of a car, whose clients differ; the hall is others'."""
    default = Organisation()
    organisation = Organisation(
        accounts=True,
        users=(
            User(id=1, name="root", administrator=True),
            User(id=2, name="sue"),
            User(id=3, name="bob", disabled=True),
        ),
        companies=(
            Company(id=2, name="cz.icecars", administrators=frozenset({2})),
            Company(id=3, name="at.mill"),
        ),
        systems=(
            *default.systems,
            System(id=2, company=2, name=CAR, agents=frozenset({2}), topics=("race/+/car1",)),
            System(id=3, company=3, name=HALL),
        ),
        clients=(
            Client(id=1, system=2, name="car"),
            Client(id=2, system=2, name="reader", may_write=False),
            Client(id=3, system=2, name="writer", may_read=False),
            Client(id=4, system=2, name="held", topics=(f"{CAR}/held/#",)),
            Client(id=5, system=3, name="hall"),
        ),
        keys=(
            *(
                key(number, name, client=number)
                for number, name in enumerate(("car", "reader", "writer", "held", "hall"), 1)
            ),
            key(6, "sue", user=2),
        ),
    )
    return msgspec.structs.replace(organisation, **changes)


def share_all(owner: int, reader: int, expires_us: int | None = None) -> Grant:
    """Return a grant of everything that a system has."""
    return Grant(id=1, owner=owner, reader=reader, expires_us=expires_us)


def leave(organisation: Organisation, file: Path) -> Path:
    """Leave an organisation as the hub does, and return where."""
    new = file.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(organisation))
    new.replace(file)
    return file
