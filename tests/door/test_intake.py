"""The fast path: however the bytes are cut, the same messages reach the log."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from penstock.door.encoding import encode
from penstock.door.fields import decode_text
from penstock.door.heads import WORTH_PACKETS
from penstock.door.intake import Intake, Run, frame
from penstock.door.message import Message
from penstock.door.packets import Publish
from penstock.door.properties import Property
from penstock.door.reasons import ProtocolViolation, Reason
from penstock.door.subscriptions import DENIED, QUIET, Match, Route
from penstock.door.topics import check_topic


class FakeRoutes:
    """Topics that begin with 'heard' have a listener; those that begin with 'no' are denied."""

    def __init__(self) -> None:
        self.known: dict[bytes, Route] = {}
        self.age = 0

    def look_up(self, topic: bytes) -> Route:
        check_topic(decode_text(topic))
        route = QUIET
        if topic.startswith(b"heard"):
            route = Route((Match(None, 0, False, (), None),))  # type: ignore[arg-type]
        elif topic.startswith(b"no"):
            route = DENIED
        self.known[topic] = route
        return route

    def is_heard(self, route: Route, message: Message) -> bool:
        return route is not QUIET


def _intake(protocol: int = 4, **more: int) -> Intake:
    bounds = {"max_packet_bytes": 1 << 20, "max_aliases": 4, **more}
    return Intake("client", protocol, FakeRoutes(), set(), **bounds)


def _split(run: Run) -> list[bytes]:
    ends = [int.from_bytes(run.ends[at : at + 4], "little") for at in range(0, len(run.ends), 4)]
    assert len(ends) == run.count
    assert (ends[-1] if ends else 0) == len(run.packets)
    return [run.packets[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def _take_all(intake: Intake, chunks: list[bytes]) -> tuple[list[bytes], bytes, list[bytes]]:
    """Feed chunks as a connection does; return packets, answers and payloads for others."""
    packets: list[bytes] = []
    answers = b""
    passed: list[bytes] = []
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        at = intake.take(data, 0, len(data), 0.0)
        rest = data[at:]
        run = intake.harvest()
        if run is not None:
            packets += _split(run)
            answers += run.answers
            passed += [message.payload for message in run.messages]
    assert not rest
    return packets, answers, passed


def _answers(data: bytes) -> list[bytes]:
    """Cut PUBACKs and PUBRECs apart."""
    found = []
    while data:
        found.append(data[: 2 + data[1]])
        data = data[2 + data[1] :]
    return found


_topics = st.sampled_from(["a", "plant/1/temperature", "heard/x", "é/ü", "t" * 200])
_payloads = st.binary(max_size=20) | st.sampled_from([b"x" * 120, b"y" * 130, b"z" * 20_000])
_messages = st.builds(
    lambda topic, payload, qos, number, retain: Publish(
        topic, payload, qos, retain, packet_id=number if qos else 0
    ),
    _topics,
    _payloads,
    st.integers(0, 2),
    st.integers(1, 65535),
    st.booleans(),
)


@given(st.lists(_messages, max_size=8), st.sampled_from([4, 5]), st.data())
@example([Publish("a", b"z" * 20_000, 1, packet_id=1)], 4, None)
def test_any_cutting_of_the_stream_gives_the_same_messages(
    messages: list[Publish], protocol: int, data: st.DataObject | None
) -> None:
    stream = b"".join(encode(message, protocol) for message in messages)
    cuts = (
        sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
        if data is not None
        else list(range(1, 5))
    )
    edges = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges)]

    whole = _take_all(_intake(protocol), [stream])
    cut = _take_all(_intake(protocol), chunks)

    # Answers of one run come PUBACKs first, so only their sets are the same.
    assert cut[0] == whole[0]
    assert cut[2] == whole[2]
    assert sorted(_answers(cut[1])) == sorted(_answers(whole[1]))


@given(st.lists(_messages, max_size=8, unique_by=lambda m: m.packet_id), st.sampled_from([4, 5]))
def test_packets_reach_the_log_as_they_came(messages: list[Publish], protocol: int) -> None:
    raw = [encode(message, protocol) for message in messages]
    packets, answers, passed = _take_all(_intake(protocol), [b"".join(raw)])
    assert packets == raw
    told = {
        int.from_bytes(answer[2:4], "big"): answer[4:] == b"\x10" for answer in _answers(answers)
    }
    assert told == {
        message.packet_id: protocol == 5 and not message.topic.startswith("heard")
        for message in messages
        if message.qos
    }
    wanted = [m.payload for m in messages if m.retain or m.topic.startswith("heard")]
    assert passed == wanted


def test_a_known_topic_takes_the_fast_path_and_is_answered_in_order() -> None:
    raw = [encode(Publish("a", b"1", 1, packet_id=n), 4) for n in (5, 3, 9)]
    _, answers, _ = _take_all(_intake(), [b"".join(raw)])
    assert answers == bytes.fromhex("40020005 40020003 40020009")


def test_topic_aliases_are_written_out_before_logging() -> None:
    first = Publish("plant/1", b"1", 1, packet_id=1, properties={Property.TOPIC_ALIAS: 2})
    again = Publish("", b"2", 0, properties={Property.TOPIC_ALIAS: 2, Property.CONTENT_TYPE: "x"})
    plain = Publish("plant/2", b"3", 0)
    stream = b"".join(encode(message, 5) for message in (plain, first, again, plain))
    packets, answers, _ = _take_all(_intake(5), [stream])
    assert packets == [
        encode(plain, 5),
        encode(Publish("plant/1", b"1", 1, packet_id=1), 5),
        encode(Publish("plant/1", b"2", properties={Property.CONTENT_TYPE: "x"}), 5),
        encode(plain, 5),
    ]
    assert answers == bytes.fromhex("4003000110")


def test_whether_anybody_subscribed_is_told_in_the_order_of_the_messages() -> None:
    topics = ["a", "heard/x", "a", "heard/x", "heard/y", "b"]
    stream = b"".join(encode(Publish(t, b"1", 1, packet_id=n), 5) for n, t in enumerate(topics, 1))
    _, answers, _ = _take_all(_intake(5), [stream * 2])
    one = "4003000110 40020002 4003000310 40020004 40020005 4003000610"
    assert answers == bytes.fromhex(one) * 2


@pytest.mark.parametrize("alias", [0, 5])
def test_an_alias_out_of_bounds_is_refused(alias: int) -> None:
    packet = encode(Publish("a", b"", properties={Property.TOPIC_ALIAS: alias}), 5)
    with pytest.raises(ProtocolViolation) as caught:
        _intake(5).take(packet, 0, len(packet), 0.0)
    assert caught.value.reason is Reason.TOPIC_ALIAS_INVALID


def test_a_qos_2_message_that_comes_again_is_answered_but_not_logged_again() -> None:
    packet = encode(Publish("a", b"1", 2, packet_id=4), 4)
    again = encode(Publish("a", b"1", 2, dup=True, packet_id=4), 4)
    intake = _intake()
    packets, answers, _ = _take_all(intake, [packet, again])
    assert packets == [packet]
    assert answers == bytes.fromhex("50020004 50020004")
    assert intake.take_duplicates() == 1


def test_what_a_client_may_not_publish_is_answered_but_not_logged() -> None:
    packet = encode(Publish("no/entry", b"1", 1, packet_id=4), 5)
    packets, answers, _ = _take_all(_intake(5), [packet])
    assert packets == []
    assert answers == bytes.fromhex("4003000487")


def test_messages_before_a_malformed_one_are_kept() -> None:
    good = encode(Publish("a", b"1", 1, packet_id=4), 4)
    bad = bytes.fromhex("3203000161")
    intake = _intake()
    with pytest.raises(ProtocolViolation):
        intake.take(good + bad + good, 0, len(good + bad + good), 0.0)
    run = intake.harvest()
    assert run is not None
    assert _split(run) == [good]


@given(st.sampled_from([4, 5]), st.binary(max_size=300))
def test_random_bytes_are_messages_or_a_violation(protocol: int, data: bytes) -> None:
    intake = _intake(protocol)
    try:
        at = intake.take(data, 0, len(data), 0.0)
    except ProtocolViolation:
        at = 0
    run = intake.harvest()
    if run is not None:
        for packet in _split(run):
            _, stop = frame(packet, 0, len(packet), 1 << 28)
            assert stop == len(packet)
    assert 0 <= at <= len(data)


@given(st.sampled_from([4, 5]), st.lists(_messages, min_size=1, max_size=4), st.data())
def test_one_changed_byte_never_breaks_the_form_of_a_run(
    protocol: int, messages: list[Publish], data: st.DataObject
) -> None:
    stream = bytearray(b"".join(encode(message, protocol) for message in messages))
    where = data.draw(st.integers(0, min(len(stream) - 1, 400)))
    stream[where] = data.draw(st.integers(0, 255))
    intake = _intake(protocol)
    # Topics seen before take the fast path, which must check as much as the slow one.
    for topic in (b"a", b"plant/1/temperature"):
        intake._routes.look_up(topic)
    with suppress(ProtocolViolation):
        intake.take(bytes(stream), 0, len(stream), 0.0)
    run = intake.harvest()
    if run is not None:
        _split(run)


def _trained(protocol: int, qos: int) -> Intake:
    """An intake that has seen so many usual packets that it takes them all at once."""
    intake = _intake(protocol)
    usual = [
        encode(Publish("a", b"x" * size, qos, packet_id=9 if qos else 0), protocol)
        for size in (0, 1, 5, 130)
    ]
    stream = b"".join(usual) * WORTH_PACKETS
    intake.take(stream, 0, len(stream), 0.0)
    intake.harvest()
    assert intake._heads.has_pattern
    return intake


def _outcome(intake: Intake, stream: bytes) -> tuple[object, ...]:
    reason = at = None
    try:
        at = intake.take(stream, 0, len(stream), 0.0)
    except ProtocolViolation as problem:
        reason = problem.reason
    run = intake.harvest()
    if run is None:
        return (at, reason)
    return (at, reason, _split(run), run.answers, [m.payload for m in run.messages])


_usual = st.builds(
    lambda topic, payload, qos, number: Publish(
        topic, payload, qos, packet_id=number if qos else 0
    ),
    st.sampled_from(["a", "a", "b", "heard"]),
    st.sampled_from([b"", b"1", b"12345", b"2\x06\0\x01a\0\x05", b"z" * 130, b"other"]),
    st.sampled_from([0, 1, 1, 1, 2]),
    st.integers(1, 65535),
)


@settings(deadline=None)
@given(
    st.sampled_from([4, 5]),
    st.sampled_from([0, 1]),
    st.lists(_usual, min_size=1, max_size=12),
    st.none() | st.tuples(st.integers(0, 10_000), st.integers(0, 255)),
    st.integers(0, 10),
)
def test_taking_many_at_once_gives_what_taking_one_by_one_gives(
    protocol: int,
    qos: int,
    messages: list[Publish],
    change: tuple[int, int] | None,
    cut: int,
) -> None:
    stream = bytearray(b"".join(encode(message, protocol) for message in messages))
    if change is not None:
        stream[change[0] % len(stream)] = change[1]
    whole = bytes(stream[: max(1, len(stream) - cut)])
    assert _outcome(_trained(protocol, qos), whole) == _outcome(_intake(protocol), whole)


def test_new_subscriptions_are_seen_by_the_next_message() -> None:
    intake = _trained(4, 1)
    routes = intake._routes
    assert isinstance(routes, FakeRoutes)
    routes.known.clear()
    routes.known[b"a"] = Route((Match(None, 0, False, (), None),))  # type: ignore[arg-type]
    routes.age += 1
    packet = encode(Publish("a", b"12345", 1, packet_id=1), 4)
    _, _, passed = _take_all(intake, [packet * 3])
    assert passed == [b"12345"] * 3


def test_what_is_not_usual_is_seen_though_many_are_taken_at_once() -> None:
    usual = encode(Publish("a", b"12345", 1, packet_id=1), 4)
    without_id = encode(Publish("a", b"12345", 1, packet_id=0), 4)
    intake = _trained(4, 1)
    with pytest.raises(ProtocolViolation):
        intake.take(usual * 3 + without_id, 0, 4 * len(usual), 0.0)
    run = intake.harvest()
    assert run is not None
    assert run.count == 3

    # Same head and same length, but the first payload byte is a property length.
    usual = encode(Publish("a", b"12345", 1, packet_id=1), 5)
    expiring = Publish("a", b"", 1, packet_id=1, properties={Property.MESSAGE_EXPIRY_S: 7})
    packet = encode(expiring, 5)
    assert len(packet) == len(usual)
    intake = _trained(5, 1)
    intake._routes.known[b"a"] = QUIET
    packets, answers, _ = _take_all(intake, [usual + packet + usual])
    assert packets == [usual, packet, usual]
    assert answers == bytes.fromhex("4003000110") * 3
    broken = packet[:-5] + b"\x7f" + packet[-4:]
    with pytest.raises(ProtocolViolation):
        intake.take(usual + broken, 0, 2 * len(usual), 0.0)
