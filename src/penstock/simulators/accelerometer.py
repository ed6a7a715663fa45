"""Accelerometers: seven sines and noise at up to 25,000 Hz, one array message per second."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from math import ceil

import msgspec
import numpy as np
import numpy.typing as npt

from penstock.core.errors import ConfigError
from penstock.simulators.message import Batches, Message, generator, merge
from penstock.simulators.sensor import MAX_RATE_HZ, Sensors, said, stamp

Floats = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

#: Amplitude, frequency in Hz and phase in radians of the waves.
WAVES = (
    (1.0, 5.0, 0.0),
    (0.6, 2.5, 0.0),
    (0.5, 10.0, 0.0),
    (0.3, 60.0, 0.3),
    (0.16, 120.0, 0.3),
    (0.86, 190.0, 0.0),
    (0.36, 550.0, 0.0),
)
SERIALS = ("AAD-1123", "BBB-3423")
#: What a sensor says while it boots: milliseconds after power-on, and the line.
BOOT = (
    (0, "power on"),
    (120, "bootloader started"),
    (350, "firmware loaded"),
    (600, "configuration loaded: sample frequency {rate:g} Hz"),
    (950, "self-test started"),
    (1_250, "self-test PASSED"),
    (1_500, "authenticated"),
    (1_600, "ready"),
)


def signal(seconds: Floats, random: np.random.Generator) -> Floats:
    """Return the acceleration at times since sampling began: the waves plus U(0,1) x N(0,1)."""
    total = random.uniform(0, 1, len(seconds)) * random.standard_normal(len(seconds))
    for amplitude, frequency, phase in WAVES:
        total += amplitude * np.sin(2 * np.pi * frequency * seconds + phase)
    return total


class Accelerometers:
    """Sensors that boot, register and then send their samples once per second.

    Each sensor is an MQTT client of its own. Topics are `sensor.<serial>.logs`,
    `sensor.<serial>.registry.created` and `sensor.<serial>.measurements` (retained). They obey
    commands, see `simulators.sensor`.

    Args:
        seed: Of all random numbers.
        count: How many; beyond the two named ones they are `SIM-0001` and so on.
        rate: Samples per second of each sensor, Hz.
    """

    name = "accelerometer"

    def __init__(self, seed: int = 0, *, count: int = 2, rate: float = 100.0) -> None:
        if not 1 <= count <= 9_999:
            msg = f"{count} sensors are not possible; 1 to 9999 are"
            raise ConfigError(msg)
        if not 0 < rate <= MAX_RATE_HZ:
            msg = f"rate {rate} Hz is not possible; more than 0 and up to {MAX_RATE_HZ:.0f} is"
            raise ConfigError(msg)
        self._seed = seed
        self._rate = rate
        extra = (f"SIM-{number:04d}" for number in range(1, count))
        self._serials = [*SERIALS, *extra][:count]
        self.obedience = Sensors(self._serials, rate)

    @property
    def devices(self) -> Sequence[str]:
        """One MQTT client per sensor, named by its serial number."""
        return self._serials

    def messages(self, start_us: int) -> Batches:
        """Yield the messages of all sensors in the order of their times."""
        return merge([self._sensor(serial, start_us) for serial in self._serials])

    def _sensor(self, serial: str, start_us: int) -> Iterator[Message]:
        random = generator(self._seed, serial)
        # Powered on one after the other, so that not all of them send at the same moment.
        power_on_us = start_us + int(random.integers(0, 1000)) * 1000
        for after_ms, line in BOOT:
            at_us = power_on_us + after_ms * 1000
            log = {
                "SerialNumber": serial,
                "Timestamp": stamp(at_us),
                "Level": "INFO",
                "Message": line.format(rate=self._rate),
            }
            yield said(at_us, serial, "logs", log)
        ready_us = power_on_us + BOOT[-1][0] * 1000
        known = {"SerialNumber": serial, "SampleFrequency": self._rate}
        yield said(ready_us, serial, "registry.created", known)
        topic = f"sensor.{serial}.measurements"
        sensor = self.obedience.sensors[serial]
        second = 0
        while True:
            rate = sensor.rate
            samples = np.arange(ceil(second * rate), ceil((second + 1) * rate))
            second += 1
            payload = b""
            if len(samples) and not sensor.is_asleep:
                values = signal(samples / rate, random)
                times_ns = ready_us * 1000 + np.round(samples * (1e9 / rate)).astype(np.int64)
                payload = measurements(serial, times_ns, values)
            # An empty one is not sent; it lets time pass for a sensor that is silent.
            yield Message(ready_us + second * 1_000_000, topic, payload, serial, retain=True)


def measurements(serial: str, times_ns: Int64s, values: Floats) -> bytes:
    """Return `[{"SerialNumber":...,"Timestamp":...,"Value":...},...]`, times in RFC3339Nano."""
    texts = msgspec.json.encode(values.tolist())[1:-1].decode().split(",")
    seconds = times_ns // 1_000_000_000
    parts: list[str] = []
    for second in np.unique(seconds).tolist():
        first, last = np.searchsorted(seconds, [second, second + 1]).tolist()
        head = f'{{"SerialNumber":"{serial}","Timestamp":"{_second(second)}'
        fractions = _fractions((times_ns[first:last] - second * 1_000_000_000).tobytes())
        parts += [
            f"{head}{fraction}{text}}}"
            for fraction, text in zip(fractions, texts[first:last], strict=True)
        ]
    return f"[{','.join(parts)}]".encode()


@functools.lru_cache(maxsize=64)
def _fractions(nanoseconds: bytes) -> tuple[str, ...]:
    """Return what stands between the second and the value; the same every second as a rule."""
    return tuple(
        _fraction(each) + 'Z","Value":' for each in np.frombuffer(nanoseconds, np.int64).tolist()
    )


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09d}".rstrip("0").rstrip(".")


def _second(second: int) -> str:
    return str(np.datetime64(second, "s"))
