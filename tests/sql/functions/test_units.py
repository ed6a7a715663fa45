from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.sql.functions import units
from penstock.sql.functions.units import conversion, measure


def converted(number: float, unit_from: str, unit_to: str) -> float:
    how = conversion(unit_from, unit_to)
    return number * how.multiply / how.divide + how.add


@pytest.mark.parametrize(
    ("number", "unit_from", "unit_to", "expected"),
    [
        (36, "km/h", "m/s", 10),
        (10, "m/s", "km/h", 36),
        (100, "Cel", "[degF]", 212),
        (-40, "[degF]", "Cel", -40),
        (25, "°C", "K", 298.15),
        (0, "K", "degC", -273.15),
        (1500, "mCel", "Cel", 1.5),
        (1, "[mi_i]", "m", 1609.344),
        (1, "[ft_i]", "cm", 30.48),
        (100, "ft", "m", 30.48),
        (1, "[kn_i]", "m/s", 1852 / 3600),
        (1, "bar", "Pa", 100_000),
        (1013.25, "hPa", "atm", 1),
        (760, "mm[Hg]", "Pa", 760 * 133.322),
        (1, "[psi]", "Pa", 6894.757293168361),
        (1, "kWh", "MJ", 3.6),
        (60, "l/min", "m3/h", 3.6),
        (60, "L/min", "l/s", 1),
        (3000, "rpm", "Hz", 50),
        (1, "[g]", "m/s²", 9.80665),
        (50, "%", "1", 0.5),
        (1, "%", "[ppm]", 10_000),
        (180, "deg", "rad", math.pi),
        (1, "kg.m/s2", "N", 1),
        (1, "V.A", "W", 1),
        (1, "g/(m.s)", "kg/m/s", 0.001),
        (1, "kg/m/s", "kg/(m.s)", 1),
        (1, "KiBy", "bit", 8192),
        (2, "10*3", "1", 2000),
        (1, "a", "d", 365.25),
        (5, "m{above sea level}", "m", 5),
        (1, "[HP]", "W", 745.6998715822702),
        (1, "cm-2", "m-2", 10_000),
        (1, "um", "m", 1e-6),
        (1, "µm", "nm", 1000),
        (1, "dam", "m", 10),
        (1, "Pa", "N/m2", 1),
        (1, "cd", "cd", 1),
        (1, "d", "min", 1440),
        (5, "[degR]", "K", 25 / 9),
    ],
)
def test_numbers_are_converted_as_the_code_says(
    number: float, unit_from: str, unit_to: str, expected: float
) -> None:
    assert converted(number, unit_from, unit_to) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("unit_from", "unit_to", "message"),
    [
        ("m", "s", "cannot be converted"),
        ("C", "Cel", "cannot be converted"),  # coulomb
        ("KM", "m", "'KM' is not known"),
        ("Cel/h", "K/h", "zero of its own"),
        ("", "m", "1 to 60"),
        ("m" * 61, "m", "1 to 60"),
        ("m99", "m", "exponents"),
        ("m/", "m", "missing"),
        ("(m", "m", r"'\)' is missing"),
        ("m)", "m", "not understood"),
        ("kmin", "s", "not known"),  # minutes take no prefix
        ("m/0", "m", "0 has no meaning"),
        ("furlong", "m", "write its UCUM code"),
    ],
)
def test_what_cannot_be_converted_is_refused(unit_from: str, unit_to: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conversion(unit_from, unit_to)


CODES = sorted([*units._METRIC, *units._FIXED, *units._BASES])


def test_every_unit_of_the_tables_is_understood() -> None:
    for code in [*CODES, *units._AFFINE, *units._SPELLINGS]:
        assert measure(code).factor > 0, code


@given(st.sampled_from(CODES), st.sampled_from(CODES), st.integers(-3, 3))
def test_a_quotient_is_the_quotient_of_its_parts(one: str, other: str, power: int) -> None:
    whole = measure(f"({one})/({other}).m{power}")
    parts = measure(one), measure(other)
    assert whole.factor == parts[0].factor / parts[1].factor
    assert whole.dimensions[0] == parts[0].dimensions[0] - parts[1].dimensions[0] + power


@given(st.text(max_size=70))
def test_any_text_is_a_unit_or_refused_as_one(text: str) -> None:
    try:
        assert measure(text).dimensions
    except ValueError as error:
        assert str(error)  # noqa: PT017


@given(st.text("mskgKC/.()[]0123456789-+{}*^ lH", max_size=40))
def test_any_text_of_signs_of_units_is_a_unit_or_refused_as_one(text: str) -> None:
    test_any_text_is_a_unit_or_refused_as_one.hypothesis.inner_test(text)  # type: ignore[attr-defined]


@given(
    st.sampled_from([("Cel", "[degF]"), ("km/h", "[mi_i]/h"), ("kPa", "bar"), ("rpm", "Hz")]),
    st.floats(-1e6, 1e6),
)
def test_there_and_back_is_the_same(pair: tuple[str, str], number: float) -> None:
    there = converted(number, *pair)
    assert converted(there, *reversed(pair)) == pytest.approx(number, rel=1e-9, abs=1e-9)
