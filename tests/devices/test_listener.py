from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.devices.rooms import ALL, SENSOR, Room

from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.commands import TaskState
from penstock.core.device_logs import Level, LogQuery
from penstock.core.devices import DeviceFacts
from penstock.core.listening import HUB_CLIENT, Kind, Sighting
from penstock.core.series import Series

REGISTRY = f"sensor.{SENSOR}.registry.created"
LOGS = f"sensor.{SENSOR}.logs"


def register(room: Room, serial: str = SENSOR, **more: object):
    entry = {"SerialNumber": serial, "SampleFrequency": 100.0, **more}
    return room.hear(Kind.REGISTRY, f"sensor.{serial}.registry.created", entry, serial)


def log(room: Room, **more: object):
    entry = {
        "SerialNumber": SENSOR,
        "Timestamp": "2026-01-01T00:00:00.123456789Z",
        "Level": "INFO",
        "Message": "power on",
        **more,
    }
    return room.hear(Kind.LOGS, LOGS, entry)


def test_a_sensor_registers_itself_and_again_is_harmless(room: Room) -> None:
    assert register(room) == []
    assert register(room, SampleFrequency=500.0) == []
    device = room.device()
    assert (device.status, device.type) == (DeviceStatus.ENROLLED, "accelerometer")
    assert (device.sample_frequency, device.topic) == (500.0, f"sensor.{SENSOR}")


@pytest.mark.parametrize(
    ("topic", "payload", "problem"),
    [
        (REGISTRY, b"\x12\xff\x81 gob", "cannot be read"),
        (REGISTRY, {"SerialNumber": "BBB-3423", "SampleFrequency": 1}, "of 'BBB-3423'"),
        (REGISTRY, {"SerialNumber": SENSOR, "SampleFrequency": 0}, "positive number"),
        (REGISTRY, {"SerialNumber": SENSOR, "SampleFrequency": -5}, "positive number"),
        ("sensor.TOO-LONG-1.registry.created", {"SerialNumber": "TOO-LONG-1"}, "8 letters"),
        ("sensor.1234.registry.created", {"SerialNumber": "1234"}, "at least one letter"),
        ("sensor.A_1.registry.created", {"SerialNumber": "A_1"}, "letters, digits and '-'"),
    ],
)
def test_a_registration_that_is_none_is_refused(
    room: Room, topic: str, payload: object, problem: str
) -> None:
    (unheard,) = room.hear(Kind.REGISTRY, topic, payload)
    assert problem in unheard.reason
    assert room.room.records.devices(ALL) == []


def test_with_approval_a_registration_waits_and_names_the_device(
    make: Callable[..., Room],
) -> None:
    room = make(policy=Policy.APPROVAL)
    (unheard,) = register(room)
    assert unheard.device == SENSOR
    assert room.device().status is DeviceStatus.PENDING
    (unheard,) = log(room)
    assert unheard.device == SENSOR
    room.room.records.decide(1, SENSOR, DeviceStatus.ENROLLED)
    room.room.forget()
    assert register(room) == []
    assert log(room) == []
    assert len(room.room.logs.search(LogQuery()).lines) == 1


def test_a_closed_platform_takes_no_log_of_strangers(make: Callable[..., Room]) -> None:
    room = make(policy=Policy.CLOSED)
    assert len(log(room)) == 1
    assert room.room.logs.search(LogQuery()).lines == []
    assert room.room.records.devices(ALL) == []


def test_lines_of_a_log_are_kept_once(room: Room) -> None:
    log(room)
    log(room)
    (line,) = room.room.logs.search(LogQuery()).lines
    assert (line.device, line.level, line.message) == (SENSOR, Level.INFO, "power on")
    assert line.time_us == 1_767_225_600_123_456


