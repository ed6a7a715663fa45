"""What engineers ask of vibrations and directions: effective values, peaks, spectra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from penstock.sql.functions.making import merged
from penstock.sql.signature import CALL_END, Function, Kind, Merge, Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Names in DuckDB of the functions of lists.
SPECTRUM, SPECTRAL_PEAK, BAND_RMS = (
    "penstock_spectrum", "penstock_spectral_peak", "penstock_band_rms",
)  # fmt: skip

#: Weights of the values before the transform: none, or Hann's, which keeps what lies between two
#: frequencies from leaking into all.
WINDOWS = ("none", "hann")


def _direction(north: str, east: str) -> str:
    """Return SQL of a mean direction; null when they cancel out, up to rounding."""
    return (
        f"(CASE WHEN pow({north}, 2) + pow({east}, 2) > 1e-20"
        f" THEN fmod(degrees(atan2({east}, {north})) + 360, 360) END)"
    )


#: Of directions as arrows of length 1: their parts to the north and to the east.
_ARROWS = ("cos(radians({0}))", "sin(radians({0}))")


def _of_list(udf: str, kind: Kind, unit: str | None, windowed_at: int) -> Callable[..., Value]:
    def made(values: Sequence[Value]) -> Value:
        args = list(values)
        keeps = args[0].unit if unit == "keep" else unit
        if windowed_at:
            window = args[windowed_at].literal if len(args) > windowed_at else "none"
            if window not in WINDOWS:
                msg = f"the window is one of {', '.join(map(repr, WINDOWS))}, written out"
                raise ValueError(msg)
            texts = [value.sql for value in args[:windowed_at]] + [f"'{window}'"]
        else:
            texts = [value.sql for value in args]
        return merged(values, f"{udf}({', '.join(texts)})", kind, keeps)

    return made


def spectrum(values: pa.Array, rates: pa.Array, windows: pa.Array) -> pa.Array:
    """Return single-sided amplitude spectra as JSON, `{"step": Hz, "amplitudes": [...]}`.

    The first amplitude is the mean, with its sign lost; a sine of amplitude A that fits a whole
    number of times into the values shows A at its frequency. Null where a value is missing or not
    finite, where there are fewer than two, or where the rate is not above 0.
    """
    window = _first(windows)

    def one(signal: Floats, rate: float) -> str:
        amplitudes = _amplitudes(signal, window)
        listed = ",".join([f"{amplitude:.7g}" for amplitude in amplitudes.tolist()])
        return f'{{"step":{rate / len(signal):.10g},"amplitudes":[{listed}]}}'

    return pa.array(_each(values, rates, one), pa.string())


def spectral_peak(values: pa.Array, rates: pa.Array, windows: pa.Array) -> pa.Array:
    """Return the frequency in Hz at which the spectrum, without the mean, is largest.

    Of equal ones the lowest; null as `spectrum`, and where nothing moves.
    """
    window = _first(windows)

    def one(signal: Floats, rate: float) -> float | None:
        amplitudes = _amplitudes(signal - signal.mean(), window)[1:]
        at = int(amplitudes.argmax())
        return (at + 1) * rate / len(signal) if amplitudes[at] > 0 else None

    return pa.array(_each(values, rates, one), pa.float64())


def band_rms(values: pa.Array, rates: pa.Array, lows: pa.Array, highs: pa.Array) -> pa.Array:
    """Return the effective value of what lies between two frequencies in Hz, both inclusive.

    Null as `spectrum`, and where the band is empty or its limits are missing.
    """
    import numpy as np

    limits = iter(zip(lows.to_pylist(), highs.to_pylist(), strict=True))

    def one(signal: Floats, rate: float, low: float | None, high: float | None) -> float | None:
        if low is None or high is None or not 0 <= low <= high:
            return None
        frequencies = np.arange(len(signal) // 2 + 1) * (rate / len(signal))
        wanted = (frequencies >= low) & (frequencies <= high)
        power = np.abs(np.fft.rfft(signal)) ** 2 / len(signal) ** 2
        power[1 : (len(signal) + 1) // 2] *= 2
        return float(np.sqrt(power[wanted].sum()))

    found = []
    for (signal, rate), (low, high) in zip(_signals(values, rates), limits, strict=True):
        found.append(None if signal is None else one(signal, rate, low, high))
    return pa.array(found, pa.float64())


def _amplitudes(signal: Floats, window: str) -> Floats:
    import numpy as np

    count = len(signal)
    # The periodic form, which is the one for spectra; one value more than the symmetric one has.
    weights = np.hanning(count + 1)[:-1] if window == "hann" else np.ones(count)
    amplitudes: Floats = np.abs(np.fft.rfft(signal * weights)) / weights.sum()
    amplitudes[1 : (count + 1) // 2] *= 2
    return amplitudes


def _each(values: Any, rates: Any, one: Callable[[Floats, float], Any]) -> list[Any]:
    return [
        None if signal is None else one(signal, rate) for signal, rate in _signals(values, rates)
    ]


def _signals(values: Any, rates: Any) -> list[tuple[Floats | None, float]]:
    import numpy as np

    found: list[tuple[Floats | None, float]] = []
    for cell, rate in zip(values, rates.to_pylist(), strict=True):
        is_good = cell.is_valid and rate is not None and 0 < rate < float("inf")
        signal = cell.values.to_numpy(zero_copy_only=False) if is_good else None
        if signal is None or len(signal) < 2 or not np.isfinite(signal).all():
            found.append((None, 0.0))
        else:
            found.append((signal, float(rate)))
    return found


def _first(windows: pa.Array) -> str:
    return windows[0].as_py() if len(windows) else "none"


FUNCTIONS = {
    "RMS": Function(
        takes=(Kind.NUMBER,),
        gives=Kind.NUMBER,
        sql=f"sqrt(favg(pow({{0}}, 2)){CALL_END})",
        is_aggregate=True,
        keeps_unit=True,
        merge=Merge(("fsum(pow({0}, 2))", "count({0})"), "sqrt(fsum({0}) / sum({1}))"),
        example="RMS(result)",
    ),
    "PEAK": Function(
        takes=(Kind.NUMBER,),
        gives=Kind.NUMBER,
        sql="max(abs({0}))",
        is_aggregate=True,
        keeps_unit=True,
        merge=Merge(("max(abs({0}))",), "max({0})"),
        example="PEAK(result)",
    ),
    "CIRCULAR_MEAN": Function(
        takes=(Kind.NUMBER,),
        gives=Kind.NUMBER,
        sql=_direction(*(f"favg({part}){CALL_END}" for part in _ARROWS)),
        is_aggregate=True,
        keeps_unit=True,
        merge=Merge(
            (*(f"fsum({part})" for part in _ARROWS), "count({0})"),
            _direction("(fsum({0}) / sum({2}))", "(fsum({1}) / sum({2}))"),
        ),
        example="CIRCULAR_MEAN(result)",
    ),
    "SPECTRUM": Function(
        takes=(Kind.NUMBERS, Kind.NUMBER, Kind.TEXT),
        gives=Kind.JSON,
        sql=_of_list(SPECTRUM, Kind.JSON, "keep", 2),
        needs=2,
        example="SPECTRUM(ARRAY_AGG(result), 1000, 'hann')",
    ),
    "SPECTRAL_PEAK": Function(
        takes=(Kind.NUMBERS, Kind.NUMBER, Kind.TEXT),
        gives=Kind.NUMBER,
        sql=_of_list(SPECTRAL_PEAK, Kind.NUMBER, "Hz", 2),
        needs=2,
        example="SPECTRAL_PEAK(ARRAY_AGG(result), 1000)",
    ),
    "BAND_RMS": Function(
        takes=(Kind.NUMBERS, Kind.NUMBER, Kind.NUMBER, Kind.NUMBER),
        gives=Kind.NUMBER,
        sql=_of_list(BAND_RMS, Kind.NUMBER, "keep", 0),
        example="BAND_RMS(ARRAY_AGG(result), 1000, 10, 200)",
    ),
}
