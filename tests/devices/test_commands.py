from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from tests.devices.rooms import ALL, SENSOR, Room

from penstock.core.catalog import Policy
from penstock.core.commands import CommandType, DeviceType, Order, Parameter, TaskQuery, TaskState
from penstock.core.devices import DeviceFacts
from penstock.core.errors import Backpressure, Conflict, InvalidInput, NotFound
from penstock.core.listening import Kind
from penstock.devices.settings import DeviceSettings

BOILER = DeviceType(
    name="boiler",
    commands=(
        CommandType(
            name="heat",
            parameters=(
                Parameter(name="to", unit="°C", minimum=10, maximum=90),
                Parameter(name="mode", kind="text", values=("eco", "fast"), required=False),
                Parameter(name="steps", kind="integer", required=False),
                Parameter(name="loud", kind="boolean", required=False),
            ),
            time_to_live_s=5,
        ),
    ),
)


def boiler(room: Room, name: str = "plant/boiler-7"):
    room.room.commands.declare(BOILER)
    facts = DeviceFacts(name=name, type="boiler", topic="plant/boiler-7")
    (device,) = room.room.records.register([facts], Policy.AUTOMATIC, 1)
    return device


def test_a_sensor_is_told_on_its_topic_in_its_words(room: Room) -> None:
    (task,) = room.order(
        room.sensor(), command="change_sample_frequency", parameters={"sampleFrequency": 500}
    )
    ((_, letter),) = room.letters(task)
    assert letter.topic == f"sensor.{SENSOR}.commands.change_sample_frequency"
    assert letter.reply_topic == f"sensor.{SENSOR}.tasks/{task.key}"
    assert letter.lives_s == 60
    assert json.loads(letter.payload) == {
        "SerialNumber": SENSOR,
        "Timestamp": "2023-11-14T22:13:20Z",
        "Command": "change_sample_frequency",
        "Params": {"sampleFrequency": 500.0},
        "Task": task.key,
    }


def test_a_task_lives_from_order_to_answer(room: Room) -> None:
    (task,) = room.order(room.sensor())
    assert room.state(task) is TaskState.QUEUED
    room.take(task)
    assert room.state(task) is TaskState.SENT
    room.receive(task)
    assert room.state(task) is TaskState.DELIVERED
    answer = {"Task": task.key, "State": "accepted"}
    assert room.hear(Kind.ANSWER, f"sensor.{SENSOR}.tasks", answer) == []
    assert room.state(task) is TaskState.ACCEPTED
    answer = {"Task": task.key, "State": "done", "Message": "asleep"}
    room.hear(Kind.ANSWER, f"sensor.{SENSOR}.tasks", answer)
    held = room.room.commands.task(task.id)
    assert (held.state, held.message) == (TaskState.DONE, "asleep")
    assert room.dispatcher.open_tasks == 0


def test_a_task_that_nobody_accepts_expires_and_says_why(room: Room) -> None:
    (task,) = room.order(room.sensor(), time_to_live_s=10)
    room.take(task, is_heard=False)
    room.clock.advance(9.9)
    room.dispatcher.turn()
    assert room.state(task) is TaskState.SENT
    room.clock.advance(0.2)
    room.dispatcher.turn()
    held = room.room.commands.task(task.id)
    assert held.state is TaskState.EXPIRED
    assert "nobody listened" in held.message


def test_what_nobody_was_there_to_take_is_sent_again(room: Room) -> None:
    (task,) = room.order(room.sensor())
    room.take(task, is_heard=False)
    assert len(room.letters(task)) == 1
    room.clock.advance(2.1)
    room.dispatcher.turn()
    assert len(room.letters(task)) == 2
    room.take(task)
    room.clock.advance(30)
    room.dispatcher.turn()
    assert len(room.letters(task)) == 2


def test_orders_wait_for_a_door_that_is_away(make: Callable[..., Room]) -> None:
    room = make(is_up=False)
    (task,) = room.order(room.sensor())
    assert room.letters(task) == []
    room.clock.advance(20)
    room.post.go(up=True)
    room.dispatcher.turn()
    ((_, letter),) = room.letters(task)
    assert letter.lives_s == 40


def test_a_hub_that_died_sends_what_it_had_not_sent(make: Callable[..., Room]) -> None:
    room = make(is_up=False)
    tasks = room.order(room.sensor(), room.sensor("BBB-3423"))
    room.end()
    room.open()
    assert {letter.key for letter in room.post.letters} == {task.key for task in tasks}


def test_a_door_that_began_anew_gets_what_no_device_has(room: Room) -> None:
    first, second = room.order(room.sensor(), room.sensor("BBB-3423"))
    room.take(first)
    room.take(second)
    room.receive(second)
    room.clock.advance(1)
    started = {"started": room.clock.now_us()}
    room.hear(Kind.PLATFORM, "$SYS/penstock/door", started, "$penstock/door")
    assert [len(room.letters(task)) for task in (first, second)] == [2, 1]


def test_a_device_that_does_not_answer_is_done_when_it_has_the_command(room: Room) -> None:
    silent = DeviceType(name="relay", commands=(CommandType(name="click"),), answers=False)
    room.room.commands.declare(silent)
    facts = DeviceFacts(name="relay-1", type="relay")
    (device,) = room.room.records.register([facts], Policy.AUTOMATIC, 1)
    (task,) = room.order(device, command="click")
    room.take(task)
    room.receive(task)
    held = room.room.commands.task(task.id)
    assert held.state is TaskState.DONE
    assert held.delivered_us is not None or held.ended_us is not None


