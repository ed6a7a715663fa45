"""Hypothesis strategies for expressions that fit a type, and for the values that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from penstock.core.expression import (
    Apply,
    Duration,
    Expression,
    Literal,
    Moment,
    Property,
    Shape,
    Span,
    Value,
)

#: A year of microseconds around which all times are, so that they meet.
START_US = 1_700_000_000_000_000
_STEP_US = 250_000

times_us = st.one_of(
    st.integers(0, 40).map(lambda steps: START_US + steps * _STEP_US),
    st.integers(-2, 2).map(lambda days: START_US + days * 86_400_000_000),
)
moments = times_us.map(Moment)
spans = st.tuples(times_us, times_us).map(lambda ends: Span(min(ends), max(ends)))
durations = st.one_of(
    st.integers(-20, 20).map(lambda steps: Duration(steps * _STEP_US)),
    st.sampled_from([0, 86_400_000_000, 10**18, 1, -1]).map(Duration),
)
numbers = st.one_of(
    st.integers(-5, 12),
    st.sampled_from([0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 1e300, -1e-7, 1e16, 2.0**53]),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
texts = st.one_of(
    st.sampled_from(
        ["", "a", "A", "ab", "it's", " x ", "true", "5", "0.5", "1", "ß", "日本", "😀b"]
    ),
    st.text("ab1 '%_", max_size=4),
    st.sampled_from(["2023-11-14T22:13:20Z", "2023-11-14", "2023-13-14"]),
)
shapes = st.sampled_from(
    [
        "POINT (1 1)",
        "POINT EMPTY",
        "LINESTRING (0 0, 2 2)",
        "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))",
        "MULTIPOINT ((0 0), (1 1))",
        "GEOMETRYCOLLECTION (POINT (0 0), LINESTRING (0 0, 0 1))",
    ]
).map(Shape)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
geojson = st.sampled_from(
    [
        {"type": "Point", "coordinates": [1, 1]},
        {"type": "LineString", "coordinates": [[0, 0], [2, 2]]},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [2, 2]}},
        {"type": "Feature", "geometry": None},
        {"type": "Nonsense"},
    ]
)
members = st.dictionaries(
    st.sampled_from(["a", "b", "odd name"]),
    st.one_of(
        scalars, st.lists(scalars, max_size=3), st.dictionaries(st.just("c"), scalars), geojson
    ),
    max_size=3,
)
json_values = st.one_of(scalars, st.lists(scalars, max_size=3), members, geojson)


def _properties(paths: list[str] | None) -> list[Property]:
    return [Property(tuple(path.split("/"))) for path in paths or []]


class Paths:
    """Paths by kind, from which trees are made."""

    def __init__(
        self,
        *,
        text: list[str] | None = None,
        number: list[str] | None = None,
        time: list[str] | None = None,
        json: list[str] | None = None,
    ) -> None:
        self.text = _properties(text)
        self.number = _properties(number)
        self.time = _properties(time)
        self.json = _properties(json)


OBSERVATION = Paths(
    number=["Datastream/@iot.id", "MultiDatastream/@iot.id", "FeatureOfInterest/@iot.id"],
    time=["phenomenonTime", "resultTime", "validTime"],
    json=[
        "result",
        "result/a",
        "result/a/c",
        "result/0",
        "resultQuality",
        "resultQuality/a",
        "parameters/a",
        "parameters/odd name",
    ],
)


COMPARISONS = "eq ne gt ge lt le"
_SPATIAL = (
    "geo.intersects st_equals st_disjoint st_touches st_within st_overlaps st_crosses "
    "st_intersects st_contains"
)


class _Maker:
    """Makes trees by drawing; deeper ones have functions in them."""

    def __init__(self, draw: st.DrawFn, paths: Paths) -> None:
        self._draw = draw
        self._paths = paths

    def _literal(self, values: st.SearchStrategy[Value]) -> Expression:
        return Literal(self._draw(values))

    def _one(self, names: str) -> str:
        return self._draw(st.sampled_from(names.split()))

    def _leaf(self, paths: list[Property], values: st.SearchStrategy[Value]) -> Expression:
        if paths and self._draw(st.booleans()):
            return self._draw(st.sampled_from(paths))
        return self._literal(values)

    def number(self, depth: int) -> Expression:
        """Something that gives a number or null."""
        which = self._draw(st.integers(0, 5)) if depth else 0
        under = depth - 1
        if which == 1:
            sides = (self.number(under), self.number(under))
            return Apply(self._one("add sub mul div mod"), sides)
        if which == 2:
            return Apply(self._one("round floor ceiling neg"), (self.number(under),))
        if which == 3:
            return Apply("length", (self.text(under),))
        if which == 4:
            return Apply("indexof", (self.text(under), self.text(under)))
        if which == 5:
            parts = "year month day hour minute second fractionalseconds totaloffsetminutes"
            return Apply(self._one(parts), (self.time(under),))
        return self._leaf(self._paths.number + self._paths.json, numbers)

    def text(self, depth: int) -> Expression:
        """Something that gives a text or null."""
        which = self._draw(st.integers(0, 4)) if depth else 0
        under = depth - 1
        if which == 1:
            return Apply(self._one("tolower toupper trim"), (self.text(under),))
        if which == 2:
            return Apply("concat", (self.text(under), self.text(under)))
        if which == 3:
            return Apply("substring", (self.text(under), self.number(0)))
        if which == 4:
            return Apply("substring", (self.text(under), self.number(0), self.number(0)))
        return self._leaf(self._paths.text + self._paths.json, texts)

    def time(self, depth: int) -> Expression:
        """Something that gives a time or null."""
        which = self._draw(st.integers(0, 4)) if depth else 0
        under = depth - 1
        if which == 1:
            return Apply(self._one("add sub"), (self.time(under), self.duration(under)))
        if which == 2:
            return Apply("add", (self.duration(under), self.time(under)))
        if which == 3:
            return Apply("date", (self.time(under),))
        if which == 4:
            return Apply(self._one("now mindatetime maxdatetime"), ())
        return self._leaf(self._paths.time, st.one_of(moments, spans))

    def duration(self, depth: int) -> Expression:
        """Something that gives a duration or null."""
        which = self._draw(st.integers(0, 6)) if depth else 0
        under = depth - 1
        if which == 1:
            return Apply("sub", (self.time(under), self.time(under)))
        if which == 2:
            return Apply(self._one("add sub"), (self.duration(under), self.duration(under)))
        if which == 3:
            return Apply(self._one("mul div"), (self.duration(under), self.number(0)))
        if which == 4:
            return Apply("mul", (self.number(0), self.duration(under)))
        if which == 5:
            return Apply("time", (self.time(under),))
        if which == 6:
            return Apply("neg", (self.duration(under),))
        return self._literal(durations)

    def geometry(self) -> Expression:
        """Something that gives a geometry or null."""
        return self._leaf(self._paths.json, shapes)

    def _interval(self) -> Expression:
        kept = [one for one in self._paths.time if one.path[-1] in {"phenomenonTime", "validTime"}]
        return self._leaf(kept, spans)

    def condition(self, depth: int) -> Expression:
        """A condition that fits the type."""
        which = self._draw(st.integers(0, 15))
        if which < 3:
            count = self._draw(st.integers(2, 3))
            sides = tuple(self._comparison(depth) for _ in range(count))
            return Apply(self._one("and or"), sides)
        if which < 5 and depth:
            return Apply(self._one("and or"), (self.condition(depth - 1), self._comparison(depth)))
        if which == 5:
            return Apply("not", (self._comparison(depth),))
        if which == 6 and depth:
            return Apply("not", (self.condition(depth - 1),))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Expression:
        which = self._draw(st.integers(0, 16 if self._paths.json else 11))
        makers = (self.number, self.text, self.time, self.duration)
        if which < 4:
            return Apply(self._one(COMPARISONS), (makers[which](depth), makers[which](depth)))
        if which == 4:
            made = makers[self._draw(st.integers(0, 2))](depth)
            return Apply(self._one("eq ne"), (made, Literal(None)))
        if which == 5:
            names = "before after meets overlaps starts finishes"
            return Apply(self._one(names), (self.time(depth), self.time(depth)))
        if which == 6:
            return Apply("during", (self.time(depth), self._interval()))
        if which == 7:
            names = "substringof contains startswith endswith"
            return Apply(self._one(names), (self.text(depth), self.text(depth)))
        if which == 8:
            return Apply(self._one(_SPATIAL), (self.geometry(), self.geometry()))
        if which == 9:
            return Apply("st_relate", (self.geometry(), self.geometry(), Literal("T*F**F***")))
        if which == 10:
            measured = (
                Apply("geo.length", (self.geometry(),))
                if self._draw(st.booleans())
                else Apply("geo.distance", (self.geometry(), self.geometry()))
            )
            return Apply(self._one(COMPARISONS), (measured, self._literal(numbers)))
        if which == 11:
            choices = self._draw(st.lists(numbers, min_size=1, max_size=12))
            return Apply("in", (self.number(depth), *map(Literal, choices)))
        return self._about_json(which)

    def _about_json(self, which: int) -> Expression:
        json = self._draw(st.sampled_from(self._paths.json))
        if which == 12:
            other: Expression = self._draw(st.sampled_from(self._paths.json))
        elif which == 13:
            other = self._literal(scalars)
        elif which == 14:
            other = self._literal(moments)
        elif which == 15:
            return Apply("in", (self._literal(scalars), json))
        else:
            return json
        sides = (json, other) if self._draw(st.booleans()) else (other, json)
        return Apply(self._one(COMPARISONS), sides)


@st.composite
def conditions(draw: st.DrawFn, paths: Paths, depth: int = 2) -> Expression:
    """Conditions that fit a type, of every operator and function."""
    return _Maker(draw, paths).condition(depth)


@st.composite
def sort_keys(draw: st.DrawFn, paths: Paths) -> Expression:
    """Expressions to sort by."""
    maker = _Maker(draw, paths)
    makers = (maker.number, maker.text, maker.time, maker.duration)
    return makers[draw(st.integers(0, 3))](1)
