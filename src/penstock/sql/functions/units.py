"""Units of measurement by their UCUM codes: what they are in base units, and how to convert.

The codes are the case-sensitive ones of the Unified Code for Units of Measure. A few spellings
that devices use (`°C`, `m³`, `ft`, `rpm`) are understood beside them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

#: Longest code that is read.
MAX_CHARACTERS = 60

#: Largest exponent of a unit, either sign.
MAX_EXPONENT = 12

#: Exponents of metre, second, gram, radian, kelvin, coulomb and candela.
Dimensions = tuple[int, int, int, int, int, int, int]

_NONE: Dimensions = (0, 0, 0, 0, 0, 0, 0)
_BASES = ("m", "s", "g", "rad", "K", "C", "cd")

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1,
    "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}

#: Units that take prefixes, each by what it is in others. Pi is a float's worth of it.
_METRIC = {
    "mol": "602214076000000000000000 1", "sr": "1 rad2", "Hz": "1 /s", "N": "1 kg.m/s2",
    "Pa": "1 N/m2", "J": "1 N.m", "W": "1 J/s", "A": "1 C/s", "V": "1 J/C", "F": "1 C/V",
    "Ohm": "1 V/A", "S": "1 A/V", "Wb": "1 V.s", "T": "1 Wb/m2", "H": "1 Wb/A", "lm": "1 cd.sr",
    "lx": "1 lm/m2", "Bq": "1 /s", "Gy": "1 J/kg", "Sv": "1 J/kg", "kat": "1 mol/s",
    "l": "1 dm3", "L": "1 dm3", "ar": "100 m2", "t": "1000 kg", "bar": "100000 Pa",
    "eV": "1.602176634e-19 J", "cal": "4.184 J", "dyn": "1 g.cm/s2", "erg": "1 dyn.cm",
    "P": "1 dyn.s/cm2", "St": "1 cm2/s", "G": "0.0001 T", "m[Hg]": "133322 Pa",
    "m[H2O]": "9806.65 Pa", "bit": "1 1", "By": "8 1", "Bd": "1 /s", "[g]": "9.80665 m/s2",
    "Ci": "37000000000 Bq",
}  # fmt: skip
#: Units that take none.
_FIXED = {
    "min": "60 s", "h": "60 min", "d": "24 h", "wk": "7 d", "a": "365.25 d", "mo": "30.4375 d",
    "deg": f"{Fraction(math.pi) / 180} rad", "'": "1/60 deg", "''": "1/60 '", "gon": "0.9 deg",
    "circ": "360 deg", "[pi]": f"{Fraction(math.pi)} 1", "10*": "10 1", "10^": "10 1",
    "%": "0.01 1", "[ppth]": "0.001 1", "[ppm]": "1e-6 1", "[ppb]": "1e-9 1", "[pptr]": "1e-12 1",
    "atm": "101325 Pa", "[in_i]": "2.54 cm", "[ft_i]": "12 [in_i]", "[yd_i]": "3 [ft_i]",
    "[mi_i]": "5280 [ft_i]", "[nmi_i]": "1852 m", "[kn_i]": "1 [nmi_i]/h",
    "[mil_i]": "0.001 [in_i]", "[sft_i]": "1 [ft_i]2", "[sin_i]": "1 [in_i]2",
    "[cft_i]": "1 [ft_i]3",
    "[gal_us]": "231 [in_i]3", "[acr_us]": "4046.872609874252 m2", "[gr]": "64.79891 mg",
    "[oz_av]": "437.5 [gr]", "[lb_av]": "7000 [gr]", "[stone_av]": "14 [lb_av]",
    "[lbf_av]": "1 [lb_av].[g]", "[psi]": "1 [lbf_av]/[in_i]2", "[in_i'Hg]": "1 m[Hg].[in_i]/m",
    "[in_i'H2O]": "1 m[H2O].[in_i]/m", "[HP]": "550 [ft_i].[lbf_av]/s",
    "[Btu_IT]": "1055.05585262 J", "[Btu]": "1055.05585262 J", "[degR]": "5/9 K",
    "[c]": "299792458 m/s",
}  # fmt: skip
#: Units whose zero is not nothing: their step, and their zero, both in kelvin.
_AFFINE = {
    "Cel": (Fraction(1), Fraction("273.15")),
    "[degF]": (Fraction(5, 9), Fraction("459.67") * 5 / 9),
    "[degRe]": (Fraction(5, 4), Fraction("273.15")),
}
#: What devices write for whole units. `ft` would be a femtotonne; `C` stays coulomb.
_SPELLINGS = {
    "°C": "Cel", "℃": "Cel", "degC": "Cel", "°F": "[degF]", "℉": "[degF]", "degF": "[degF]",
    "°K": "K", "°": "deg", "′": "'", "″": "''", "%RH": "%", "‰": "[ppth]", "ppm": "[ppm]",
    "ppb": "[ppb]", "rpm": "/min", "RPM": "/min", "1/min": "/min", "Ω": "Ohm",
    "kΩ": "kOhm", "MΩ": "MOhm", "psi": "[psi]", "mph": "[mi_i]/h", "kph": "km/h", "kmh": "km/h",
    "km/hr": "km/h", "mps": "m/s", "kt": "[kn_i]", "kn": "[kn_i]", "ft": "[ft_i]", "in": "[in_i]",
    "mi": "[mi_i]", "yd": "[yd_i]", "ft/s": "[ft_i]/s", "lb": "[lb_av]", "lbs": "[lb_av]",
    "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "mAh": "mA.h", "Ah": "A.h", "Nm": "N.m",
    "mmHg": "mm[Hg]", "inHg": "[in_i'Hg]", "sec": "s", "hr": "h", "days": "d", "g0": "[g]",
}  # fmt: skip
_SIGNS = str.maketrans({"²": "2", "³": "3", "·": ".", "⋅": ".", "*": ".", "µ": "u", "μ": "u"})

_COMPONENT = re.compile(
    r"""(?P<unit>(?:10\*|10\^|[^0-9./(){}\[\]+\- ]*(?:\[[^\]]*\])?(?:'')?))
        (?P<exponent>[+-]?\d+)? (?P<note>\{[^}]*\})?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Measure:
    """What a unit is: a number `x` of it is `x * factor + zero` in base units."""

    factor: Fraction
    dimensions: Dimensions
    zero: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How to convert: `x * multiply / divide + add`; two factors keep exact ratios exact."""

    multiply: float
    divide: float
    add: float


@lru_cache(maxsize=4096)
def measure(code: str) -> Measure:
    """Return what a unit is.

    Raises:
        ValueError: It is not a code that is known here; the message says which part is not.
    """
    code = code.strip()
    if not code or len(code) > MAX_CHARACTERS:
        msg = f"a unit has 1 to {MAX_CHARACTERS} characters"
        raise ValueError(msg)
    code = _SPELLINGS.get(code, code)
    affine = _affine(code)
    if affine is not None:
        return affine
    if code not in _FIXED:  # where `10*` is a unit
        code = code.replace("10*", "10^").translate(_SIGNS)
    try:
        return _Reader(code).read()
    except (OverflowError, RecursionError) as error:
        msg = f"{code!r} is too large or nested too deep for a unit"
        raise ValueError(msg) from error


@lru_cache(maxsize=4096)
def conversion(unit_from: str, unit_to: str) -> Conversion:
    """Return how numbers of one unit become numbers of another.

    Raises:
        ValueError: One is not known, or they measure different things.
    """
    source, target = measure(unit_from), measure(unit_to)
    if source.dimensions != target.dimensions:
        msg = (
            f"{unit_from!r} is {_described(source)} and {unit_to!r} is {_described(target)}: "
            "one cannot be converted to the other"
        )
        raise ValueError(msg)
    ratio = source.factor / target.factor
    add = float((source.zero - target.zero) / target.factor)
    exact = 2**53
    if ratio.numerator < exact and ratio.denominator < exact:
        return Conversion(float(ratio.numerator), float(ratio.denominator), add)
    try:
        return Conversion(float(ratio), 1.0, add)
    except OverflowError as error:
        msg = f"{unit_from!r} in {unit_to!r} is beyond what a number can hold"
        raise ValueError(msg) from error


def _affine(code: str) -> Measure | None:
    if code in _AFFINE:
        step, zero = _AFFINE[code]
        return Measure(step, _base("K"), zero)
    if code.endswith("Cel") and code[:-3] in _PREFIXES:
        return Measure(Fraction(10) ** _PREFIXES[code[:-3]], _base("K"), Fraction("273.15"))
    return None


class _Reader:
    # term = ["/"] component {("." | "/") component}; component = "(" term ")" | number | unit

    def __init__(self, code: str) -> None:
        self._code = code
        self._at = 0

    def read(self) -> Measure:
        found = self._term()
        if self._at < len(self._code):
            msg = f"{self._code[self._at :]!r} in the unit {self._code!r} is not understood"
            raise ValueError(msg)
        return found

    def _term(self) -> Measure:
        found = Measure(Fraction(1), _NONE)
        sign = -1 if self._take("/") else 1
        while True:
            found = _product(found, self._component(), sign)
            if self._take("."):
                sign = 1
            elif self._take("/"):
                sign = -1
            else:
                return found

    def _component(self) -> Measure:
        if self._take("("):
            found = self._term()
            if not self._take(")"):
                msg = f"a ')' is missing in the unit {self._code!r}"
                raise ValueError(msg)
            return found
        number = re.compile(r"\d+(?![\d*^])").match(self._code, self._at)
        if number:
            if not int(number.group()):
                msg = f"0 has no meaning in a unit, as in {self._code!r}"
                raise ValueError(msg)
            self._at = number.end()
            return Measure(Fraction(number.group()), _NONE)
        match = _COMPONENT.match(self._code, self._at)
        if match is None or not match.group():
            msg = f"a part is missing in the unit {self._code!r}"
            raise ValueError(msg)
        self._at = match.end()
        exponent = int(match["exponent"] or 1)
        if not match["unit"] and match["exponent"]:
            msg = f"{match.group()!r} in the unit {self._code!r} is not understood"
            raise ValueError(msg)
        if abs(exponent) > MAX_EXPONENT:
            msg = f"exponents of units go from -{MAX_EXPONENT} to {MAX_EXPONENT}, not {exponent}"
            raise ValueError(msg)
        one = _atom(match["unit"]) if match["unit"] else Measure(Fraction(1), _NONE)
        return _product(Measure(Fraction(1), _NONE), one, exponent)

    def _take(self, sign: str) -> bool:
        if self._code.startswith(sign, self._at):
            self._at += 1
            return True
        return False


@lru_cache(maxsize=1024)
def _atom(name: str) -> Measure:
    if name in _BASES:
        return Measure(Fraction(1), _base(name))
    if name in _METRIC or name in _FIXED:
        number, _, rest = (_METRIC.get(name) or _FIXED[name]).partition(" ")
        one = Measure(Fraction(1), _NONE) if rest == "1" else _Reader(rest).read()
        return Measure(one.factor * Fraction(number), one.dimensions)
    for prefixes, base in ((_PREFIXES, 10), (_BINARY, 2)):
        for prefix, power in prefixes.items():
            rest = name.removeprefix(prefix)
            if rest != name and (rest in _METRIC or rest in _BASES):
                one = _atom(rest)
                return Measure(one.factor * Fraction(base) ** power, one.dimensions)
    if name in _AFFINE or name == "Cel":
        msg = f"{name!r} has a zero of its own and cannot be part of a product; use K"
        raise ValueError(msg)
    msg = f"the unit {name!r} is not known; write its UCUM code, as `m/s`, `Cel`, `[degF]`, `kPa`"
    raise ValueError(msg)


def _product(one: Measure, other: Measure, exponent: int) -> Measure:
    dimensions = tuple(
        a + b * exponent for a, b in zip(one.dimensions, other.dimensions, strict=True)
    )
    return Measure(one.factor * other.factor**exponent, dimensions)  # type: ignore[arg-type]


def _base(name: str) -> Dimensions:
    return tuple(int(base == name) for base in _BASES)  # type: ignore[return-value]


def _described(measure: Measure) -> str:
    parts = [
        f"{base}{power if power != 1 else ''}"
        for base, power in zip(_BASES, measure.dimensions, strict=True)
        if power
    ]
    return f"of dimension {'.'.join(parts)}" if parts else "without dimension"
