"""Times as SensorThings writes them: ISO 8601 in UTC, intervals as `start/end`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

#: Stands for a time that is not there, in columns of numbers.
NO_TIME = -(2**63)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all times are UTC, and so is its text
_SECOND = 1_000_000


def iso(us: int) -> str:
    """Return a time, microseconds UTC, with as many digits behind the second as it needs."""
    moment = _EPOCH + timedelta(microseconds=us)
    rest = us % _SECOND
    if not rest:
        return moment.isoformat() + "Z"
    if not rest % 1000:
        return moment.isoformat(timespec="milliseconds") + "Z"
    return moment.isoformat(timespec="microseconds") + "Z"


def interval(start_us: int, end_us: int) -> str:
    """Return an interval."""
    return f"{iso(start_us)}/{iso(end_us)}"


def isos(times_us: Int64s) -> list[str]:
    """Return many times; the same as `iso` of each, much faster."""
    if len(times_us) < 16:
        return [iso(us) for us in times_us.tolist()]
    # Many series that are read together share their times.
    distinct, which = np.unique(times_us, return_inverse=True)
    if len(distinct) * 2 < len(times_us):
        texts_of = isos(distinct)
        return [texts_of[at] for at in which.tolist()]
    digits = 0 if not (times_us % _SECOND).any() else 3 if not (times_us % 1000).any() else 6
    stamps = times_us.view("datetime64[us]")
    unit: Literal["s", "ms", "us"] = "s" if not digits else "ms" if digits == 3 else "us"
    texts: list[str] = np.char.add(np.datetime_as_string(stamps, unit=unit), "Z").tolist()
    if digits:
        is_even = times_us % (_SECOND if digits == 3 else 1000) == 0
        for at in np.flatnonzero(is_even).tolist():
            texts[at] = iso(int(times_us[at]))
    return texts
