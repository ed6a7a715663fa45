from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.codec import Readings
from penstock.core.observation import SCHEMA
from penstock.ingest.columns import observations_of
from penstock.ingest.decoding import Part

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.integers(-(10**15), 10**15)
MAYBE_TIMES = st.one_of(st.none(), TIMES)


@st.composite
def parts(draw):
    """Draw a part, the datastream of each row, and its rows as plain tuples with messages."""
    rows = draw(st.integers(0, 6))

    def column(values):
        return draw(st.lists(values, min_size=rows, max_size=rows))

    message = sorted(column(st.integers(0, 9)))
    ids, times = column(st.integers(0, 3)), column(TIMES)
    number = column(st.floats(allow_nan=False))
    text = column(st.one_of(st.none(), st.text("aé€", max_size=3))) if draw(st.booleans()) else None
    feature = column(st.integers(0, 2**62)) if draw(st.booleans()) else None
    end = column(MAYBE_TIMES) if draw(st.booleans()) else None
    result = column(MAYBE_TIMES) if draw(st.booleans()) else None
    facts = column(st.one_of(st.none(), st.just('{"a":1}'))) if draw(st.booleans()) else None
    if text is not None:
        number = [float("nan") if t is not None else n for t, n in zip(text, number, strict=True)]
    readings = Readings(
        keys=["k"],
        series=np.zeros(rows, np.int32),
        time_us=np.array(times, np.int64),
        number=np.array(number, np.float64),
        message=np.array(message, np.int32),
        text=None if text is None else pa.array(text, pa.string()),
        feature=None if feature is None else np.array(feature, np.int64),
        end_time_us=None if end is None else pa.array(end, pa.int64()),
        result_time_us=None if result is None else pa.array(result, pa.int64()),
        parameters=None if facts is None else pa.array(facts, pa.string()),
    )
    nothing = [None] * rows
    expected = [
        (m, (i, t, None if x is not None else n, x, f, e, r, p))
        for m, i, t, n, x, f, e, r, p in zip(
            message, ids, times, number, text or nothing, feature or [0] * rows,
            end or nothing, result or nothing, facts or nothing, strict=True,
        )
        if i
    ]  # fmt: skip
    part = Part("codec", readings, np.array(message, np.int64))
    return part, np.array(ids, np.int64), expected


def micros(value):
    return None if value is None else (value - EPOCH) // timedelta(microseconds=1)


@given(st.lists(parts(), max_size=4))
def test_rows_of_all_parts_come_in_the_order_of_their_messages(drawn):
    batch = observations_of([part for part, _, _ in drawn], [ids for _, ids, _ in drawn])
    assert batch.schema == SCHEMA
    batch.validate(full=True)
    rows = [
        (row[0], micros(row[1]), row[2], row[3], row[4], micros(row[5]), micros(row[6]), row[7])
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    ]
    everything = [entry for _, _, expected in drawn for entry in expected]
    assert rows == [row for _, row in sorted(everything, key=lambda entry: entry[0])]
