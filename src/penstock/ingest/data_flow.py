"""The data-flow log: every message and value that passes, for people who set up devices."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TextIO

import msgspec
import numpy as np

from penstock.core.clock import Clock
from penstock.core.series import Series
from penstock.ingest.decoding import Part
from penstock.ingest.messages import Batch

#: Environment variable that turns the data-flow log on when it is exactly "true".
VARIABLE = "DEBUG_DATA_FLOW"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Describe = Callable[[str, Hashable], Series]


def is_wanted(setting: bool, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the data-flow log is on."""
    return setting or environment.get(VARIABLE) == "true"


class DataFlow:
    """Writes what passes, a line for each message, its time and each of its values.

    Args:
        out: Where the lines go.
        clock: Gives each line its stamp, in local time.
    """

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out = out
        self._clock = clock

    def show(self, batch: Batch, parts: Sequence[Part], describe: Describe) -> None:
        """Write the messages that were read, in their order."""
        lines: dict[int, list[str]] = {}
        for part in parts:
            for row, message in enumerate(part.message.tolist()):
                if message not in lines:
                    lines[message] = self._head(batch, message, int(part.readings.time_us[row]))
                lines[message].append(self._value(batch, message, part, row, describe))
        stamp = datetime.fromtimestamp(self._clock.now_us() / 1e6).astimezone()
        prefix = f"{stamp:%Y-%m-%d %H:%M:%S} "
        self._out.writelines(f"{prefix}{line}\n" for m in sorted(lines) for line in lines[m])
        self._out.flush()

    def _head(self, batch: Batch, message: int, time_us: int) -> list[str]:
        written = _document(batch.payloads[message]).get("timestamp")
        if written is None and time_us != int(batch.arrived_us[message]):
            written = (_EPOCH + timedelta(microseconds=time_us)).isoformat()
        return [
            f"Received a message by topic [{batch.topics[message].name}]",
            f"Data timestamp is {'NOW' if written is None else written}",
        ]

    def _value(self, batch: Batch, message: int, part: Part, row: int, describe: Describe) -> str:
        readings = part.readings
        name = describe(part.codec, readings.keys[int(readings.series[row])]).name
        value: object = _document(batch.payloads[message]).get(name)
        if value is None:
            number = float(readings.number[row])
            text = None if readings.text is None else readings.text[row].as_py()
            value = number if text is None else text
            if text is None and np.isfinite(number) and number == int(number):
                value = int(number)
        return f"{batch.topics[message].name.replace('/', '.')}.{name} {value}"


def _document(payload: bytes) -> dict[str, object]:
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
