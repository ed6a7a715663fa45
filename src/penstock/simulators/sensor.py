"""How vibration sensors obey: sleep, awake, change of the sample frequency."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from penstock.simulators.message import Message

#: Commands that a sensor understands.
COMMANDS = ("sleep", "awake", "change_sample_frequency")
#: Highest sample frequency of a sensor, Hz; beyond it two samples would share a microsecond.
MAX_RATE_HZ = 1_000_000.0
#: Commands that a sensor remembers, so that one that comes twice is carried out once.
MAX_REMEMBERED = 1_000


class _Command(msgspec.Struct, rename="pascal"):
    command: str = ""
    params: Mapping[str, object] | None = None
    task: str = ""


class Sensor:
    """One sensor: whether it sleeps, and how fast it samples.

    Args:
        serial: Its serial number.
        rate: Samples per second, Hz.
    """

    def __init__(self, serial: str, rate: float) -> None:
        self.serial = serial
        self.rate = rate
        self.is_asleep = False
        self._answers: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._ways: Mapping[str, Callable[[Mapping[str, object]], tuple[str, str, str]]] = {
            "sleep": self._sleep,
            "awake": self._awake,
            "change_sample_frequency": self._change,
        }

    def obey(self, topic: str, payload: bytes, time_us: int) -> list[Message]:
        """Do what it is told, log it, and answer when it is a task; a task only once."""
        try:
            told = msgspec.json.decode(payload, type=_Command) if payload else _Command()
        except msgspec.DecodeError as error:
            return [self._log(time_us, "WARNING", f"command cannot be read: {error}"[:300])]
        if told.task in self._answers:
            return [self._answer(time_us, told.task, *self._answers[told.task])]
        name = topic.rpartition(".")[2]
        way = self._ways.get(told.command or name)
        if way is None:
            unknown = f"unknown command: {told.command or name}"[:300]
            level, state, text = "WARNING", "failed", unknown
        else:
            level, state, text = way(told.params or {})
        messages = [self._log(time_us, level, text)]
        if state == "done" and way == self._change:
            known = {"SerialNumber": self.serial, "SampleFrequency": self.rate}
            messages.append(said(time_us, self.serial, "registry.created", known))
        if told.task:
            self._answers[told.task] = (state, text)
            if len(self._answers) > MAX_REMEMBERED:
                self._answers.popitem(last=False)
            messages.append(self._answer(time_us, told.task, state, text))
        return messages

    def _sleep(self, _: Mapping[str, object]) -> tuple[str, str, str]:
        text = "already asleep" if self.is_asleep else "asleep"
        self.is_asleep = True
        return "INFO", "done", text

    def _awake(self, _: Mapping[str, object]) -> tuple[str, str, str]:
        text = "awake" if self.is_asleep else "already awake"
        self.is_asleep = False
        return "INFO", "done", text

    def _change(self, params: Mapping[str, object]) -> tuple[str, str, str]:
        rate = params.get("sampleFrequency")
        if not isinstance(rate, (int, float)) or not 0 < rate <= MAX_RATE_HZ:
            return "WARNING", "failed", f"sample frequency {rate!r} Hz is not possible"[:300]
        if not math.isfinite(rate):
            return "WARNING", "failed", "sample frequency is not finite"
        if rate == self.rate:
            return "INFO", "done", f"sample frequency is {rate:g} Hz already"
        self.rate = float(rate)
        return "INFO", "done", f"sample frequency changed to {rate:g} Hz"

    def _log(self, time_us: int, level: str, text: str) -> Message:
        line = {
            "SerialNumber": self.serial,
            "Timestamp": stamp(time_us),
            "Level": level,
            "Message": text,
        }
        return said(time_us, self.serial, "logs", line)

    def _answer(self, time_us: int, task: str, state: str, text: str) -> Message:
        answer = {"Task": task, "State": state, "Message": text}
        return said(time_us, self.serial, "tasks", answer)


class Sensors:
    """Sensors that obey. See `message.Obedience`.

    Args:
        serials: Their serial numbers.
        rate: Samples per second of each to begin with, Hz.
    """

    def __init__(self, serials: Sequence[str], rate: float) -> None:
        self.sensors = {serial: Sensor(serial, rate) for serial in serials}

    def subscriptions(self, device: str) -> Sequence[str]:
        """Return the topics on which a sensor is told what to do."""
        return [f"sensor.{device}.commands.{command}" for command in COMMANDS]

    def obey(self, topic: str, payload: bytes, time_us: int) -> Sequence[Message]:
        """Let a sensor do what it is told."""
        parts = topic.split(".")
        sensor = self.sensors.get(parts[1]) if len(parts) > 1 else None
        return [] if sensor is None else sensor.obey(topic, payload, time_us)

    def sends(self, message: Message) -> bool:
        """Tell whether a message is sent: a sensor that sleeps sends no measurements."""
        if not message.topic.endswith(".measurements"):
            return True
        return bool(message.payload) and not self.sensors[message.device].is_asleep


def said(time_us: int, serial: str, what: str, body: Mapping[str, object]) -> Message:
    """Return what a sensor says, in JSON."""
    return Message(time_us, f"sensor.{serial}.{what}", msgspec.json.encode(body), serial)


def stamp(time_us: int) -> str:
    """Return a time in RFC 3339, without trailing zeros."""
    second, rest = divmod(time_us, 1_000_000)
    fraction = f".{rest:06d}".rstrip("0").rstrip(".")
    return f"{np.datetime64(second, 's')}{fraction}Z"
