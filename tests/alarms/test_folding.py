import random
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alarms.arrivals import Row, deliver, spans, table
from tests.alarms.naive import activations, runs, silences

from penstock.alarms.folding import Conditions
from penstock.alarms.machine import Timing
from penstock.alarms.rows import Shape
from penstock.alarms.runs import Runs, Series

UNTIL = 60
SHAPE = Shape(has_raised=True, has_cleared=True)


@st.composite
def some_rows(draw: st.DrawFn) -> list[Row]:
    """Rows of up to three datastreams, a row for each (datastream, time)."""
    signals = st.sampled_from([(True, False), (False, True), (False, False), (None, None)])
    at = st.tuples(st.integers(1, 3), st.integers(0, UNTIL - 1))
    found = draw(st.dictionaries(at, signals, max_size=60))
    return [Row(series, time, *signal) for (series, time), signal in found.items()]


def cut(rows: Sequence[Row], seed: int, size: int) -> list[list[Row]]:
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    return [shuffled[at : at + size] for at in range(0, len(shuffled), size)]


def plain(fold: Conditions | Runs) -> dict[str, list[tuple[int, int, int | None]]]:
    return {
        name: [(span.start_us, span.raised_us, span.cleared_us) for span in some]
        for name, some in spans(fold).items()
    }


@settings(max_examples=400, deadline=None)
@given(
    rows=some_rows(),
    hold=st.integers(0, 6),
    off=st.integers(0, 6),
    seed=st.integers(0, 5),
    size=st.integers(1, 70),
)
def test_rows_in_any_order_and_batches_end_as_the_plain_meaning(
    rows: list[Row], hold: int, off: int, seed: int, size: int
) -> None:
    fold = Conditions(SHAPE, Timing(hold, off))
    deliver(fold, cut(rows, seed, size))
    fold.advance(UNTIL)
    expected = {
        f"[{series}]": found
        for series in {row.series for row in rows}
        if (found := activations([row for row in rows if row.series == series], hold, off, UNTIL))
    }
    assert plain(fold) == expected


@settings(max_examples=200, deadline=None)
@given(rows=some_rows(), hold=st.integers(0, 6), seed=st.integers(0, 5), size=st.integers(1, 20))
def test_live_ends_as_a_backtest(rows: list[Row], hold: int, seed: int, size: int) -> None:
    live, backtest = Conditions(SHAPE, Timing(hold, 2)), Conditions(SHAPE, Timing(hold, 2))
    deliver(live, cut(rows, seed, size))
    in_order = sorted(rows, key=lambda row: row.time_us)
    for at in range(0, len(in_order), 7):
        backtest.put(table(in_order[at : at + 7]), None, None)
    for fold in (live, backtest):
        fold.advance(UNTIL)
    assert spans(live) == spans(backtest)


@settings(max_examples=200, deadline=None)
@given(rows=some_rows(), seed=st.integers(0, 5), size=st.integers(1, 20), absent=st.integers(1, 20))
def test_absence_ends_as_the_plain_meaning_in_any_order(
    rows: list[Row], seed: int, size: int, absent: int
) -> None:
    fold = Runs(Shape(), absent, absent=True)
    deliver(fold, cut(rows, seed, size))
    fold.advance(UNTIL)
    expected = {}
    for series in {row.series for row in rows}:
        times = [row.time_us for row in rows if row.series == series]
        if found := silences(times, absent, UNTIL):
            expected[f"[{series}]"] = found
    assert plain(fold) == expected


@settings(max_examples=200, deadline=None)
@given(
    rows=some_rows(),
    seed=st.integers(0, 5),
    size=st.integers(1, 20),
    off=st.integers(1, 20),
    marks=st.lists(st.integers(0, UNTIL), max_size=4),
)
def test_runs_of_rows_end_as_the_plain_meaning_in_any_order(
    rows: list[Row], seed: int, size: int, off: int, marks: list[int]
) -> None:
    fold = Runs(Shape(), off, absent=False)
    batches = cut(rows, seed, size)
    for at, batch in enumerate(batches):
        deliver(fold, [batch])
        if at < len(marks):
            # However far time has passed: what comes late changes what was over.
            fold.advance(marks[at])
            fold.count(fold.uncounted())
    fold.advance(UNTIL)
    expected = {}
    for series in {row.series for row in rows}:
        times = [row.time_us for row in rows if row.series == series]
        expected[f"[{series}]"] = runs(times, off, UNTIL)
    assert plain(fold) == expected


