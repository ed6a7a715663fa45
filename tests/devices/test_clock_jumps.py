"""A clock that jumps ahead deletes nothing, and does not hide what devices say afterwards."""

from __future__ import annotations

import pytest
from tests.devices.rooms import SENSOR, Room

from penstock.core.commands import TaskState
from penstock.core.device_logs import LogQuery
from penstock.core.listening import Kind
from penstock.core.settled import SettledClock


def test_what_a_clock_said_that_was_ahead_does_not_hide_what_is_so_now(room: Room) -> None:
    device = room.sensor()
    room.hear(Kind.LOGS, f"sensor.{SENSOR}.logs", {"level": "INFO", "message": "on"})
    year_s = 31_536_000.0
    room.clock.jump(year_s)
    room.say_presence(SENSOR, online=True, at_us=room.clock.now_us())
    room.hear(Kind.STATE, f"sensor.{SENSOR}.state.reported", {"mode": "sleep"})
    room.room.write_seen()
    assert room.device().last_seen_us == room.clock.now_us()
    room.clock.jump(-year_s)
    room.clock.advance(60)
    room.say_presence(SENSOR, online=False, at_us=room.clock.now_us(), reason="clean")
    room.hear(Kind.STATE, f"sensor.{SENSOR}.state.reported", {"mode": "awake"})
    room.room.write_seen()
    now = room.device()
    assert (now.online, now.reason, now.last_seen_us) == (False, "clean", room.clock.now_us())
    state = room.room.states.state(device.thing_id or 0)
    assert state.reported == {"mode": "awake"}
    # What comes again, or late, is still passed over.
    room.say_presence(SENSOR, online=True, at_us=room.clock.now_us() - 1)
    assert room.device().online is False


@pytest.mark.parametrize("ahead_s", [31_536_000.0, -31_536_000.0])
def test_a_clock_that_is_set_ends_no_command(room: Room, ahead_s: float) -> None:
    device = room.sensor()
    (waiting,) = room.order(device, time_to_live_s=60)
    (running,) = room.order(device, time_to_live_s=60)
    for task in (waiting, running):
        room.take(task)
    topic = f"sensor.{SENSOR}.tasks/{running.key}"
    assert room.hear(Kind.ANSWER, topic, {"State": "accepted"}) == []
    room.clock.jump(ahead_s)
    room.dispatcher.turn()
    assert (room.state(waiting), room.state(running)) == (TaskState.SENT, TaskState.ACCEPTED)
    # The time that really passes ends them.
    room.clock.advance(60)
    room.dispatcher.turn()
    assert (room.state(waiting), room.state(running)) == (TaskState.EXPIRED, TaskState.ACCEPTED)
    room.clock.advance(room.settings.max_run_s)
    room.dispatcher.turn()
    assert room.state(running) is TaskState.FAILED


def test_a_clock_that_was_set_back_before_a_start_lets_no_command_live_longer(room: Room) -> None:
    device = room.sensor()
    (task,) = room.order(device, time_to_live_s=60)
    room.end()
    room.clock.jump(-31_536_000.0)
    room.open()
    room.clock.advance(60)
    room.dispatcher.turn()
    assert room.state(task) is TaskState.EXPIRED


def test_a_clock_that_jumps_ahead_deletes_no_log_lines(room: Room) -> None:
    room.hear(Kind.LOGS, f"sensor.{SENSOR}.logs", {"level": "INFO", "message": "on"})
    settled = SettledClock(room.clock, 3600.0, 86_400.0)
    room.room._settled_us = settled.now_us
    room.clock.jump(31_536_000.0)
    room.room.keep_house()
    assert len(room.room.logs.search(LogQuery()).lines) == 1
    room.clock.advance(86_400.0)
    room.room.keep_house()
    assert room.room.logs.search(LogQuery()).lines == []
