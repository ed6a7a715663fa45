"""Replay: a recording as the messages that its devices might have sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from penstock.core.errors import ConfigError
from penstock.simulators.message import BATCH_MESSAGES, Batches, Message, iso
from penstock.simulators.recordings import Block, Recording

#: Default topic of each form.
TOPICS = {
    "flat": "recordings/{thing}",
    "value": "recordings/{thing}/{name}",
    "senml": "senml/{thing}",
}
_FIELD = re.compile(r"\{(\w+)\}")
_NOT_IN_A_LEVEL = re.compile(r"[+#/\0]")

#: One row: Thing, names, values and units.
Row = tuple[str, list[tuple[str, float | str, str]]]


class Replay:
    """Sends the rows of a recording at the pace at which they were recorded.

    Args:
        recording: What to send.
        form: `flat` is one object per row with its members and `timestamp`; `value` is one
            object per value; `senml` is one SenML pack per row.
        topic: Template with `{thing}` and `{name}`; None is as in `TOPICS`.
        speed: Recorded seconds per second; None sends as fast as possible.
        shift_to_now: Give the messages the times at which they are sent, instead of the recorded
            ones.
        sort: Read the whole file first and put it in the order of time. Without it only rows
            read together are sorted.
    """

    name = "replay"

    def __init__(
        self,
        recording: Recording,
        *,
        form: str = "flat",
        topic: str | None = None,
        speed: float | None = 1.0,
        shift_to_now: bool = True,
        sort: bool = False,
    ) -> None:
        if form not in TOPICS:
            msg = f"payload form {form!r} is not known; it is one of {', '.join(TOPICS)}"
            raise ConfigError(msg)
        if speed is None and shift_to_now:
            msg = (
                "sent as fast as possible, all times would be now; "
                "choose --shift none, or a --speed"
            )
            raise ConfigError(msg)
        self._recording = recording
        self._form = form
        self._topic = topic or TOPICS[form]
        unknown = set(_FIELD.findall(self._topic)) - {"thing", "name"}
        if unknown or ("{name}" in self._topic and form != "value"):
            msg = (
                f"topic {self._topic!r} cannot be filled in; {{thing}} can be, and with "
                "--form value also {name}"
            )
            raise ConfigError(msg)
        self._speed = speed
        self._shift = shift_to_now
        self._sort = sort

    @property
    def devices(self) -> Sequence[str]:
        """One MQTT client for the whole recording."""
        return [f"replay-{_level(self._recording.thing_name)}"]

    def messages(self, start_us: int) -> Batches:
        """Yield the rows as messages; the first is due at `start_us`."""
        first_us: int | None = None
        write = _WRITERS[self._form]
        for times, rows in self._rows():
            batch: list[Message] = []
            for time_us, (thing, values) in zip(times.tolist(), rows, strict=True):
                first_us = time_us if first_us is None else first_us
                passed = (time_us - first_us) / (self._speed or 1.0)
                due_us = start_us + round(passed)
                told_us = due_us if self._shift else time_us
                for name, payload in write(thing, values, told_us):
                    if batch and (due_us > batch[0].time_us or len(batch) >= BATCH_MESSAGES):
                        yield batch
                        batch = []
                    topic = _filled(self._topic, thing, name)
                    batch.append(Message(due_us, topic, payload, self.devices[0]))
            if batch:
                yield batch

    def _rows(self) -> Iterator[tuple[npt.NDArray[np.int64], list[Row]]]:
        blocks: list[tuple[npt.NDArray[np.int64], list[Row]]] = []
        for block in self._recording.blocks():
            found = block.time_us, _rows_of(block)
            if self._sort:
                blocks.append(found)
            else:
                yield _sorted(*found)
        if blocks:
            times = np.concatenate([times for times, _ in blocks])
            yield _sorted(times, [row for _, rows in blocks for row in rows])


def _rows_of(block: Block) -> list[Row]:
    count = len(block.time_us)
    things = block.things.to_pylist()
    rows: list[Row] = [(thing, []) for thing in things]
    names = None if block.names is None else block.names.to_pylist()
    for value, cells in block.values:
        for at, cell in zip(range(count), cells.to_pylist(), strict=True):
            if cell is not None:
                name = value.name if names is None else names[at]
                given: float | str | bool = bool(cell) if value.kind == "truth" else cell
                rows[at][1].append((name, given, value.unit))
    return rows


def _sorted(
    times: npt.NDArray[np.int64], rows: list[Row]
) -> tuple[npt.NDArray[np.int64], list[Row]]:
    order = np.argsort(times, kind="stable")
    return times[order], [rows[at] for at in order.tolist()]


def _flat(
    _thing: str, values: list[tuple[str, float | str, str]], time_us: int
) -> Iterator[tuple[str, bytes]]:
    if values:
        body = {name: value for name, value, _ in values} | {"timestamp": iso(time_us)}
        yield "", msgspec.json.encode(body)


def _value(
    _thing: str, values: list[tuple[str, float | str, str]], time_us: int
) -> Iterator[tuple[str, bytes]]:
    for name, value, unit in values:
        body: dict[str, object] = {"value": value, "timestamp": iso(time_us)}
        yield name, msgspec.json.encode(body | ({"unit": unit} if unit else {}))


def _senml(
    thing: str, values: list[tuple[str, float | str, str]], time_us: int
) -> Iterator[tuple[str, bytes]]:
    pack: list[dict[str, object]] = []
    for name, value, unit in values:
        member = "vs" if isinstance(value, str) else "vb" if isinstance(value, bool) else "v"
        record: dict[str, object] = {"n": _senml_name(name), member: value}
        pack.append(record | ({"u": unit} if unit else {}))
    if pack:
        pack[0] = {"bn": f"{_senml_name(thing)}/", "bt": time_us / 1e6} | pack[0]
        yield "", msgspec.json.encode(pack)


_WRITERS: dict[
    str, Callable[[str, list[tuple[str, float | str, str]], int], Iterator[tuple[str, bytes]]]
] = {"flat": _flat, "value": _value, "senml": _senml}


def _filled(topic: str, thing: str, name: str) -> str:
    return topic.replace("{thing}", _level(thing)).replace("{name}", _level(name))


def _level(text: str) -> str:
    return _NOT_IN_A_LEVEL.sub("_", text)


def _senml_name(text: str) -> str:
    """Return a name as RFC 8428 section 4.5.1 allows it."""
    plain = re.sub(r"[^A-Za-z0-9\-:./_]", "_", text)
    return plain if plain[:1].isalnum() else f"x{plain}"
