from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.devices.rooms import ALL, SENSOR, Room

from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.device_logs import Level, LogLine, LogQuery
from penstock.core.devices import DeviceFacts
from penstock.core.errors import NotFound
from penstock.core.listening import Kind
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.core.series import Series

SERIES = Series(thing=SENSOR, name="acceleration", location=(13.0, 47.8))


def with_data(room: Room) -> int:
    (answer,) = room.catalog.enrol([SERIES], Policy.AUTOMATIC, 1)
    datastream = answer.datastream or 0
    room.store.append(observations([datastream] * 3, [1, 2, 3], [1.0, 2.0, 3.0]))
    room.room.logs.append([LogLine(device=SENSOR, time_us=1, level=Level.INFO, message="on")])
    return datastream


def test_a_deleted_device_keeps_its_data_and_is_enrolled_like_a_new_one(
    make: Callable[..., Room],
) -> None:
    room = make(policy=Policy.APPROVAL)
    datastream = with_data(room)
    room.room.remove(1, SENSOR, with_data=False)
    assert room.room.records.devices(ALL) == []
    assert room.store.scan(Selection()).num_rows == 3
    assert room.catalog.datastreams(ids=[datastream])
    (answer,) = room.catalog.enrol([SERIES], Policy.APPROVAL, 2)
    assert answer.datastream is None
    assert room.device().status is DeviceStatus.PENDING
    room.room.records.decide(1, SENSOR, DeviceStatus.ENROLLED)
    (answer,) = room.catalog.enrol([SERIES], Policy.APPROVAL, 3)
    assert answer.datastream == datastream


def test_with_its_data_nothing_of_a_device_is_left(room: Room) -> None:
    datastream = with_data(room)
    other = LogLine(device="other", time_us=1, level=Level.INFO, message="on")
    room.room.logs.append([other])
    asked: list[float] = []
    room.room.forget_series = lambda timeout_s: bool(asked.append(timeout_s)) or True
    room.room.remove(1, SENSOR, with_data=True)
    assert asked
    assert room.store.scan(Selection()).num_rows == 0
    assert room.catalog.datastreams(ids=[datastream]) == []
    assert [line.device for line in room.room.logs.search(LogQuery()).lines] == ["other"]
    assert room.room.records.doomed() == []
    (answer,) = room.catalog.enrol([SERIES], Policy.AUTOMATIC, 2)
    assert answer.datastream not in (None, datastream)


def test_a_deletion_that_was_cut_short_is_finished_by_the_next_hub(room: Room) -> None:
    datastream = with_data(room)
    room.room.records.remove(1, SENSOR, with_data=True)
    assert room.room.records.doomed() == [datastream]
    assert room.store.scan(Selection()).num_rows == 3
    room.room.bury()
    assert room.room.records.doomed() == []
    assert room.store.scan(Selection()).num_rows == 0


def test_tasks_of_a_deleted_device_do_not_hold_up_others(room: Room) -> None:
    room.catalog.enrol([SERIES], Policy.AUTOMATIC, 1)
    room.order(room.sensor())
    room.room.remove(1, SENSOR, with_data=True)
    room.clock.advance(1_000)
    room.dispatcher.turn()
    assert room.dispatcher.open_tasks == 0


def test_a_device_that_is_not_there_cannot_be_deleted(room: Room) -> None:
    with pytest.raises(NotFound):
        room.room.remove(1, "ghost", with_data=True)


def test_messages_on_the_way_do_not_enrol_a_device_again_that_was_deleted(room: Room) -> None:
    with_data(room)
    is_passed = False
    room.room.log_passed = lambda: lambda: is_passed
    room.room.remove(1, SENSOR, with_data=True)
    # What was in the log before.
    (answer,) = room.catalog.enrol([SERIES], Policy.AUTOMATIC, 2)
    assert (answer.datastream, answer.is_late) == (None, True)
    log = {"level": "INFO", "message": "still on the way"}
    (unheard,) = room.hear(Kind.LOGS, f"sensor.{SENSOR}.logs", log)
    assert (unheard.device, "deleted" in unheard.reason) == ("", True)
    assert room.room.records.devices(ALL) == []
    assert room.room.logs.search(LogQuery()).lines == []
    room.room.let_leave()
    assert room.room.records.leaving() == [(1, SENSOR)]
    is_passed = True
    room.room.let_leave()
    assert room.room.records.leaving() == []
    (answer,) = room.catalog.enrol([SERIES], Policy.AUTOMATIC, 3)
    assert answer.datastream is not None


def test_a_hub_that_starts_again_still_knows_who_is_leaving(make: Callable[..., Room]) -> None:
    room = make()
    with_data(room)
    room.room.log_passed = lambda: lambda: False
    room.room.remove(1, SENSOR, with_data=True)
    room.end()
    room.open()
    assert room.catalog.enrol([SERIES], Policy.AUTOMATIC, 2)[0].datastream is None
    room.room.start()
    room.room.let_leave()
    assert room.catalog.enrol([SERIES], Policy.AUTOMATIC, 3)[0].datastream is not None


def test_what_a_device_said_before_it_was_deleted_does_not_bring_it_back(room: Room) -> None:
    room.sensor()
    said_us = room.clock.now_us()
    room.clock.advance(1)
    room.room.remove(1, SENSOR, with_data=False)
    assert room.room.records.deleted() == {(1, SENSOR): room.clock.now_us()}
    room.clock.advance(1)
    entry = {"SerialNumber": SENSOR, "SampleFrequency": 50}
    for kind, topic, payload in (
        (Kind.REGISTRY, f"sensor.{SENSOR}.registry.created", entry),
        (Kind.LOGS, f"sensor.{SENSOR}.logs", {"level": "INFO", "message": "on"}),
    ):
        (unheard,) = room.hear(kind, topic, payload, arrived_us=said_us)
        assert "was deleted after this came" in unheard.reason
    assert room.room.records.devices(ALL) == []
    assert room.hear(Kind.REGISTRY, f"sensor.{SENSOR}.registry.created", entry) == []
    assert room.device().status is DeviceStatus.ENROLLED


def test_the_topic_of_a_deleted_device_is_remembered_too(room: Room) -> None:
    facts = DeviceFacts(name="boiler-7", topic="plant/boiler-7")
    room.room.records.register([facts], Policy.AUTOMATIC, 1)
    room.room.remove(1, "boiler-7", with_data=True)
    assert set(room.room.records.deleted()) == {(1, "boiler-7"), (1, "plant/boiler-7")}
    # What a clock that was ahead wrote down is not believed.
    room.clock.jump(-3600)
    assert room.room.records.deleted() == {}
