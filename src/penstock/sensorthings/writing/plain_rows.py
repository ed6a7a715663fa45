"""Elements of data arrays without anything unusual, as nearly all are: read by columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from penstock.core.series import ObservationType
from penstock.sensorthings.writing.results import EXACT, Kind, Row

#: Components that are read here.
_FEATURES = ("FeatureOfInterest/id", "FeatureOfInterest/@iot.id")
_READ = frozenset({"phenomenonTime", "result", *_FEATURES})
#: Times in UTC as most clients write them; what is no date is found by numpy.
_PLAIN_TIME = re.compile(
    r"[12]\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII
)


def plain_rows(
    values: Sequence[object], components: Sequence[str], kind: Kind, no_time: int
) -> list[Row] | None:
    """Return the rows of elements, or None when one of them has to be looked at by itself.

    Args:
        values: The elements.
        components: What each of them has, in order.
        kind: Of the datastream.
        no_time: Time of rows that have none.
    """
    if not values or kind.parts is not None or kind.type == ObservationType.TRUTH:
        return None
    if not _READ.issuperset(components):
        return None
    lists = [one for one in values if type(one) is list and len(one) == len(components)]
    if len(lists) < len(values):
        return None
    columns = dict(zip(components, zip(*lists, strict=True), strict=True))
    results = columns["result"]
    if not _are(results, int, float):
        return None
    try:
        numbers = np.array(results, np.float64)
    except OverflowError:
        return None
    # As for a single Observation: a whole number that a double does not hold is kept as text.
    if not (np.isfinite(numbers).all() and (np.abs(numbers) <= EXACT).all()):
        return None
    times: Sequence[int] | None = [no_time] * len(lists)
    if "phenomenonTime" in columns:
        times = plain_times(columns["phenomenonTime"])
    features: Sequence[int] = [0] * len(lists)
    named = [columns[name] for name in _FEATURES if name in columns]
    if len(named) == 1:
        if not _are(named[0], int) or min(named[0]) <= 0:
            return None
        features = named[0]
    if times is None or len(named) > 1:
        return None
    return [
        Row(0, time_us, number, None, feature, None, None, None)
        for time_us, number, feature in zip(times, numbers.tolist(), features, strict=True)
    ]


def plain_times(texts: Sequence[object]) -> list[int] | None:
    """Return times in microseconds, or None when one is not written in the plainest way."""
    kept = [one[:-1] for one in texts if type(one) is str and _PLAIN_TIME.fullmatch(one)]
    if len(kept) < len(texts):
        return None
    try:
        found: list[int] = np.array(kept, "datetime64[us]").astype(np.int64).tolist()
    except ValueError:
        return None
    return found


def _are(values: Sequence[object], *types: type) -> bool:
    """Tell whether all values are of these types and no others; true and false are no numbers."""
    return set(map(type, values)) <= set(types)
