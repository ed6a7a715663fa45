"""What one company can do with its own devices must not reach another's."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select
from tests.catalog.template import ON_POSTGRES
from tests.devices.rooms import ALL, SENSOR, Room

from penstock.catalog.device_models import ClientPresence
from penstock.catalog.devices import presence
from penstock.core.access import Access, Scope
from penstock.core.catalog import Policy
from penstock.core.clock import ManualClock
from penstock.core.commands import Order, TaskState
from penstock.core.device_logs import Level, LogLine, LogQuery
from penstock.core.devices import Device, DeviceFacts
from penstock.core.errors import InvalidInput
from penstock.core.listening import HUB_CLIENT, Heard, Kind
from penstock.core.organisation import Organisation, System
from penstock.devices.dispatcher import Notice
from penstock.devices.log_store import LogStore
from penstock.devices.post import Letter
from penstock.devices.settings import DeviceSettings

OTHER = "at.other.hall.press"


@pytest.fixture
def shared(room: Room, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A room in a house with another company."""
    organisation = Organisation(
        systems=(System(id=1, company=1, name="default"), System(id=2, company=2, name=OTHER))
    )
    access = Access(organisation, ManualClock())
    monkeypatch.setattr(room.room.commands._directory, "_access", lambda: access)
    return room


def device(room: Room, name: str, topic: str = "") -> Device:
    facts = DeviceFacts(name=name, type="accelerometer", topic=topic)
    (found,) = room.room.records.register([facts], Policy.AUTOMATIC, 1)
    return found


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        ("spy", f"{OTHER}/sensor.AAD-1123"),
        ("spy", f"{OTHER}.int/AAD-1123"),
        ("spy", "$SYS/penstock/clients/x"),
        ("a+b", ""),
        ("a#", ""),
        ("nul\0", ""),
        ("x" * 70_000, ""),
    ],
)
def test_a_device_is_not_commanded_nor_told_where_its_system_may_not_write(
    shared: Room, name: str, topic: str
) -> None:
    if ON_POSTGRES and "\0" in name:
        pytest.skip("PostgreSQL holds no such name")
    spy = device(shared, name, topic)
    before = len(shared.post.letters)
    with pytest.raises(InvalidInput, match="cannot be reached at topic"):
        shared.order(spy)
    with pytest.raises(InvalidInput, match="cannot be reached at topic"):
        shared.room.states.desire(spy.thing_id or 0, {"led": "on"})
    shared.dispatcher.turn()
    assert len(shared.post.letters) == before
    assert list(shared.tasks.open_tasks()) == []


def test_a_command_whose_topic_became_anothers_is_not_sent_and_expires(shared: Room) -> None:
    mine = device(shared, SENSOR, "hall/press")
    shared.post.go(up=False)
    (task,) = shared.order(mine)
    device(shared, SENSOR, f"{OTHER}/press")
    shared.dispatcher._open.clear()
    shared.dispatcher.take_up()
    shared.post.go(up=True)
    shared.dispatcher.turn()
    assert shared.letters(task) == []
    shared.clock.advance(61)
    shared.dispatcher.turn()
    assert shared.state(task) is TaskState.EXPIRED


def test_a_message_that_cannot_be_sent_does_not_keep_others_from_being_sent(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = room.post.send

    def refuse(letter: Letter) -> int | None:
        if letter.topic.startswith("sensor.BAD"):
            raise ValueError("Publish topic cannot contain wildcards.")
        return send(letter)

    monkeypatch.setattr(room.post, "send", refuse)
    things = [room.sensor(name).thing_id or 0 for name in ("BAD-1", "GOOD-1")]
    bad, good = room.room.commands.request(Order(things=things, command="sleep"))
    room.dispatcher.turn()
    assert (len(room.letters(bad)), len(room.letters(good))) == (0, 1)


def test_of_two_notices_for_one_topic_only_the_newer_waits_for_the_door(room: Room) -> None:
    room.post.go(up=False)
    for version in range(100):
        letter = Letter(key=str(version), topic="a/state/desired", payload=b"%d" % version)
        room.dispatcher.put(Notice(letter, lambda: None))
    room.post.go(up=True)
    room.dispatcher.turn()
    assert [one.payload for one in room.post.letters] == [b"99"]


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        (Kind.STATE, f"sensor.{SENSOR}.state.reported"),
        (Kind.LOGS, f"sensor.{SENSOR}.logs"),
        (Kind.ANSWER, f"sensor.{SENSOR}.tasks"),
        (Kind.REGISTRY, f"sensor.{SENSOR}.registry.created"),
    ],
)
@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_a_message_that_is_too_deep_is_its_own_trouble_only(
    room: Room, kind: Kind, topic: str, depth: int
) -> None:
    room.sensor()
    (unheard,) = room.hear(kind, topic, b'{"a":' * depth + b"1" + b"}" * depth)
    assert unheard.message == 0


