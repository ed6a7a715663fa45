"""Topics that begin with the name of a system that is not there."""

from __future__ import annotations

import pytest

from penstock.core.access import PLATFORM, Access, Kind, Principal
from penstock.core.clock import SystemClock
from penstock.core.organisation import DEFAULT_SYSTEM, Client, Organisation, System, User

GONE = "cz.icecars.CarFleet.Car1"
NEAR = Principal(Kind.CLIENT, 1)
ROOT = Principal(Kind.USER, 1)


def access(*topics: str, accounts: bool = True) -> Access:
    default = System(id=DEFAULT_SYSTEM, company=1, name="default", topics=topics)
    organisation = Organisation(
        accounts=accounts,
        users=[User(id=1, name="root", administrator=True)],
        systems=[default],
        clients=[Client(id=1, system=DEFAULT_SYSTEM, name="near")],
    )
    return Access(organisation, SystemClock())


@pytest.mark.parametrize("topic", [f"{GONE}/a/b", GONE, f"{GONE}.int/x", f"{GONE}.ext"])
def test_what_a_removed_system_left_falls_to_nobody(topic: str) -> None:
    decides = access()
    assert not decides.may_receive(NEAR, topic)
    assert not decides.may_publish(NEAR, topic)
    assert not decides.may_publish(ROOT, topic)
    assert decides.may_receive(ROOT, topic)
    assert decides.may_publish(PLATFORM, topic)


@pytest.mark.parametrize(
    "topic",
    ["UPB/RPi_1", "sensor.AAD-1123.commands.sleep", "a.b.c/x", "a.b.c.d.e/x", "a.b.c.d e/x"],
)
def test_topics_of_other_forms_are_the_default_system_s(topic: str) -> None:
    decides = access()
    assert decides.may_receive(NEAR, topic)
    assert decides.may_publish(NEAR, topic)


def test_the_default_system_can_claim_such_topics() -> None:
    decides = access("10.0.0.1/#")
    assert decides.may_publish(NEAR, "10.0.0.1/temperature")
    assert not decides.may_publish(NEAR, "10.0.0.2/temperature")


def test_without_accounts_nothing_is_reserved() -> None:
    assert access(accounts=False).may_publish(Principal(), f"{GONE}/a")
