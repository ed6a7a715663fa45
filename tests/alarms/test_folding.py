import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alarms.arrivals import Row, deliver, spans, table
from tests.alarms.naive import activations, silences

from penstock.alarms.absences import Absences
from penstock.alarms.folding import Conditions
from penstock.alarms.machine import Timing
from penstock.alarms.rows import Shape

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


def plain(fold: Conditions | Absences) -> dict[str, list[tuple[int, int, int | None]]]:
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
    fold = Absences(Shape(), absent)
    deliver(fold, cut(rows, seed, size))
    fold.advance(UNTIL)
    expected = {}
    for series in {row.series for row in rows}:
        times = [row.time_us for row in rows if row.series == series]
        if found := silences(times, absent, UNTIL):
            expected[f"[{series}]"] = found
    assert plain(fold) == expected


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
    fold = Absences(Shape(), 10)
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