def test_a_desired_state_that_is_too_deep_is_refused(room: Room) -> None:
    sensor = room.sensor()
    state: dict[str, object] = {}
    for _ in range(65):
        state = {"a": state}
    with pytest.raises(InvalidInput, match="deeper than 64"):
        room.room.states.desire(sensor.thing_id or 0, state)


def test_more_answers_at_once_than_a_statement_takes_are_heard(room: Room) -> None:
    sensor = room.sensor()
    (task,) = room.order(sensor)
    keys = [f"no-task-{at}" for at in range(40_000)] + [task.key]
    count = len(keys)
    heard = Heard(
        topics=[f"sensor.{SENSOR}.tasks"] * count,
        paths=[f"sensor.{SENSOR}.tasks"] * count,
        systems=[1] * count,
        prefixes=[""] * count,
        payloads=[msgspec.json.encode({"Task": key, "State": "done"}) for key in keys],
        arrived_us=[room.clock.now_us()] * count,
        clients=[SENSOR] * count,
        fields=[{}] * count,
    )
    room.room.listener._enrolled[1, SENSOR] = sensor.thing_id or 0
    assert len(room.room.listener.hear(Kind.ANSWER, heard)) == count - 1
    assert room.state(task) is TaskState.DONE


def test_a_client_of_another_system_says_nothing_about_a_device(room: Room) -> None:
    room.sensor()
    about = {"online": True, "at": 5, "client": SENSOR, "system": 2, "address": "192.0.2.66"}
    assert room.hear(Kind.PLATFORM, f"$SYS/penstock/clients/{SENSOR}", about, HUB_CLIENT) == []
    (seen,) = room.room.records.devices(ALL, name=SENSOR)
    assert (seen.online, seen.address) == (None, "")
    room.say_presence(SENSOR, online=False, at_us=3)
    assert room.device().online is False


def test_a_flood_of_lines_drives_out_no_lines_of_another_system(tmp_path: Path) -> None:
    clock = ManualClock()
    store = LogStore(tmp_path / "logs.sqlite", DeviceSettings(max_log_lines=100), clock)
    now_us = clock.now_us()
    mine = [LogLine(device="a", system=2, time_us=now_us, level=Level.INFO, message="mine")]
    year_us = 31_536_000_000_000
    flood = [
        LogLine(
            device=f"b{at % 7}",
            system=3,
            time_us=now_us + year_us + at,
            level=Level.INFO,
            message=f"n{at}",
        )
        for at in range(500)
    ]
    store.append([*mine, *flood])
    assert store.trim() == 401
    assert [one.message for one in store.search(LogQuery(systems=frozenset({2}))).lines] == ["mine"]
    assert store.search(LogQuery(limit=1)).lines[0].message == "n499"
    store.close()


def test_however_many_things_somebody_may_read_they_are_one_question(room: Room) -> None:
    sensor = room.sensor()
    things = frozenset(range(1, 40_001))
    found = room.room.records.devices(Scope(things=things))
    assert [one.thing_id for one in found] == [sensor.thing_id]
    line = LogLine(device=SENSOR, system=1, time_us=5, level=Level.INFO, message="on")
    room.room.logs.append([line])
    pairs = frozenset((1, f"x{at}") for at in range(40_000)) | {(1, SENSOR)}
    query = LogQuery(systems=frozenset(range(100, 40_100)), things=pairs)
    assert [one.message for one in room.room.logs.search(query).lines] == ["on"]
    query = LogQuery(systems=frozenset(), things=frozenset({(2, SENSOR)}))
    assert list(room.room.logs.search(query).lines) == []


def test_clients_that_come_with_a_new_name_each_time_are_not_all_remembered(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "MAX_AWAY", 20)
    room.sensor()
    room.say_presence(SENSOR, online=True, at_us=1)
    for at in range(2, 60):
        room.say_presence(f"auto-{at}", online=False, at_us=at)
    with room.catalog.database.read() as connection:
        count = connection.execute(select(func.count()).select_from(ClientPresence)).scalar_one()
    assert count <= 23
    assert room.device().online is True
