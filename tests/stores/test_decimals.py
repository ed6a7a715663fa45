import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock.stores.lake import decimals

NUMBERS = st.lists(
    st.one_of(
        st.floats(),
        st.decimals(-10_000, 10_000, places=3, allow_nan=False).map(float),
        st.integers(-(2**60), 2**60).map(float),
        st.sampled_from([-0.0, 0.0, 2.0**53, 2.0**53 - 1, 0.1 + 0.2, 1e-9, 123456789.123456789]),
    ),
    min_size=1,
    max_size=50,
)


def taken_apart(numbers: list[float], starts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    number = np.array(numbers)
    held = np.ones(len(number), bool)
    digits, scale, is_decimal = decimals.split(number, held, np.array(starts, np.int64))
    joined = np.where(is_decimal, decimals.join(digits, scale), number)
    return joined, is_decimal


@given(NUMBERS, st.sets(st.integers(1, 49)))
def test_every_double_comes_back_bit_by_bit(numbers: list[float], cuts: set[int]) -> None:
    starts = [0, *sorted(cut for cut in cuts if cut < len(numbers))]
    joined, _ = taken_apart(numbers, starts)
    assert (joined.view(np.int64) == np.array(numbers).view(np.int64)).all()


def test_every_two_decimal_number_becomes_digits() -> None:
    numbers = (np.arange(-200_000, 200_000) / 100).tolist()
    numbers.remove(0.0)
    joined, is_decimal = taken_apart(numbers, [0])
    assert is_decimal.all()
    assert (joined == np.array(numbers)).all()


def test_the_scale_is_the_least_that_fits_all_of_a_run() -> None:
    number = np.array([1.0, 2.5, 3.25, 4.0, 5.0])
    digits, scale, is_decimal = decimals.split(number, np.ones(5, bool), np.array([0, 3]))
    assert digits.tolist() == [100, 250, 325, 4, 5]
    assert scale.tolist() == [2, 2, 2, 0, 0]
    assert is_decimal.all()


def test_a_run_of_binary_fractions_stays_doubles_whole() -> None:
    rng = np.random.default_rng(1)
    number = np.append(rng.normal(size=99), 1.0)
    _, _, is_decimal = decimals.split(number, np.ones(100, bool), np.array([0]))
    assert not is_decimal.any()


def test_rows_without_a_number_do_not_count_against_digits() -> None:
    number = np.array([np.nan] * 9 + [1.5])
    held = np.array([False] * 9 + [True])
    digits, _, is_decimal = decimals.split(number, held, np.array([0]))
    assert is_decimal.tolist() == [False] * 9 + [True]
    assert digits[-1] == 15
