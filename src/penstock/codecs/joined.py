r"""JSON payloads of many messages decoded in one call, as if each had been decoded alone.

The payloads p0, p1, ... are joined as `[p0]\n[p1]\n...` and read as a run of one-element arrays.
No payload can reach into its neighbour: between two of them stands `]`, a line feed and `[`. A raw
line feed is not allowed within a JSON string, and two arrays side by side without a comma are
not allowed within anything, so every joint lies between two outermost arrays. Each payload then
gives at least one array, hence as many arrays as payloads means exactly one each, and the type
says that it holds one element.

When the joined text cannot be read, halves of it are, down to single messages, so one wrong
message costs little and only itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import msgspec

from penstock.core.codec import Failure

T = TypeVar("T")

#: Payloads joined at a time; bounds the copy that joining makes.
_MAX_JOINED = 16_384
#: What msgspec raises for bad input: wrong JSON or type, wrong UTF-8, too deeply nested.
BAD_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Decoded(Generic[T]):
    """What could be decoded.

    Attributes:
        values: The decoded payloads.
        messages: Index of the message of each value, ascending; None means 0, 1, 2, ...
        failures: The others.
    """

    values: list[T]
    messages: list[int] | None
    failures: list[Failure]


def why_not(payload: bytes, problem: Exception | None, expects: str) -> str:
    """Return one line that says what is wrong with a JSON payload and what is expected."""
    if not payload.strip():
        what = "the payload is empty"
    elif payload.startswith(b"\xef\xbb\xbf"):
        what = "the payload starts with a byte order mark, which JSON does not allow"
    elif isinstance(problem, RecursionError):
        what = "the JSON is nested too deeply"
    elif isinstance(problem, UnicodeDecodeError):
        what = "a text is not valid UTF-8"
    else:
        what = str(problem).replace("JSON is malformed", "not valid JSON")
        what = " ".join(what.replace("Input data was truncated", "the JSON ends too early").split())
    return f"{what[:200]}; expected {expects}"


class JoinedJson(Generic[T]):
    """Decodes payloads that each hold one JSON value of a type.

    Args:
        shape: The type of each payload, as msgspec understands it.
        expects: What a payload should be, for the reasons of failures.
    """

    def __init__(self, shape: type[T], expects: str) -> None:
        self._one = msgspec.json.Decoder(shape)
        self._many = msgspec.json.Decoder(tuple[shape])  # type: ignore[valid-type]
        self._expects = expects

    def decode(self, payloads: Sequence[bytes]) -> Decoded[T]:
        """Decode every payload; never raises for what is in them."""
        values: list[T] = []
        failures: list[Failure] = []
        for start in range(0, len(payloads), _MAX_JOINED):
            self._decode(payloads[start : start + _MAX_JOINED], start, values, failures)
        if not failures:
            return Decoded(values, None, failures)
        failed = {failure.message for failure in failures}
        return Decoded(values, [i for i in range(len(payloads)) if i not in failed], failures)

    def _decode(
        self, payloads: Sequence[bytes], start: int, values: list[T], failures: list[Failure]
    ) -> None:
        if len(payloads) == 1:
            self._decode_one(payloads[0], start, values, failures)
            return
        joined = b"".join((b"[", b"]\n[".join(payloads), b"]"))
        try:
            rows = cast("list[tuple[T]]", self._many.decode_lines(joined))
        except BAD_JSON:
            rows = []
        if len(rows) == len(payloads):
            values.extend([value for (value,) in rows])
            return
        half = len(payloads) // 2
        self._decode(payloads[:half], start, values, failures)
        self._decode(payloads[half:], start + half, values, failures)

    def _decode_one(
        self, payload: bytes, message: int, values: list[T], failures: list[Failure]
    ) -> None:
        try:
            values.append(self._one.decode(payload))
        except BAD_JSON as problem:
            failures.append(Failure(message, why_not(payload, problem, self._expects)))
