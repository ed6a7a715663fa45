"""A clock that jumps ahead deletes nothing, and does not hide what devices say afterwards."""

from __future__ import annotations

from tests.devices.rooms import SENSOR, Room

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