def test_the_same_key_orders_once(room: Room) -> None:
    sensor = room.sensor()
    first = room.order(sensor, key="k")
    again = room.order(sensor, key="k")
    assert [task.key for task in again] == [task.key for task in first]
    assert len(room.post.letters) == 1
    with pytest.raises(Conflict, match="Idempotency-Key"):
        room.order(sensor, command="awake", key="k")
    assert len(room.room.commands.tasks(ALL, TaskQuery())) == 1


def test_every_device_gets_a_task_or_none_does(room: Room) -> None:
    sensors = [room.sensor(f"S-{n}") for n in range(3)]
    with pytest.raises(InvalidInput, match="has no command 'sleep'"):
        room.order(*sensors, boiler(room))
    assert room.room.commands.tasks(ALL, TaskQuery()) == []
    tasks = room.order(*sensors)
    assert [task.device for task in tasks] == ["S-0", "S-1", "S-2"]
    assert len({task.key for task in tasks}) == 3


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({}, "needs parameter 'to'"),
        ({"to": 9.9}, "too small; allowed is a number from 10 up to 90 °C"),
        ({"to": 91}, "too large"),
        ({"to": "hot"}, "is no number"),
        ({"to": True}, "is no number"),
        ({"to": 20, "mode": "slow"}, "one of 'eco', 'fast'"),
        ({"to": 20, "steps": 1.5}, "is no integer"),
        ({"to": 20, "loud": "yes"}, "is no boolean"),
        ({"to": 20, "now": 1}, "has no parameter 'now'; allowed: loud, mode, steps, to"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_allowed(
    room: Room, parameters: dict[str, object], problem: str
) -> None:
    device = boiler(room)
    with pytest.raises(InvalidInput, match=problem):
        room.order(device, command="heat", parameters=parameters)
    assert room.room.commands.tasks(ALL, TaskQuery()) == []


@pytest.mark.parametrize("rate", [0, -1, 1_000_001, 1e400])
def test_a_sample_frequency_that_is_none_is_refused(room: Room, rate: float) -> None:
    with pytest.raises(InvalidInput):
        room.order(
            room.sensor(), command="change_sample_frequency", parameters={"sampleFrequency": rate}
        )


def test_a_declared_command_has_the_time_to_live_of_its_type(room: Room) -> None:
    (task,) = room.order(boiler(room), command="heat", parameters={"to": 20})
    assert task.expires_us - task.created_us == 5_000_000
    ((_, letter),) = room.letters(task)
    assert letter.topic == "plant/boiler-7/commands/heat"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a b"},
        {"command_topic": "fixed"},
        {"command_topic": "{topic}/+/{command}"},
        {"command_topic": "{topic}/{oops}"},
        {"command_topic": "{topic"},
        {"answer_topic": "$SYS/{name}"},
        {"topic": "{topic}"},
        {"commands": [{"name": "a/b"}]},
        {"commands": [{"name": "a"}, {"name": "a"}]},
        {"commands": [{"name": "a", "time_to_live_s": -1}]},
        {"commands": [{"name": "a", "parameters": [{"name": "x", "minimum": 2, "maximum": 1}]}]},
        {"commands": [{"name": "a", "parameters": [{"name": "x", "values": ["text"]}]}]},
        {"commands": [{"name": "a", "parameters": [{"name": "x"}, {"name": "x"}]}]},
    ],
)
def test_a_device_type_that_contradicts_itself_is_refused(
    room: Room, change: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        room.room.commands.declare(msgspec.convert({"name": "x", **change}, DeviceType))
    assert [type_.name for type_ in room.room.commands.types()] == ["accelerometer"]


def test_a_type_that_comes_with_penstock_stays_as_it_is(room: Room) -> None:
    with pytest.raises(Conflict):
        room.room.commands.declare(DeviceType(name="accelerometer"))


def test_too_many_open_tasks_are_refused(make: Callable[..., Room]) -> None:
    room = make(settings=DeviceSettings(max_open_tasks=2))
    sensors = [room.sensor(f"S-{n}") for n in range(3)]
    with pytest.raises(Backpressure):
        room.order(*sensors)
    room.order(*sensors[:2])
    with pytest.raises(Backpressure):
        room.order(sensors[2])


def test_a_device_that_does_not_exist_cannot_be_commanded(room: Room) -> None:
    with pytest.raises(NotFound):
        room.room.commands.request(Order(things=[4711], command="sleep"))


def test_tasks_stand_on_the_entities_of_sensorthings_tasking(room: Room) -> None:
    from sqlalchemy import select

    from penstock.catalog.device_models import Actuator, TaskingCapability

    room.order(boiler(room), command="heat", parameters={"to": 20})
    with room.catalog.database.read() as connection:
        (actuator,) = connection.execute(select(Actuator.name)).scalars()
        (record,) = connection.execute(select(TaskingCapability.tasking_parameters)).scalars()
    assert actuator == "boiler"
    assert record["type"] == "DataRecord"
    to = record["field"][0]
    assert (to["name"], to["type"], to["uom"]) == ("to", "Quantity", {"code": "°C"})
    assert to["constraint"] == {"type": "AllowedValues", "interval": [[10, 90]]}


def test_old_tasks_are_forgotten_and_open_ones_are_not(room: Room) -> None:
    done, waiting = room.order(room.sensor(), room.sensor("BBB-3423"))
    room.hear(Kind.ANSWER, f"sensor.{SENSOR}.tasks/{done.key}", b"")
    room.clock.advance(room.settings.task_retention_s + 1)
    room.room.keep_house()
    assert [task.id for task in room.room.commands.tasks(ALL, TaskQuery())] == [waiting.id]