def test_any_device_may_log_in_plain_words_and_in_arrays(room: Room) -> None:
    lines = [{"level": "warn", "message": "low battery"}, {"message": "bye", "time": 1_767_225_600}]
    assert room.hear(Kind.LOGS, "UPB/RPi_1/logs", lines, "rpi") == []
    found = room.room.logs.search(LogQuery(devices=["UPB/RPi_1"])).lines
    assert [(one.level, one.message) for one in found] == [
        (Level.INFO, "bye"),
        (Level.WARNING, "low battery"),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"null", b"[]x", b"\xff\xfe", {"Level": "INFO"}, [1, 2],
        {"Message": "x", "Level": "LOUD"}, {"Message": "x", "Timestamp": "yesterday"},
        {"Message": "x", "Timestamp": 1e300}, {"Message": 5},
    ],
)  # fmt: skip
def test_a_log_message_that_is_none_is_refused(room: Room, payload: object) -> None:
    (unheard,) = room.hear(Kind.LOGS, LOGS, payload)
    assert unheard.reason
    assert room.room.logs.search(LogQuery()).lines == []


@pytest.mark.parametrize("text", ["a\0b", "x" * 100_000, '"; DROP TABLE line; --', "🜁 é ẞ"])
def test_hostile_text_is_kept_as_text(room: Room, text: str) -> None:
    assert log(room, Message=text) == []
    (line,) = room.room.logs.search(LogQuery()).lines
    assert line.message == text.replace("\0", "�")[: room.settings.max_log_message_chars]


def test_only_the_device_itself_answers_for_its_task(room: Room) -> None:
    room.sensor("BBB-3423")
    (task,) = room.order(room.sensor())
    answer = {"Task": task.key, "State": "done"}
    (unheard,) = room.hear(Kind.ANSWER, "sensor.BBB-3423.tasks", answer, "BBB-3423")
    assert "has no task" in unheard.reason
    (unheard,) = room.hear(Kind.ANSWER, f"sensor.{SENSOR}.tasks", {"Task": "f" * 32})
    assert "has no task" in unheard.reason
    assert room.state(task) is TaskState.QUEUED


@pytest.mark.parametrize(
    "payload", [b"{", {"State": "expired"}, {"State": "queued"}, {"State": 5}, b"[]", b"\xff"]
)
def test_an_answer_that_is_none_is_refused(room: Room, payload: object) -> None:
    (task,) = room.order(room.sensor())
    (unheard,) = room.hear(Kind.ANSWER, f"sensor.{SENSOR}.tasks/{task.key}", payload)
    assert unheard.reason
    assert room.state(task) is TaskState.QUEUED


def test_a_reported_state_is_merged_and_what_is_missing_is_told(room: Room) -> None:
    sensor = room.sensor()
    thing = sensor.thing_id or 0
    state = room.room.states.desire(thing, {"interval_s": 10, "led": {"on": True}})
    room.dispatcher.turn()
    (letter,) = room.post.letters
    assert (letter.topic, letter.retain) == (f"sensor.{SENSOR}.state.desired", True)
    assert json.loads(letter.payload)["delta"] == {"interval_s": 10, "led": {"on": True}}
    topic = f"sensor.{SENSOR}.state.reported"
    room.clock.advance(1)
    assert room.hear(Kind.STATE, topic, {"interval_s": 10, "firmware": "1.4"}) == []
    held = room.room.states.state(thing)
    assert (held.delta, held.reported_version) == ({"led": {"on": True}}, 1)
    assert json.loads(room.post.letters[-1].payload) == {
        "version": state.desired_version,
        "desired": {"interval_s": 10, "led": {"on": True}},
        "delta": {"led": {"on": True}},
    }
    (unheard,) = room.hear(Kind.STATE, "no/such/state/reported", {"x": 1})
    assert "not known" in unheard.reason
    (unheard,) = room.hear(Kind.STATE, topic, b"[1]")
    assert "JSON object" in unheard.reason


def test_a_desired_state_that_the_door_never_took_is_told_by_the_next_hub(room: Room) -> None:
    thing = room.sensor().thing_id or 0
    room.room.states.desire(thing, {"a": 1})
    room.dispatcher.turn()
    room.end()
    room.open()
    room.room.states.tell_again()
    room.dispatcher.turn()
    assert len(room.post.letters) == 1
    room.post.take(0)
    room.dispatcher.turn()
    room.end()
    room.open()
    room.room.states.tell_again()
    room.dispatcher.turn()
    assert room.post.letters == []


