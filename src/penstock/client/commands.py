"""Commands: ordered of devices, and carried out by devices written in Python."""

from __future__ import annotations

import inspect
import logging
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from penstock.client.line import Line
from penstock.client.outbox import Outbox
from penstock.client.packets import RESPONSE_TOPIC, Packet, puback, record
from penstock.client.web import Web
from penstock.core.errors import InvalidInput, NotFound

_log = logging.getLogger(__name__)

#: Longest time that one request waits for the end of a task, in seconds.
_WAIT_S = 20.0
#: Tasks remembered, so that a command that comes again is not carried out again.
_REMEMBERED = 1000
#: Commands that may wait while another one is carried out.
_MOST_WAITING = 1000
_ENDS = {"done", "failed", "expired"}

Handler = Callable[..., object]


class DeviceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A device as the platform knows it; times in microseconds UTC."""

    name: str
    status: str
    type: str = ""
    topic: str = ""
    online: bool | None = None
    last_seen_us: int | None = None
    sample_frequency: float | None = None
    location: tuple[float, ...] | None = None


class _DevicePage(msgspec.Struct):
    items: list[DeviceInfo]
    next: str | None = None


class _DeviceType(msgspec.Struct):
    name: str
    topic: str
    command_topic: str


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command; times in microseconds UTC.

    Attributes:
        id: Its number.
        device: Name of the device.
        command: Name of the command.
        state: queued, sent, delivered, accepted, done, failed or expired.
        message: What the device or the platform says about it.
        created_us: When it was ordered.
        ended_us: When it came to its end.
    """

    id: int
    device: str
    command: str
    state: str
    message: str = ""
    created_us: int = 0
    ended_us: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether the device did it."""
        return self.state == "done"


class Orders:
    """Asks the platform about devices, and to command them."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def devices(self, search: str) -> list[DeviceInfo]:
        """Return all devices whose names hold a text, by name."""
        found: list[DeviceInfo] = []
        after: str | None = None
        while True:
            page = self._web.get("/devices", _DevicePage, {"search": search, "after": after})
            found += page.items
            after = page.next
            if after is None:
                return found

    def register(self, name: str, type_: str, topic: str) -> DeviceInfo:
        """Register a device."""
        new = {"name": name, "type": type_, "topic": topic}
        return self._web.ask("POST", "/devices", DeviceInfo, body=new)

    def declare(self, type_: str, commands: Sequence[Mapping[str, Any]]) -> None:
        """Declare a device type."""
        body = {"name": type_, "commands": commands}
        self._web.ask("PUT", f"/device-types/{type_}", dict, body=body)

    def send(
        self,
        device: str,
        command: str,
        parameters: Mapping[str, Any],
        time_to_live_s: float | None,
        wait_s: float,
    ) -> Task:
        """Order a command, and wait for its end for at most so long."""
        task = self._web.ask(
            "POST",
            f"/devices/{device}/commands",
            Task,
            body={"command": command, "parameters": parameters, "time_to_live_s": time_to_live_s},
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        until_s = time.monotonic() + wait_s
        while task.state not in _ENDS and (left_s := until_s - time.monotonic()) > 0:
            wait = min(left_s, _WAIT_S)
            task = self._web.ask(
                "GET", f"/tasks/{task.id}", Task, params={"wait_s": wait}, timeout_s=wait + _WAIT_S
            )
        return task

    def command_topic(self, device: str, command: str, system: str) -> str:
        """Return where a device listens for a command.

        Raises:
            NotFound: There is no such device.
            InvalidInput: It has no type, so that it has no commands.
        """
        names = {device, f"{system}.{device}"}
        found = [one for one in self.devices(device) if one.name in names]
        if not found:
            msg = f"there is no device {device!r}; register_device({device!r}, type=...) makes it"
            raise NotFound(msg)
        [one] = found[:1]
        if not one.type:
            msg = f"device {device!r} has no type; register_device({device!r}, type=...) sets it"
            raise InvalidInput(msg)
        type_ = self._web.get(f"/device-types/{one.type}", _DeviceType)
        topic = one.topic
        if not topic:
            topic = _render(type_.topic, name=one.name.removeprefix(f"{system}."))
            topic = topic if system in {"", "default"} else f"{system}/{topic}"
        return _render(type_.command_topic, topic=topic, name=one.name, command=command)


def _render(template: str, **places: str) -> str:
    for name, value in places.items():
        template = template.replace(f"{{{name}}}", value)
    return template


class Servant:
    """Carries out commands, one after the other, in a thread of its own.

    Args:
        line: Brings commands.
        outbox: Takes the answers.
    """

    def __init__(self, line: Line, outbox: Outbox) -> None:
        self._line = line
        self._outbox = outbox
        self._handlers: dict[str, Handler] = {}
        #: The answer of each task known; None while it is carried out.
        self._known: OrderedDict[str, bytes | None] = OrderedDict()
        self._waiting: queue.Queue[tuple[Handler, str, str, Mapping[str, Any]] | None]
        self._waiting = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def serve(self, topic: str, handler: Handler, timeout_s: float) -> None:
        """Carry out what comes on a topic from now on. Raises as `Line.subscribe`."""
        self._handlers[topic] = handler
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="penstock commands", daemon=True)
            self._thread.start()
        self._line.subscribe([topic], timeout_s)

    def take(self, packet: Packet) -> None:
        """Take a message; called by the line's thread."""
        handler = self._handlers.get(packet.topic)
        if packet.packet_id:
            self._outbox.reply(puback(packet.packet_id))
        order = _read(packet)
        if handler is None or order is None:
            return
        key, reply_topic, parameters = order
        if key in self._known:
            answer = self._known[key]
            if answer is not None:
                self._answer(reply_topic, answer)
            return
        try:
            self._waiting.put_nowait((handler, key, reply_topic, parameters))
        except queue.Full:
            self._answer(reply_topic, _said(key, "failed", "too many commands wait already"))
            return
        self._known[key] = None
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def close(self) -> None:
        """End, when what is being carried out is done. Safe to call twice."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(10.0)
            self._thread = None

    def _run(self) -> None:
        while (order := self._waiting.get()) is not None:
            handler, key, reply_topic, parameters = order
            self._answer(reply_topic, _said(key, "accepted", ""))
            try:
                inspect.signature(handler).bind(**parameters)
                result = handler(**parameters)
            except Exception as error:
                _log.warning("command failed: %s", error, exc_info=error)
                answer = _said(key, "failed", f"{type(error).__name__}: {error}")
            else:
                answer = _said(key, "done", "" if result is None else str(result))
            self._known[key] = answer
            self._answer(reply_topic, answer)

    def _answer(self, topic: str, answer: bytes) -> None:
        if topic:
            self._outbox.add([record(topic, answer)], 0)
            self._line.wake()


def _read(packet: Packet) -> tuple[str, str, Mapping[str, Any]] | None:
    """Return key, topic for answers and parameters of a command; None for what is none."""
    try:
        body = msgspec.json.decode(packet.payload, type=dict[str, Any])
    except msgspec.DecodeError:
        _log.warning("a command on %s cannot be read: %r", packet.topic, packet.payload[:200])
        return None
    reply = packet.properties.get(RESPONSE_TOPIC, b"")
    topic = reply.decode() if isinstance(reply, bytes) else ""
    parameters = body.get("Params") or {}
    key = str(body.get("Task") or secrets.token_hex(8))
    return (key, topic, parameters) if isinstance(parameters, Mapping) else None


def _said(key: str, state: str, message: str) -> bytes:
    return msgspec.json.encode({"Task": key, "State": state, "Message": message[:1000]})


__all__: Sequence[str] = ["DeviceInfo", "Orders", "Servant", "Task"]