@settings(max_examples=150, deadline=None)
@given(rows=some_rows(), size=st.integers(1, 20), off=st.integers(1, 9), at=st.integers(0, 60))
def test_rows_in_order_are_counted_also_when_they_come_again_after_a_crash(
    rows: list[Row], size: int, off: int, at: int
) -> None:
    in_order = sorted(rows, key=lambda row: row.time_us)
    batches = [in_order[n : n + size] for n in range(0, len(rows), size)]
    first = Runs(Shape(), off, absent=False)
    kept_at = at % (len(batches) + 1)
    for batch in batches[:kept_at]:
        first.put(table(batch), None, None)
    first.count(first.uncounted())
    kept = {
        name: msgspec.json.decode(msgspec.json.encode(key), type=Series)
        for name, key in first.keys.items()
    }
    second = Runs(Shape(), off, absent=False, keys=kept, heard_us=first.newest_us)
    for batch in batches[max(0, kept_at - 1) :]:
        second.put(table(batch), None, None)
    second.count(second.uncounted())
    second.advance(UNTIL + 100)
    for series in {row.series for row in rows}:
        times = [row.time_us for row in rows if row.series == series]
        assert sum(span.occurrences for span in spans(second)[f"[{series}]"]) == len(set(times))


@settings(max_examples=150, deadline=None)
@given(
    rows=some_rows(), gone=st.sets(st.integers(0, UNTIL - 1)), start=st.integers(0, UNTIL),
    off=st.integers(1, 9),
)  # fmt: skip
def test_a_range_takes_back_what_lies_in_it_wholly(
    rows: list[Row], gone: set[int], start: int, off: int
) -> None:
    fold = Runs(Shape(), off, absent=False)
    fold.put(table(rows), None, None)
    fold.advance(UNTIL + 100)
    before = {name: list(some) for name, some in plain(fold).items()}
    left = [row for row in rows if row.time_us < start or row.time_us not in gone]
    outcome = fold.put(table([row for row in left if row.time_us >= start]), start, UNTIL + 1)
    fold.advance(UNTIL + 200)
    for series in {row.series for row in rows}:
        name = f"[{series}]"
        if any(first < start <= (end or 0) - off for first, _, end in before[name]):
            continue  # A run is cut by the range: what was seen of it counts.
        kept = [row.time_us for row in left if row.series == series]
        assert plain(fold).get(name, []) == runs(kept, off, UNTIL + 100)
        if name in outcome.changed:
            was = [(s.start_us, s.raised_us, s.cleared_us) for s in outcome.changed[name][0]]
            assert was == before[name]


@settings(max_examples=150, deadline=None)
@given(rows=some_rows(), seed=st.integers(0, 5), size=st.integers(1, 9), at=st.integers(0, 60))
def test_a_fold_that_is_taken_up_from_what_was_kept_goes_on_as_before(
    rows: list[Row], seed: int, size: int, at: int
) -> None:
    whole = Conditions(SHAPE, Timing(3, 2))
    batches = cut(rows, seed, size)
    before, after = batches[: at % (len(batches) + 1)], batches[at % (len(batches) + 1) :]
    first = Conditions(SHAPE, Timing(3, 2))
    held = sorted((row for batch in before for row in batch), key=lambda row: row.time_us)
    first.put(table(held), None, None)
    whole.put(table(held), None, None)
    taken_up = Conditions(SHAPE, Timing(3, 2), first.keys)
    later = sorted((row for batch in after for row in batch), key=lambda row: row.time_us)
    end = UNTIL * 2
    shifted = [row._replace(time_us=row.time_us + UNTIL) for row in later]
    # The newest batch comes again after a crash.
    for fold in (whole, taken_up):
        fold.put(table(held), None, None)
        fold.put(table(shifted), None, None)
        fold.advance(end)
    assert spans(whole) == spans(taken_up)


def test_a_key_that_never_sent_is_missed_and_found() -> None:
    fold = Runs(Shape(), 10, absent=True)
    fold.expect({"[7]": {"name": "pump"}, '["gone"]': {"name": "gone"}}, 100, 100)
    assert fold.advance(110).changed == {}
    missed = fold.advance(111).changed
    assert {name: span.raised_us for name, (_, (span,)) in missed.items()} == {
        "[7]": 110,
        '["gone"]': 110,
    }
    found = fold.put(table([Row(7, 120, None)]), None, None).changed
    assert found["[7]"][1][0].cleared_us == 120


def test_rows_that_change_nothing_keep_nothing() -> None:
    fold = Conditions(SHAPE, Timing())
    for time in range(100):
        rows = [Row(series, time, False, True) for series in range(50)]
        assert fold.put(table(rows), None, None).changed == {}
    assert not fold.keys
    assert not fold.touched