def test_a_device_is_online_while_its_client_is_here(room: Room) -> None:
    register(room)
    assert room.device().online is None
    room.say_presence(SENSOR, online=True, at_us=1_000, reason="connect")
    assert (room.device().online, room.device().online_since_us) == (True, 1_000)
    room.say_presence(SENSOR, online=False, at_us=3_000, reason="keep-alive")
    room.say_presence(SENSOR, online=True, at_us=2_000, reason="late news")
    assert (room.device().online, room.device().reason) == (False, "keep-alive")


def test_who_speaks_in_a_devices_name_does_not_take_it_off_line(room: Room) -> None:
    # Given a device whose own client is here, and another that sent in its name
    name = "UPB/RPi_1"
    (answer,) = room.catalog.enrol([Series(thing=name, name="TMP")], Policy.AUTOMATIC, 1)
    room.say_presence(name, online=True, at_us=1_000, reason="connect")
    seen = Sighting(answer.datastream or 0, 2_000, "auto-1", name, "flat")
    room.room.listener.saw([seen])
    room.room.write_seen()
    # When the other one goes, then the device is still here; when its own goes, it is not
    room.say_presence("auto-1", online=False, at_us=3_000, reason="clean")
    assert (room.device(name).online, room.device(name).client) == (True, name)
    room.say_presence(name, online=False, at_us=4_000, reason="will")
    assert (room.device(name).online, room.device(name).reason) == (False, "will")


def test_a_device_is_online_while_the_client_that_sends_its_data_is_here(room: Room) -> None:
    series = Series(thing="UPB/RPi_1", name="TMP")
    (answer,) = room.catalog.enrol([series], Policy.AUTOMATIC, 1)
    seen = Sighting(answer.datastream or 0, 5_000, "gateway-3", "UPB/RPi_1", "flat")
    room.room.listener.saw([seen])
    assert room.device("UPB/RPi_1").last_seen_us is None
    room.room.write_seen()
    room.say_presence("gateway-3", online=True, at_us=4_000)
    device = room.device("UPB/RPi_1")
    assert (device.online, device.client) == (True, "gateway-3")
    assert (device.last_seen_us, device.topic) == (5_000, "UPB/RPi_1")
    room.say_presence("gateway-3", online=False, at_us=6_000, reason="will")
    assert (room.device("UPB/RPi_1").online, room.device("UPB/RPi_1").reason) == (False, "will")


def test_a_gateway_that_sends_on_keeps_a_device_online_whose_own_client_left(room: Room) -> None:
    # Given a gateway that has been here for long, and the device's own client, here for a moment
    name = "UPB/RPi_1"
    (answer,) = room.catalog.enrol([Series(thing=name, name="TMP")], Policy.AUTOMATIC, 1)
    room.say_presence("gateway-3", online=True, at_us=1_000, reason="connect")
    room.say_presence(name, online=True, at_us=2_000, reason="connect")
    room.say_presence(name, online=False, at_us=3_000, reason="clean")
    assert room.device(name).online is False
    # When the gateway sends what the device measured
    room.room.listener.saw([Sighting(answer.datastream or 0, 4_000, "gateway-3", name, "flat")])
    room.room.write_seen()
    # Then the device is there as long as the gateway is
    assert (room.device(name).online, room.device(name).client) == (True, "gateway-3")
    room.say_presence("gateway-3", online=False, at_us=5_000, reason="will")
    assert (room.device(name).online, room.device(name).reason) == (False, "will")


