"""The life of a task, whatever happens in whatever order."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from tests.devices.rooms import SENSOR, Room

from penstock.core.commands import TERMINAL, Task, TaskState, may_follow
from penstock.core.listening import Kind
from penstock.devices.dispatcher import DoorStarted

ORDER = [
    TaskState.QUEUED,
    TaskState.SENT,
    TaskState.DELIVERED,
    TaskState.ACCEPTED,
    TaskState.DONE,
]


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TaskState, TaskState)))
def test_a_task_only_goes_forward_and_never_leaves_its_end(
    before: TaskState, after: TaskState
) -> None:
    if before in TERMINAL:
        assert not may_follow(before, after)
    elif after in TERMINAL:
        assert may_follow(before, after)
    else:
        assert may_follow(before, after) == (ORDER.index(after) > ORDER.index(before))


class Life(RuleBasedStateMachine):
    """Orders, doors that come and go, devices that answer twice or never, hubs that die."""

    tasks = Bundle("tasks")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.room = Room(Path(self.folder.name))
        self.sensor = self.room.sensor()
        self.all: list[Task] = []
        self.seen: dict[int, TaskState] = {}

    @rule(target=tasks, seconds=st.sampled_from([1.0, 10.0, 100.0]))
    def order(self, seconds: float) -> Task:
        (task,) = self.room.order(self.sensor, time_to_live_s=seconds)
        self.all.append(task)
        return task

    @rule(task=tasks, is_heard=st.booleans())
    def the_door_takes_it(self, task: Task, *, is_heard: bool) -> None:
        if self.room.letters(task):
            self.room.take(task, is_heard=is_heard)

    @rule(task=tasks)
    def the_device_gets_it(self, task: Task) -> None:
        if self.room.letters(task):
            self.room.receive(task)

    @rule(task=tasks, said=st.sampled_from(["accepted", "done", "failed"]))
    def the_device_answers(self, task: Task, said: str) -> None:
        if self.room.letters(task):
            topic = f"sensor.{SENSOR}.tasks/{task.key}"
            assert self.room.hear(Kind.ANSWER, topic, {"State": said}) == []

    @rule(seconds=st.sampled_from([0.5, 5.0, 50.0]))
    def time_passes(self, seconds: float) -> None:
        self.room.clock.advance(seconds)
        self.room.dispatcher.turn()

    @rule(up=st.booleans())
    def the_door_comes_or_goes(self, *, up: bool) -> None:
        self.room.post.go(up=up)
        self.room.dispatcher.turn()

    @rule()
    def the_door_begins_anew(self) -> None:
        self.room.dispatcher.put(DoorStarted(self.room.clock.now_us()))
        self.room.dispatcher.turn()

    @rule()
    def the_hub_dies_and_comes_back(self) -> None:
        self.room.end()
        self.room.open()

    @invariant()
    def no_task_goes_back(self) -> None:
        for task in getattr(self, "all", ()):
            now = self.room.room.commands.task(task.id)
            before = self.seen.get(task.id, TaskState.QUEUED)
            assert now.state is before or may_follow(before, now.state)
            assert (now.ended_us is None) == (now.state not in TERMINAL)
            self.seen[task.id] = now.state

    def teardown(self) -> None:
        if not hasattr(self, "room"):
            return
        # Whatever happened: when nothing happens any more, every task comes to its end.
        self.room.clock.advance(self.room.settings.max_run_s + 1_000)
        for _ in range(3):
            self.room.dispatcher.turn()
            self.room.clock.advance(self.room.settings.max_run_s + 1)
        self.room.dispatcher.turn()
        assert {self.room.state(task) for task in self.all} <= TERMINAL
        assert self.room.dispatcher.open_tasks == 0
        self.room.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
