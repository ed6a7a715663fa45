"""Arrays read by layout give exactly what the JSON parser gives, or are left to it."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.codecs.measurement_layout import read_layout
from penstock.codecs.measurements import Sample
from penstock.codecs.timestamps import text_us
from penstock.core.errors import CannotDecode

HEAD = '{"SerialNumber":"AAD-1123","Timestamp":"'
TIME = "2024-10-15T08:00:00.123456789Z"


def parsed(payload: bytes) -> list[tuple[str, int, float]] | None:
    """Return the samples as the JSON parser reads them, or None when it refuses."""
    try:
        samples = msgspec.json.decode(payload, type=list[Sample])
        return [(s.serial_number, text_us(s.timestamp), s.value) for s in samples]
    except (msgspec.MsgspecError, CannotDecode, UnicodeDecodeError):
        return None


def by_layout(payload: bytes) -> list[tuple[str, int, float]] | None:
    found = read_layout(payload)
    if found is None:
        return None
    pairs = zip(found.time_us.tolist(), found.value.tolist(), strict=True)
    return [(found.serial, time, value) for time, value in pairs]


def array(*samples: tuple[str, str]) -> bytes:
    """Return an array of (time, number as written)."""
    body = ",".join(f'{HEAD}{time}","Value":{value}}}' for time, value in samples)
    return f"[{body}]".encode()


def test_a_regular_array_is_read_by_layout():
    payload = array((TIME, "0.25"), ("2024-10-15T08:00:01Z", "-1e-3"), (TIME, "12"))
    assert by_layout(payload) == parsed(payload)
    assert by_layout(payload) is not None


@pytest.mark.parametrize(
    "number",
    ["+1", "01", "-01", ".5", "-.5", "1.", "1.e5", "1e", "nan", "inf", "1e999", "0x1", "1_0",
     "--1", "-", "", " 1", "1 ", "true", '"1"', "[1]", "{}", "1,2", "null", "Infinity"],
)  # fmt: skip
def test_what_json_does_not_call_a_number_is_not_read_by_layout(number: str):
    assert by_layout(array((TIME, "1"), (TIME, number), (TIME, "2"))) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"[{}]",
        array((TIME, "1"))[:-1],
        array((TIME, "1")) + b" ",
        array((TIME, "1")).replace(b"AAD-1123", b"AAD\\u0041"),
        array((TIME, "1")).replace(b"AAD-1123", b""),
        array((TIME, "1")).replace(b"AAD-1123", b"A" * 256),
        array((TIME, "1"), (TIME, "2")).replace(b"AAD-1123", b"BBB-3423", 1),
        array((TIME, "1"), (TIME, "2")).replace(b"},{", b"}, {"),
        array((TIME, "1"), ("soon", "2")),
        array((TIME, "1"), ("2024-13-15T08:00:00Z", "2")),
        array((TIME, "1"), ("2024-10-15T08:00:00+02:00", "2")),
        array(("1500-10-15T08:00:00Z", "2")),
    ],
)
def test_what_is_not_regular_is_left_to_the_parser(payload: bytes):
    assert by_layout(payload) is None


_numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.from_regex(r"-?[0-9]{0,3}\.?[0-9]{0,20}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
_times = st.one_of(
    st.from_regex(
        r"20[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{0,10})?Z",
        fullmatch=True,
    ),
    st.text(max_size=32).map(lambda text: json.dumps(text)[1:-1]),
)


@given(st.lists(st.tuples(_times, _numbers), min_size=1, max_size=4), st.data())
@example([(TIME, "5e-324")], None)
@example([(TIME, "1.7976931348623157e308")], None)
def test_layout_and_parser_never_disagree(samples: list[tuple[str, str]], data: st.DataObject):
    payload = array(*samples)
    if data is not None and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(payload)))
        patch = data.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"},{", b"\\"])))
        payload = payload[:at] + patch + payload[at + data.draw(st.integers(0, 3)) :]
    found = by_layout(payload)
    if found is not None:
        assert found == parsed(payload)


@pytest.mark.parametrize("serial", ["AAD-{1}", "Zermatt-Z", "{Z}"])
def test_signs_that_stand_in_the_serial_number_too_do_not_disturb(serial: str):
    payload = array((TIME, "0.25"), ("2024-10-15T08:00:01Z", "-1e-3"), (TIME, "12"))
    payload = payload.replace(b"AAD-1123", serial.encode())
    assert by_layout(payload) == parsed(payload)
    assert by_layout(payload) is not None
