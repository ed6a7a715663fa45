"""Factory readings read by layout give exactly what the JSON parser gives, or are left to it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.codecs import CodecSettings
from penstock.codecs.factory import FactoryCodec
from penstock.core.codec import Messages, Readings

CODEC = FactoryCodec(CodecSettings())
M = '{"siteId":101,"deviceId":1,"sensorId":2,"unit":"Bar"}'


def batch(payloads: list[bytes]) -> Messages:
    """Return a batch in which messages come from two regions in turn."""
    fields = [{"region": "north"}, {"region": "east"}]
    count = len(payloads)
    return Messages(
        ["t"] * count, payloads, np.zeros(count, np.int64), [fields[i % 2] for i in range(count)]
    )


def reading(ts: str = "1728979200123", metadata: str = M, number: str = "12.3456") -> bytes:
    return f'{{"ts":{ts},"metadata":{metadata},"measurement":{number}}}'.encode()


def rows(readings: Readings) -> list[tuple[object, int, float, int]]:
    return [
        (CODEC.describe(readings.keys[series]), time, number, message)
        for series, time, number, message in zip(
            readings.series.tolist(),
            readings.time_us.tolist(),
            readings.number.tolist(),
            readings.message.tolist(),
            strict=True,
        )
    ]


def test_a_regular_batch_is_read_by_layout():
    other = M.replace("101", "102").replace("Bar", "°C")
    payloads = [reading(), reading(metadata=other), reading(number="-1e-3")] * 8
    found = CODEC._by_layout(batch(payloads))
    assert found is not None
    assert rows(found) == rows(CODEC._by_parser(batch(payloads)))


def test_metadata_written_in_two_ways_is_one_sensor():
    payloads = [reading(), reading(metadata=M.replace(":", ": "))] * 8
    found = CODEC._by_layout(batch(payloads))
    assert found is not None
    assert len(found.keys) == 2, "one for each region"


def test_a_batch_of_any_size_gives_the_same():
    payloads = [reading(ts=str(1728979200123 + at)) for at in range(200)]
    whole = rows(CODEC.decode(batch(payloads)))
    assert whole == rows(CODEC._by_parser(batch(payloads)))
    assert len(whole) == 200


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        reading()[:-1],
        reading() + b" ",
        b" " + reading(),
        reading(ts="172897920012"),
        reading(ts="0728979200123"),
        reading(ts="+728979200123"),
        reading(ts='"28979200123"'),
        reading(number="01"),
        reading(number="1."),
        reading(number="+1"),
        reading(number="NaN"),
        reading(number=""),
        reading(number='{"a":1}'),
        reading(metadata="{}"),
        reading(metadata="[]"),
        reading(metadata=M.replace("101", '"101"')),
        reading(metadata=M.replace("Bar", "B\nar")),
        reading(metadata=M.replace('"unit"', '"location":{"latitude":1,"longitude":2},"unit"')),
        reading() + b"," + reading(),
        reading().replace(b'"measurement"', b'"measuremenT"'),
    ],
)
def test_what_is_not_regular_is_left_to_the_parser(wrong: bytes):
    assert CODEC._by_layout(batch([*[reading()] * 20, wrong, *[reading()] * 20])) is None


_numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?[0-9]{0,3}\.?[0-9]{0,20}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
_stamps = st.one_of(st.integers(10**12, 10**13 - 1).map(str), st.integers().map(str))
_units = st.text(max_size=4).map(lambda text: M.replace("Bar", text.replace("}", "")))


@given(
    st.lists(st.builds(reading, _stamps, st.one_of(st.just(M), _units), _numbers), max_size=3),
    st.data(),
)
def test_layout_and_parser_never_disagree(readings: list[bytes], data: st.DataObject):
    payloads = [reading()] * 12 + readings
    at = data.draw(st.integers(0, len(payloads) - 1))
    cut = data.draw(st.integers(0, len(payloads[at])))
    patch = data.draw(
        st.sampled_from([b"", b"", b"}", b"{", b",", b'"', b"\\", b"\xff", b"0", b"-"])
    )
    skipped = data.draw(st.integers(0, 1))
    payloads[at] = payloads[at][:cut] + patch + payloads[at][cut + skipped :]
    found = CODEC._by_layout(batch(payloads))
    if found is not None:
        parsed = CODEC._by_parser(batch(payloads))
        assert not parsed.failures
        assert rows(found) == rows(parsed)