def test_things_that_others_made_are_told_from_devices(room: Room) -> None:
    def names(*, heard: bool | None) -> list[str]:
        return [one.name for one in room.room.records.devices(ALL, heard=heard)]

    for thing in ("of an app", "UPB/RPi_1"):
        (answer,) = room.catalog.enrol([Series(thing=thing, name="TMP")], Policy.AUTOMATIC, 1)
    room.catalog.enrol([Series(thing="waits", name="TMP")], Policy.APPROVAL, 1)
    register(room)
    assert names(heard=True) == [SENSOR, "waits"]
    assert names(heard=False) == ["UPB/RPi_1", "of an app"]
    room.room.listener.saw([Sighting(answer.datastream or 0, 5_000, "a", "UPB/RPi_1", "flat")])
    room.room.write_seen()
    assert names(heard=True) == [SENSOR, "UPB/RPi_1", "waits"]
    assert names(heard=None) == [SENSOR, "UPB/RPi_1", "of an app", "waits"]


def test_a_door_that_starts_has_nobody_yet(room: Room) -> None:
    register(room)
    room.say_presence(SENSOR, online=True, at_us=1_000)
    started = {"started": 2_000}
    assert room.hear(Kind.PLATFORM, "$SYS/penstock/door", started, HUB_CLIENT) == []
    assert (room.device().online, room.device().reason) == (False, "door")
    room.say_presence(SENSOR, online=True, at_us=3_000)
    room.hear(Kind.PLATFORM, "$SYS/penstock/door", started, HUB_CLIENT)
    assert room.device().online is True


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["SerialNumber", "Message", "Level", "Task", "State", "online", "at"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
TOPICS = {
    Kind.REGISTRY: REGISTRY,
    Kind.LOGS: LOGS,
    Kind.STATE: f"sensor.{SENSOR}.state.reported",
    Kind.ANSWER: f"sensor.{SENSOR}.tasks",
    Kind.PLATFORM: f"$SYS/penstock/clients/{SENSOR}",
}


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(Kind), JSON.map(msgspec.json.encode) | st.binary(max_size=40))
def test_nothing_that_is_said_breaks_the_listener(room: Room, kind: Kind, payload: bytes) -> None:
    for unheard in room.hear(kind, TOPICS[kind], payload):
        assert unheard.reason


def test_who_says_anything_was_seen(room: Room) -> None:
    room.room.records.register([DeviceFacts(name=SENSOR)], Policy.AUTOMATIC, 1)
    log(room)
    assert room.room.last_seen() == {room.device().thing_id: room.clock.now_us()}
    room.room.write_seen()
    assert room.device().last_seen_us == room.clock.now_us()
    assert room.device().client == SENSOR


@pytest.mark.parametrize(
    ("payload", "state"),
    [(b"", TaskState.DONE), ({"State": "failed"}, TaskState.FAILED), (b" \n", TaskState.DONE)],
)
def test_an_answer_is_known_by_the_correlation_data_that_comes_back(
    room: Room, payload: object, state: TaskState
) -> None:
    (task,) = room.order(room.sensor())
    topic = f"sensor.{SENSOR}.tasks"
    assert room.hear(Kind.ANSWER, topic, payload, correlation=task.key.encode()) == []
    assert room.state(task) is state


def test_correlation_data_of_something_else_leaves_the_task_to_the_payload(room: Room) -> None:
    (task,) = room.order(room.sensor())
    answer = {"Task": task.key, "State": "accepted"}
    topic = f"sensor.{SENSOR}.tasks"
    assert room.hear(Kind.ANSWER, topic, answer, correlation=b"\xff\x00mine") == []
    assert room.state(task) is TaskState.ACCEPTED
    (unheard,) = room.hear(Kind.ANSWER, topic, b"", correlation=b"0" * 31)
    assert "no task is named" in unheard.reason


def test_the_door_is_told_which_clients_a_device_may_have(room: Room) -> None:
    sensor = room.sensor()
    (first,) = room.order(sensor)
    assert room.letters(first)[-1][1].clients == (SENSOR,)
    log_line = {"SerialNumber": SENSOR, "Level": "INFO", "Message": "on"}
    room.hear(Kind.LOGS, LOGS, log_line, "gateway-7")
    room.room.write_seen()
    (second,) = room.order(sensor, command="awake")
    assert room.letters(second)[-1][1].clients == (SENSOR, "gateway-7")
