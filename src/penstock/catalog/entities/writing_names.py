"""Full names of Datastreams, and names of devices, kept true when entities are made or renamed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, select, update

from penstock.catalog.models import Datastream, Device, Thing
from penstock.catalog.tables import NAME_LENGTH


def full_name(connection: Connection, thing: int, name: str, but: int = 0) -> str:
    """Return a full name for a Datastream of a Thing that no other one (`but` it) has."""
    owner = connection.execute(select(Thing.name).where(Thing.id == thing)).scalar_one()
    plain = f"{owner}.{name}"
    taken = select(Datastream.id).where(Datastream.full_name == plain, Datastream.id != but)
    if connection.execute(taken.limit(1)).first() is None:
        return plain
    like = Datastream.full_name.between(f"{plain}~", f"{plain}~:")
    count = connection.execute(select(func.count()).where(like)).scalar_one() + 2
    while True:
        wanted = f"{plain}~{count}"
        query = select(Datastream.id).where(Datastream.full_name == wanted, Datastream.id != but)
        if connection.execute(query).first() is None:
            return wanted
        count += 1


def rename(connection: Connection, datastreams: Sequence[int]) -> None:
    """Give Datastreams their full names anew."""
    for id_ in datastreams:
        thing, name = connection.execute(
            select(Datastream.thing_id, Datastream.name).where(Datastream.id == id_)
        ).one()
        new = full_name(connection, thing, name, but=id_)
        connection.execute(update(Datastream).where(Datastream.id == id_).values(full_name=new))


def rename_device(connection: Connection, thing: int, name: str) -> None:
    """Let the device of a Thing have its new name; one that has that name already keeps it."""
    held = connection.execute(
        select(Device.system_id, Device.name).where(Device.thing_id == thing)
    ).first()
    if held is None or held.name == name:
        return
    own = (Device.system_id == held.system_id, Device.name == held.name)
    there = select(Device.name).where(Device.system_id == held.system_id, Device.name == name)
    if len(name) > NAME_LENGTH or connection.execute(there).first() is not None:
        connection.execute(delete(Device).where(*own))
    else:
        connection.execute(update(Device).where(*own).values(name=name))
