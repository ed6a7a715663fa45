"""Paths of Observations as columns of `core.observation.SCHEMA`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.core.entity_types import TYPES
from penstock.core.errors import NotSupported
from penstock.core.series import ObservationType
from penstock.sensorthings.columns.values import (
    BOOL,
    NULL,
    NUMBER,
    TEXT,
    Bools,
    Int64s,
    Values,
    decoded,
    from_json,
    numbers,
    objects,
    of_python,
    span_of,
    times,
)
from penstock.sensorthings.members import member
from penstock.sensorthings.observation_ids import ids_of
from penstock.sensorthings.observation_rows import ID, QUALITY, VALID, Kind

_RESERVED = frozenset({ID, QUALITY, VALID})


class Facts(msgspec.Struct, frozen=True):
    """What rows do not say themselves.

    Attributes:
        kinds: Of the datastreams; one that is missing is plain text and numbers.
        own_features: FeatureOfInterest that stands for feature 0, by datastream.
        now_us: What `now()` is, microseconds UTC.
        linked: Returns the values of a path of single entities, by the id of the first one: of the
            type named, and among the ids given. None when only their ids are asked for.
        ids: Returns the ids of rows; those of their identities, when nobody says that some moved.
    """

    kinds: Mapping[int, Kind]
    own_features: Mapping[int, int]
    now_us: int
    linked: Callable[[str, Sequence[int], tuple[str, ...]], Mapping[int, Any]] | None = None
    ids: Callable[[pa.Table], list[int | str]] = ids_of


class Columns:
    """Reads paths from rows, each once.

    Args:
        table: Rows in `core.observation.SCHEMA`.
        facts: See there.
    """

    def __init__(self, table: pa.Table, facts: Facts) -> None:
        self._table = table
        self._facts = facts
        self._read: dict[tuple[str, ...], Values] = {}
        self._decoded: list[Any] | None = None
        self._streams: tuple[Int64s, Int64s] | None = None

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self._table.num_rows)

    def read(self, path: tuple[str, ...]) -> Values:
        """Return the values of a path.

        Raises:
            NotSupported: It leads where no column is.
        """
        found = self._read.get(path)
        if found is None:
            found = self._read[path] = self._values(path)
        return found

    def _values(self, path: tuple[str, ...]) -> Values:
        match path:
            case ("@iot.id",):
                return self._ids()
            case ("phenomenonTime",):
                return self._phenomenon_time()
            case ("resultTime",):
                return self._time("result_time")
            case ("validTime",):
                return self._valid_time()
            case ("result", *members):
                return self._result(members)
            case ("resultQuality", *members):
                return from_json([member(one, [QUALITY, *members]) for one in self._parameters()])
            case ("parameters", *members):
                return self._parameter(members)
            case ("Datastream", "@iot.id"):
                return self._datastreams(is_multi=False)
            case ("MultiDatastream", "@iot.id"):
                return self._datastreams(is_multi=True)
            case ("FeatureOfInterest", "@iot.id"):
                return self._features()
            case ("Datastream" | "MultiDatastream" | "FeatureOfInterest" as link, *rest):
                if self._facts.linked is not None:
                    return self._linked(link, tuple(rest))
        msg = f"{'/'.join(path)} cannot be evaluated over rows of observations"
        raise NotSupported(msg)

    def _column(self, name: str) -> Any:
        column = self._table[name]
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)

    def _us(self, name: str) -> tuple[Int64s, Bools]:
        column = self._column(name)
        known = np.ones(len(column), bool)
        if column.null_count:
            known = pc.is_valid(column).to_numpy(zero_copy_only=False)
            column = column.fill_null(pa.scalar(0, column.type))
        return column.cast(pa.int64()).to_numpy(zero_copy_only=False), known

    def _time(self, name: str) -> Values:
        us, known = self._us(name)
        return times(us, us, known)

    def _phenomenon_time(self) -> Values:
        start, known = self._us("time")
        if self._table["end_time"].null_count == self.count:
            return times(start, start, known)
        end, has_end = self._us("end_time")
        return times(start, np.where(has_end, end, start), known)

    def _valid_time(self) -> Values:
        spans = [_span(one) for one in self._parameters()]
        start = np.array([0 if one is None else one[0] for one in spans], np.int64)
        end = np.array([0 if one is None else one[1] for one in spans], np.int64)
        return times(start, end, np.array([one is not None for one in spans], bool))

    def _parameters(self) -> list[Any]:
        if self._decoded is None:
            column = self._column("parameters")
            if column.null_count == len(column):
                self._decoded = [None] * len(column)
            else:
                texts = column.to_pylist()
                self._decoded = [None if one is None else decoded(one) for one in texts]
        return self._decoded

    def _parameter(self, members: list[str]) -> Values:
        if members:
            if members[0] in _RESERVED:
                return Values(np.zeros(self.count, np.uint8), is_dynamic=True)
            return from_json([member(one, members) for one in self._parameters()])
        return from_json([_shown(one) for one in self._parameters()])

    def _result(self, members: list[str]) -> Values:
        plain, is_truth = self._by_kind()
        number = self._column("number")
        has_number = np.ones(len(number), bool)
        if number.null_count:
            has_number = pc.is_valid(number).to_numpy(zero_copy_only=False)
        found = number.to_numpy(zero_copy_only=False)
        has_number &= np.isfinite(found)
        if members:
            return self._members(members, plain)
        kind = np.where(has_number, np.where(is_truth, BOOL, NUMBER), NULL).astype(np.uint8)
        if self._table["text"].null_count == self.count:
            return Values(kind, found, is_dynamic=True)
        text = self._column("text")
        has_text = pc.is_valid(text).to_numpy(zero_copy_only=False)
        strings = text.fill_null("").to_numpy(zero_copy_only=False)
        kind = np.where(has_text, TEXT, kind).astype(np.uint8)
        maybe_json = np.flatnonzero(has_text & ~plain)
        if not len(maybe_json):
            return Values(kind, found, strings, is_dynamic=True)
        inner = from_json([decoded(one) for one in strings[maybe_json]])
        found, strings = found.copy(), strings.copy()
        kind[maybe_json] = inner.kind
        found[maybe_json] = inner.numbers()
        strings[maybe_json] = inner.texts()
        other = objects([None] * self.count)
        other[maybe_json] = inner.others()
        return Values(kind, found, strings, other=other, is_dynamic=True)

    def _members(self, members: list[str], plain: Bools) -> Values:
        texts = self._column("text").to_pylist()
        return from_json(
            [
                None if text is None or is_plain else member(decoded(text), members)
                for text, is_plain in zip(texts, plain, strict=True)
            ]
        )

    def _by_kind(self) -> tuple[Bools, Bools]:
        """Return which rows have plain text, and which have bools for numbers."""
        kinds, unknown = self._facts.kinds, Kind("")
        ids, codes = self._by_datastream()
        types = [kinds.get(one, unknown) for one in ids.tolist()]
        plain = np.array([not one.is_multi and one.type == _CATEGORY for one in types], bool)
        truth = np.array([not one.is_multi and one.type == _TRUTH for one in types], bool)
        return plain[codes], truth[codes]

    def _by_datastream(self) -> tuple[Int64s, Int64s]:
        if self._streams is None:
            coded = self._column("datastream").dictionary_encode()
            self._streams = coded.dictionary.to_numpy(), coded.indices.to_numpy()
        return self._streams

    def _datastreams(self, *, is_multi: bool) -> Values:
        kinds, unknown = self._facts.kinds, Kind("")
        ids, codes = self._by_datastream()
        fits = [kinds.get(one, unknown).is_multi is is_multi for one in ids.tolist()]
        return numbers(ids.astype(np.float64)[codes], np.array(fits, bool)[codes])

    def _features(self) -> Values:
        feature = self._column("feature").to_numpy()
        ids, codes = self._by_datastream()
        own = np.array([self._facts.own_features.get(one, 0) for one in ids.tolist()], np.int64)
        feature = np.where(feature == 0, own[codes], feature)
        return numbers(feature.astype(np.float64), feature != 0)

    def _linked(self, link: str, path: tuple[str, ...]) -> Values:
        """Return the values of a path beyond a link, read once for each entity it leads to."""
        assert self._facts.linked is not None
        owner = self.read((link, "@iot.id"))
        ids, codes = np.unique(
            np.where(owner.is_a(NUMBER), owner.numbers(), -1.0), return_inverse=True
        )
        wanted = [int(one) for one in ids.tolist() if one >= 0]
        known = self._facts.linked(link, wanted, path)
        values = [known.get(int(one)) for one in ids.tolist()]
        return of_python(values, is_dynamic=_is_dynamic(link, path)).take(codes.reshape(-1))

    def _ids(self) -> Values:
        found = from_json(self._facts.ids(self._table))
        return Values(found.kind, found.number, found.text)


_CATEGORY, _TRUTH = ObservationType.CATEGORY, ObservationType.TRUTH


def _is_dynamic(link: str, path: tuple[str, ...]) -> bool:
    """Tell whether a path ends within JSON."""
    type_ = TYPES[link]
    for name in path:
        further = type_.link(name)
        if further is None:
            return name in type_.json or name == "metadata"
        type_ = TYPES[further.target]
    return False


def _shown(parameters: Any) -> Any:
    if not isinstance(parameters, dict):
        return parameters
    return {name: one for name, one in parameters.items() if name not in _RESERVED} or None


def _span(parameters: Any) -> tuple[int, int] | None:
    text = parameters.get(VALID) if isinstance(parameters, dict) else None
    return span_of(text) if isinstance(text, str) else None
