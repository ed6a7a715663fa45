"""The tree of filters finds what plain matching finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from penstock.core.clock import ManualClock
from penstock.door.filters import Filters, form_of
from penstock.door.keeping import Keeper
from penstock.door.message import Message
from penstock.door.packets import Publish
from penstock.door.quotas import Allowance, whole
from penstock.door.retained import Retained
from penstock.door.session import Session
from penstock.door.settings import DoorSettings
from penstock.door.stats import Stats
from penstock.door.subscriptions import QUIET, Subscription, Subscriptions

_levels = st.sampled_from(["a", "b", "", "$x"])
_topics = st.lists(_levels, min_size=1, max_size=4).map("/".join).filter(bool)
_filters = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    st.lists(st.sampled_from(["a", "b", "", "+", "$x"]), max_size=4),
    st.sampled_from([["#"], ["+"], ["a"]]),
)


def _matches(name: str, topic: str) -> bool:
    """Section 4.7, word for word."""
    wanted, given_levels = name.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(given_levels) or level not in ("+", given_levels[index]):
            return False
    return len(wanted) == len(given_levels) or wanted[len(given_levels) :] == ["#"]


def _session(client: str) -> Session:
    clock = ManualClock()
    return Session(client, DoorSettings(), clock, Stats(), Keeper(clock))


@given(st.lists(_filters, max_size=8, unique=True), st.lists(_topics, min_size=1, max_size=8))
def test_a_route_leads_to_exactly_the_sessions_whose_filters_match(
    filters: list[str], topics: list[str]
) -> None:
    tree = Subscriptions()
    for name in filters:
        tree.add(_session(name), name, Subscription())
    for topic in topics:
        found = {match.session.client for match in tree.route(topic).matches}
        assert found == {name for name in filters if _matches(name, topic)}


@given(st.lists(_filters | _topics, max_size=30), st.lists(st.integers(0, 29)), _topics)
def test_a_topic_matches_at_most_as_many_filters_as_there_are_forms(
    names: list[str], dropped: list[int], topic: str
) -> None:
    filters = Filters()
    for name in names:
        filters.put(name, Subscription())
    for at in dropped:
        if at < len(names):
            filters.drop(names[at])
    matching = [name for name in filters if _matches(name, topic)]
    forms = {form_of(name) for name in filters}
    assert len(matching) <= len(forms)
    for name in filters:
        assert filters.forms_with(name) == len(forms)


def test_each_share_name_is_a_form() -> None:
    assert form_of("$share/a/x/+") != form_of("$share/b/x/+") != form_of("x/+")
    assert form_of("$share/a/x") == form_of("$share/a/x/y") != form_of("x")
    assert form_of("plant/+/heat") == form_of("hall/+/on") != form_of("hall/on/+")


@given(st.lists(_filters, max_size=8, unique=True), _topics)
def test_nothing_is_left_when_all_have_unsubscribed(filters: list[str], topic: str) -> None:
    tree = Subscriptions()
    session = _session("one")
    for name in [*filters, *(f"$share/group/{name}" for name in filters)]:
        tree.add(session, name, Subscription())
    for name in [*filters, *(f"$share/group/{name}" for name in filters)]:
        tree.remove(session, name)
    assert tree.route(topic) is QUIET
    assert not tree._root.children


@given(st.lists(_topics, max_size=8, unique=True), _filters)
def test_retained_messages_are_found_by_filter(topics: list[str], name: str) -> None:
    retained = Retained(_room(100, 1000))
    for topic in topics:
        assert retained.keep(Message(Publish(topic, b"x", retain=True), "p", 0.0))
    found = {message.topic for message in retained.match(name, 0.0)}
    assert found == {topic for topic in topics if _matches(name, topic)}
    for topic in topics:
        retained.drop(topic)
    assert len(retained) == 0
    assert not retained._root.children


def test_what_was_retained_before_is_kept_though_its_payers_share_has_shrunk() -> None:
    room = _room(4, 100)
    retained, payer = Retained(room), room.part("company 2", lambda: 0.25)
    for topic in "abcd":
        assert retained.restore(Message(Publish(topic, b"1"), "p", 0.0), payer)
    assert not retained.restore(Message(Publish("e", b"1"), "p", 0.0), payer)
    assert not retained.keep(Message(Publish("a", b"2"), "p", 0.0), payer)
    assert (payer.retained.used, room.retained.used, room.retained_bytes.used) == (3, 3, 3)


def _room(messages: int, size: int) -> Allowance:
    return whole(DoorSettings(max_retained=messages, max_retained_bytes=size))


def test_own_messages_follow_the_subscriptions_that_want_them() -> None:
    tree = Subscriptions()
    session = _session("one")
    tree.add(session, "a/#", Subscription(qos=2, no_local=True, identifier=5))
    tree.add(session, "a/b", Subscription(qos=1, identifier=6))
    (match,) = tree.route("a/b").matches
    assert (match.qos, set(match.identifiers)) == (2, {5, 6})
    assert match.local is not None
    assert (match.local.qos, match.local.identifiers) == (1, (6,))


def test_the_retained_store_is_bounded_and_forgets_what_was_replaced() -> None:
    retained = Retained(_room(2, 10))
    assert retained.keep(Message(Publish("a", b"12345"), "p", 0.0))
    assert retained.keep(Message(Publish("b", b"12345"), "p", 0.0))
    assert not retained.keep(Message(Publish("c", b"1"), "p", 0.0))
    assert not retained.keep(Message(Publish("a", b"123456"), "p", 0.0))
    assert [message.topic for message in retained.match("#", 0.0)] == ["b"]


def test_expired_retained_messages_are_dropped_when_they_are_met() -> None:
    retained = Retained(_room(2, 10))
    message = Message(Publish("a", b"1", properties={2: 5}), "p", 100.0)
    retained.keep(message)
    assert retained.match("a", 104.0) == [message]
    assert retained.match("a", 105.0) == []
    assert len(retained) == 0
