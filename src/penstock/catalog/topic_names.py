"""Names that are the topic of a device which has another name.

A plain number on `plant/boiler-7/temperature` names the Thing `plant/boiler-7`. When a device
`boiler-7` was registered with the topic `plant/boiler-7`, or its type says that devices of its kind
talk below `plant/{name}`, the number is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, select

from penstock.catalog.admission import ThingName, chunks, leaving, load_things
from penstock.catalog.device_models import DeviceFact, DeviceTypeRow
from penstock.catalog.models import Device
from penstock.catalog.organisation_models import SystemRow
from penstock.core.organisation import DEFAULT_SYSTEM


def named_by_topic(
    connection: Connection, names: Iterable[ThingName]
) -> dict[ThingName, ThingName]:
    """Return for names that are just the topic of a device the name of that device.

    A name that a device has itself, or a Thing that no deleted device left behind, or a device that
    is leaving, means that one. Of several devices with one topic the oldest is meant. The names of
    a system's Things begin with the system's, their topics need not.
    """
    spelled = _spellings(connection, names)
    found: dict[ThingName, ThingName] = {}
    query = (
        select(DeviceFact.topic, Device.system_id, Device.name)
        .join(Device, Device.thing_id == DeviceFact.thing_id)
        .order_by(DeviceFact.thing_id)
    )
    for chunk in chunks({topic for _, topic in spelled}):
        rows = connection.execute(query.where(DeviceFact.topic.in_(chunk), ~DeviceFact.retired))
        for topic, system, name in rows:
            asked = spelled.get((system, topic))
            if asked is not None:
                found.setdefault(asked, ThingName(system, name))
    for asked, device in _named_by_type(connection, spelled).items():
        found.setdefault(asked, device)
    found = {asked: device for asked, device in found.items() if asked != device}
    taken = _taken(connection, found) if found else set()
    return {asked: device for asked, device in found.items() if asked not in taken}


def _spellings(
    connection: Connection, names: Iterable[ThingName]
) -> dict[tuple[int, str], ThingName]:
    """Return the topics that names may be, with their system."""
    wanted = set(names)
    systems = {name.system for name in wanted} - {DEFAULT_SYSTEM}
    labels: dict[int, str] = {}
    for chunk in chunks(systems):
        query = select(SystemRow.id, SystemRow.name).where(SystemRow.id.in_(chunk))
        labels.update((id_, label) for id_, label in connection.execute(query))
    spelled = {}
    for name in sorted(wanted):
        label = labels.get(name.system, "")
        local = name.name.removeprefix(f"{label}.") if label else name.name
        spelled[name.system, local] = name
        if label:
            spelled[name.system, f"{label}/{local}"] = name
    return spelled


def _named_by_type(
    connection: Connection, spelled: Mapping[tuple[int, str], ThingName]
) -> dict[ThingName, ThingName]:
    """Return the devices without a topic of their own whose type has a topic like these names."""
    found: dict[ThingName, ThingName] = {}
    types = connection.execute(select(DeviceTypeRow.name, DeviceTypeRow.definition)).all()
    for type_, definition in types:
        before, place, behind = str(definition.get("topic", "")).partition("{name}")
        if not place or not (before or behind) or "{name}" in behind:
            continue
        candidates: dict[ThingName, ThingName] = {}
        for (system, topic), asked in spelled.items():
            local = topic.removeprefix(before).removesuffix(behind)
            if local and before + local + behind == topic and asked.name.endswith(topic):
                label = asked.name.removesuffix(topic)
                candidates[ThingName(system, label + local)] = asked
        query = (
            select(Device.system_id, Device.name)
            .join(DeviceFact, Device.thing_id == DeviceFact.thing_id)
            .where(
                DeviceFact.type == type_,
                func.coalesce(DeviceFact.topic, "") == "",
                ~DeviceFact.retired,
            )
        )
        for chunk in chunks({device.name for device in candidates}):
            for row in connection.execute(query.where(Device.name.in_(chunk))):
                device = ThingName(*row)
                if device in candidates:
                    found.setdefault(candidates[device], device)
    return found


def _taken(connection: Connection, names: Iterable[ThingName]) -> set[ThingName]:
    """Return those of the names that mean a device or Thing of that very name."""
    wanted = list(names)
    taken = leaving(connection, wanted)
    for chunk in chunks({name.name for name in wanted}):
        query = select(Device.system_id, Device.name).where(Device.name.in_(chunk))
        taken.update(ThingName(system, name) for system, name in connection.execute(query))
    things = {thing.id: name for name, thing in load_things(connection, wanted).items()}
    for some in chunks(things):
        retired = select(DeviceFact.thing_id).where(
            DeviceFact.retired, DeviceFact.thing_id.in_(some)
        )
        left = set(connection.execute(retired).scalars())
        taken.update(things[id_] for id_ in some if id_ not in left)
    return taken
