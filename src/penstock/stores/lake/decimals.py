"""Numbers as whole `digits` and a power of ten, exactly, or not at all.

Sensors report decimals. `21.37` is kept as digits 2137 and scale 2, because whole numbers that
change little pack into few bits and binary fractions do not. A number is kept so only when
`digits / 10**scale` gives the very same double back; else it stays a double.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

#: Most decimals that are tried.
MAX_SCALE = 9
#: Powers of ten by scale; all of them are exact doubles.
POWERS: Floats = np.array([10.0**power for power in range(MAX_SCALE + 1)], np.float64)
#: Largest digits: every whole number up to here is a double, so the division rounds once.
MAX_DIGITS = 2**53
#: Share of rows of a run that must be decimals, or the run stays doubles.
_WORTHWHILE = 0.9
#: Rows that are looked at to guess the scale of all.
_SAMPLE = 1_000
#: Rows of a run that are looked at before all of them are.
_LOOKS = 64


def split(number: Floats, is_held: Bools, starts: Int64s) -> tuple[Int64s, Int8s, Bools]:
    """Return digits, scale and which rows are kept that way.

    Args:
        number: The numbers.
        is_held: False where there is no number (the row is then not kept that way).
        starts: Where runs of one series begin; a run has one scale.
    """
    rows = len(number)
    if rows == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int8), np.zeros(0, np.bool_)
    found = _split_at_once(number, is_held, starts)
    return _split_row_by_row(number, is_held, starts) if found is None else found


def _split_at_once(
    number: Floats, is_held: Bools, starts: Int64s
) -> tuple[Int64s, Int8s, Bools] | None:
    """Return what `split` promises when all numbers are decimals alike, else None; fast."""
    sample = slice(None, None, max(len(number) // _SAMPLE, 1))
    guess = int(_scale_of_rows(number[sample], is_held[sample]).max())
    if guess < 0 or not is_held.all():
        return None
    with np.errstate(over="ignore"):
        product = number * POWERS[guess]
    product = np.rint(product, out=product)
    fits = (product / POWERS[guess] == number) & (np.abs(product) < MAX_DIGITS)
    if not fits.all() or (np.signbit(number) & (number == 0)).any():
        return None
    digits = product.astype(np.int64)
    lengths = np.diff(np.append(starts, len(number)))
    scale = np.full(len(starts), guess, np.int8)
    while guess:
        # A run whose digits all end in 0 needs one less of them.
        shorter = np.logical_and.reduceat(digits % 10 == 0, starts) & (scale == guess)
        if not shorter.any():
            break
        rows = np.repeat(shorter, lengths)
        digits[rows] //= 10
        scale[shorter] -= 1
        guess -= 1
    return digits, np.repeat(scale, lengths), fits


def _split_row_by_row(
    number: Floats, is_held: Bools, starts: Int64s
) -> tuple[Int64s, Int8s, Bools]:
    rows = len(number)
    lengths = np.diff(np.append(starts, rows))
    scale = np.full(rows, -1, np.int8)
    promising = _promising(number, is_held, starts, lengths)
    if promising.all():
        scale = _scale_of_rows(number, is_held)
    elif promising.any():
        chosen = np.repeat(promising, lengths)
        scale[chosen] = _scale_of_rows(number[chosen], is_held[chosen])
    is_decimal = scale >= 0
    run_scale = np.maximum.reduceat(scale, starts)
    scale = np.repeat(run_scale, lengths).clip(0)
    digits = np.zeros(rows, np.int64)
    at = np.flatnonzero(is_decimal)
    product = np.rint(number[at] * POWERS[scale[at]])
    # A row that fits its own scale may be too large for the scale of its run.
    fits = np.abs(product) < MAX_DIGITS
    digits[at[fits]] = product[fits].astype(np.int64)
    is_decimal[at[~fits]] = False
    decimals = np.add.reduceat(is_decimal.astype(np.int64), starts)
    held = np.add.reduceat(is_held.astype(np.int64), starts)
    is_decimal &= np.repeat(decimals >= _WORTHWHILE * held, lengths)
    digits[~is_decimal] = 0
    return digits, scale, is_decimal


def _promising(number: Floats, is_held: Bools, starts: Int64s, lengths: Int64s) -> Bools:
    """Return which runs may be decimals, by a look at a few rows of each that is long."""
    is_long = lengths > _LOOKS
    found = ~is_long
    first, length = starts[is_long], lengths[is_long]
    rows = (first[:, None] + np.arange(_LOOKS) * length[:, None] // _LOOKS).ravel()
    is_decimal = _scale_of_rows(number[rows], is_held[rows]) >= 0
    is_decimal |= ~is_held[rows]
    # Half of what is asked for later, so that a run is given up only when it is clear.
    enough = _WORTHWHILE / 2 * _LOOKS
    found[is_long] = np.count_nonzero(is_decimal.reshape(-1, _LOOKS), axis=1) >= enough
    return found


def join(digits: Int64s, scale: npt.NDArray[np.integer]) -> Floats:
    """Return the numbers that `split` took apart."""
    if len(scale) and (scale == scale[0]).all():
        whole: Floats = digits / POWERS[scale[0]]
        return whole
    found: Floats = digits / POWERS[scale]
    return found


def _scale_of_rows(number: Floats, is_held: Bools) -> Int8s:
    """Return the least scale of each row, -1 where there is none."""
    scale = np.full(len(number), -1, np.int8)
    ok = is_held & (np.abs(number) < MAX_DIGITS) & ~((number == 0) & np.signbit(number))
    rest = np.flatnonzero(ok)
    value = number[rest]
    for power in range(MAX_SCALE + 1):
        if not len(rest):
            break
        digits = np.rint(value * POWERS[power])
        fits = (digits / POWERS[power] == value) & (np.abs(digits) < MAX_DIGITS)
        if fits.all():
            scale[rest] = power
            break
        if not fits.any():
            continue
        scale[rest[fits]] = power
        rest, value = rest[~fits], value[~fits]
    return scale
