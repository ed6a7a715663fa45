"""Which device a topic is about, and which topics a device has."""

from __future__ import annotations

import re
from collections.abc import Mapping

from penstock.core.commands import DeviceType
from penstock.core.devices import Device
from penstock.core.listening import Kind

#: What follows the topic of a device in what it says.
_BEHIND = {
    Kind.REGISTRY: re.compile(r"[./]registry[./]created$"),
    Kind.LOGS: re.compile(r"[./]logs$"),
    Kind.STATE: re.compile(r"[./]state[./]reported$"),
    Kind.ANSWER: re.compile(r"[./]tasks(?:/[^/]+)?$"),
}
_SERIAL = re.compile(r"sensor[./]([^/]+)")


def base_of(kind: Kind, topic: str) -> str:
    """Return the topic below which a device said something; "" when that cannot be told."""
    pattern = _BEHIND.get(kind)
    found = None if pattern is None else pattern.search(topic)
    return "" if found is None else topic[: found.start()]


def name_of(kind: Kind, path: str, fields: Mapping[str, str]) -> str:
    """Return the name of the device that a topic is about, as its data would name it."""
    for field in ("device", "serial"):
        if field in fields:
            return fields[field]
    base = base_of(kind, path)
    serial = _SERIAL.fullmatch(base)
    return serial[1] if serial is not None else base


def topic_of(type_: DeviceType, device: Device, system: str) -> str:
    """Return the topic below which a device talks.

    Args:
        type_: Its type.
        device: The device.
        system: Name of its system; "" for the default one, whose name is in no topic.
    """
    if device.topic:
        return device.topic
    local = device.name.removeprefix(f"{system}.") if system else device.name
    topic = _render(type_.topic, name=local)
    return f"{system}/{topic}" if system else topic


def command_topic(type_: DeviceType, device: Device, system: str, command: str) -> str:
    """Return where a device listens for a command."""
    topic = topic_of(type_, device, system)
    return _render(type_.command_topic, topic=topic, name=device.name, command=command)


def answer_topic(type_: DeviceType, device: Device, system: str) -> str:
    """Return where a device answers."""
    return _render(type_.answer_topic, topic=topic_of(type_, device, system), name=device.name)


def state_topic(type_: DeviceType, device: Device, system: str) -> str:
    """Return where a device is told its desired state."""
    return _render(type_.state_topic, topic=topic_of(type_, device, system), name=device.name)


def topic_from_data(codec: str, topic: str) -> tuple[str, str]:
    """Return the topic and the type of a device, as a message with results gives them away."""
    if codec == "measurements":
        base = re.sub(r"[./]measurements$", "", topic)
        return base, "accelerometer"
    if codec == "flat":
        return topic, ""
    if codec == "number":
        return topic.rpartition("/")[0], ""
    return "", ""


def _render(template: str, **places: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: places.get(found[1], found[0]), template)
