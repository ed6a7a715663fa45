"""What every codec must do: derive a test class from `CodecContract`; give it codec and examples.

Example:
    class TestMyCodec(CodecContract):
        @pytest.fixture
        def make_codec(self):
            return MyCodec

        @pytest.fixture
        def examples(self):
            return [Example("plant/line-1", b"21.5")]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.core.codec import Codec, Messages, Readings
from penstock.core.observation import MAX_TIME_US, MIN_TIME_US

#: Makes a codec without any caches filled.
MakeCodec = Callable[[], Codec]
#: One row as plain values: series (as JSON), time, number, text, feature, end, result time,
#: parameters, place.
Row = tuple[object, ...]

_ARRIVED_US = 1_700_000_000_123_456
_given = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


@dataclass(frozen=True)
class Example:
    """A message that the codec reads, and what the route captures from its topic."""

    topic: str
    payload: bytes
    fields: Mapping[str, str] = field(default_factory=dict)


def messages_of(examples: Sequence[Example], first: int = 0) -> Messages:
    """Return a batch; messages arrive a microsecond apart, the first with number `first`."""
    shared: dict[str, Mapping[str, str]] = {}
    return Messages(
        topics=[example.topic for example in examples],
        payloads=[example.payload for example in examples],
        arrived_us=np.arange(len(examples), dtype=np.int64) + _ARRIVED_US + first,
        fields=[shared.setdefault(example.topic, example.fields) for example in examples],
    )


def rows_of(codec: Codec, readings: Readings) -> list[list[Row]]:
    """Return the rows of each message, in order."""
    described = [
        json.dumps(msgspec.to_builtins(codec.describe(key)), sort_keys=True)
        for key in readings.keys
    ]
    count = len(readings.series)
    nothing = [None] * count
    columns = [
        [described[series] for series in readings.series.tolist()],
        readings.time_us.tolist(),
        [None if np.isnan(number) else number for number in readings.number.tolist()],
        nothing if readings.text is None else readings.text.to_pylist(),
        [0] * count if readings.feature is None else readings.feature.tolist(),
        nothing if readings.end_time_us is None else readings.end_time_us.to_pylist(),
        nothing if readings.result_time_us is None else readings.result_time_us.to_pylist(),
        nothing if readings.parameters is None else readings.parameters.to_pylist(),
        nothing if readings.place is None else list(map(_spot, readings.place.tolist())),
    ]
    last = int(readings.message[-1]) if count else -1
    rows: list[list[Row]] = [[] for _ in range(last + 1)]
    for message, row in zip(readings.message.tolist(), zip(*columns, strict=True), strict=True):
        rows[message].append(row)
    return rows


def _spot(place: Sequence[float]) -> tuple[float, ...] | None:
    return None if np.isnan(place).any() else tuple(place)


def outcomes(codec: Codec, messages: Messages) -> list[list[Row] | str]:
    """Return for each message its rows, or the reason why it failed."""
    readings = codec.decode(messages)
    rows = rows_of(codec, readings)
    result: list[list[Row] | str] = [*rows, *([] for _ in range(len(messages) - len(rows)))]
    for failure in readings.failures:
        assert result[failure.message] == [], "a message that failed has rows"
        result[failure.message] = failure.reason
    return result


def hostile(examples: Sequence[Example]) -> st.SearchStrategy[list[Example]]:
    """Generate batches in which examples stand beside what could spoil their neighbours."""
    chosen = st.sampled_from(list(examples))

    def with_payload(pair: tuple[Example, bytes]) -> Example:
        return Example(pair[0].topic, pair[1], pair[0].fields)

    def halves(drawn: tuple[Example, int, bytes]) -> list[Example]:
        example, at, between = drawn
        cut = at % (len(example.payload) + 1)
        parts = (example.payload[:cut], example.payload[cut:])
        double = example.payload + between + example.payload
        return [with_payload((example, part)) for part in (*parts, double)]

    def changed(drawn: tuple[Example, int, bytes]) -> list[Example]:
        example, at, patch = drawn
        cut = at % (len(example.payload) + 1)
        return [with_payload((example, example.payload[:cut] + patch + example.payload[cut + 1 :]))]

    joints = st.sampled_from([b",", b"],[", b"]\n[", b"\n", b" ", b"", b"},{"])
    junk = st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [b"", b" ", b"null", b"[]", b"{}", b"[", b"]", b'"', b"NaN", b"-", b"1e999", b"\x00"]
        ),
        st.sampled_from([b"\xef\xbb\xbf{}", b"[" * 9_999, b'{"a":' * 9_999, b"1" * 5_000]),
    )
    group = st.one_of(
        chosen.map(lambda example: [example]),
        st.tuples(chosen, junk).map(lambda pair: [with_payload(pair)]),
        st.tuples(chosen, st.integers(0, 10_000), joints).map(halves),
        st.tuples(chosen, st.integers(0, 10_000), junk).map(changed),
    )
    return st.lists(group, max_size=8).map(
        lambda groups: [one for group in groups for one in group]
    )


class CodecContract:
    """The promises of `core.codec.Codec`."""

    @pytest.fixture
    def make_codec(self) -> MakeCodec:
        """Return what makes the codec under test."""
        raise NotImplementedError

    @pytest.fixture
    def examples(self) -> Sequence[Example]:
        """Return messages that the codec reads, of every shape that it knows."""
        raise NotImplementedError

    def test_every_example_gives_rows(
        self, make_codec: MakeCodec, examples: Sequence[Example]
    ) -> None:
        got = outcomes(make_codec(), messages_of(examples))
        for example, rows in zip(examples, got, strict=True):
            assert isinstance(rows, list), f"{example}: {rows}"
            assert rows, example

    def test_an_empty_batch_gives_nothing(self, make_codec: MakeCodec) -> None:
        readings = make_codec().decode(messages_of([]))
        assert (len(readings.series), list(readings.failures)) == (0, [])

    def test_columns_belong_together(
        self, make_codec: MakeCodec, examples: Sequence[Example]
    ) -> None:
        wrong = Example(examples[0].topic, b"\xff", examples[0].fields)
        readings = make_codec().decode(messages_of([*examples, wrong, *examples]))
        rows = len(readings.series)
        optional = (
            readings.text,
            readings.feature,
            readings.end_time_us,
            readings.result_time_us,
            readings.parameters,
            readings.place,
        )
        required = (readings.time_us, readings.number, readings.message)
        assert {len(column) for column in (*required, *optional) if column is not None} == {rows}
        types = [c.dtype for c in (readings.series, *required)]
        assert types == [np.int32, np.int64, np.float64, np.int32]
        assert (np.diff(readings.message) >= 0).all()
        assert sorted(set(readings.series.tolist())) == list(range(len(readings.keys)))
        assert len(set(readings.keys)) == len(readings.keys)
        assert [failure.message for failure in readings.failures] == [len(examples)]

    def test_every_row_has_a_result_and_a_time_that_can_be_kept(
        self, make_codec: MakeCodec, examples: Sequence[Example]
    ) -> None:
        readings = make_codec().decode(messages_of(examples))
        assert ((readings.time_us >= MIN_TIME_US) & (readings.time_us < MAX_TIME_US)).all()
        texts = (
            [None] * len(readings.series) if readings.text is None else readings.text.to_pylist()
        )
        for number, text in zip(readings.number.tolist(), texts, strict=True):
            assert np.isnan(number) == (text is not None)

    def test_every_key_is_described_for_enrolment(
        self, make_codec: MakeCodec, examples: Sequence[Example]
    ) -> None:
        codec = make_codec()
        readings = codec.decode(messages_of(examples))
        described = [codec.describe(key) for key in readings.keys]
        for series in described:
            if series.datastream_id is None:
                assert 1 <= len(series.thing) <= 255
                assert 1 <= len(series.name) <= 255
            else:
                assert (series.thing, series.name) == ("", "")
        texts = [json.dumps(msgspec.to_builtins(series), sort_keys=True) for series in described]
        assert len(set(texts)) == len(texts), "two keys have one description"

    def test_keys_are_the_same_in_every_batch(
        self, make_codec: MakeCodec, examples: Sequence[Example]
    ) -> None:
        codec = make_codec()
        first = codec.decode(messages_of(examples))
        again = codec.decode(messages_of(list(reversed(examples))))
        other = make_codec().decode(messages_of(examples))
        assert set(first.keys) == set(again.keys) == set(other.keys)

    @given(data=st.data())
    @_given
    def test_a_batch_is_read_like_each_message_alone(
        self, make_codec: MakeCodec, examples: Sequence[Example], data: st.DataObject
    ) -> None:
        batch = data.draw(hostile(examples))
        codec, other = make_codec(), make_codec()
        together = outcomes(codec, messages_of(batch))
        alone = [
            outcomes(other, messages_of([example], number))[0]
            for number, example in enumerate(batch)
        ]
        assert together == alone

    @given(payloads=st.lists(st.binary(max_size=60), max_size=5))
    @_given
    def test_arbitrary_bytes_fail_with_one_line_or_are_read(
        self, make_codec: MakeCodec, examples: Sequence[Example], payloads: list[bytes]
    ) -> None:
        one = examples[0]
        batch = [Example(one.topic, payload, one.fields) for payload in payloads]
        for reason in outcomes(make_codec(), messages_of(batch)):
            if isinstance(reason, str):
                assert reason.strip()
                assert "\n" not in reason
                assert len(reason) < 500
