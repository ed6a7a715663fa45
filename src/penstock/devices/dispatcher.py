"""The dispatcher: one thread that sends tasks to devices and notes what becomes of them.

It knows every task that has not come to its end. What it does not know, it reads when it starts, so
that nothing is lost however the process ends; a task may then be sent twice, under the same key.
"""

from __future__ import annotations

import heapq
import logging
import math
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from penstock.core.clock import Clock
from penstock.core.commands import TERMINAL, Move, Task, TaskRecords, TaskState, may_follow
from penstock.core.errors import PenstockError
from penstock.devices.open_tasks import OpenTasks
from penstock.devices.post import Down, Letter, Post, PostEvent, Received, Taken, Up
from penstock.devices.settings import DeviceSettings

_log = logging.getLogger(__name__)

#: Longest wait of the thread, in seconds.
IDLE_S = 0.5
#: Largest message expiry interval (OASIS MQTT 5.0, 3.3.2.3.3), in seconds.
MAX_LIVES_S = 2**32 - 1


class Envelope(msgspec.Struct, frozen=True):
    """A task with the topics it goes to, ready to be sent.

    Attributes:
        clients: MQTT client identifiers that its device may have.
    """

    task: Task
    topic: str
    payload: bytes
    reply_topic: str
    is_answered: bool
    clients: Sequence[str] = ()


class Notice(msgspec.Struct, frozen=True):
    """A letter that is no task; `taken` is called when the door has it."""

    letter: Letter
    taken: Callable[[], None]


class DoorStarted(msgspec.Struct, frozen=True):
    """A door that began anew may have lost what it had for devices."""

    at_us: int


@dataclass(slots=True)
class _Open:
    """A task that has not come to its end.

    Attributes:
        expires_s: Monotonic time at which it expires: a clock that is set meanwhile ends nothing.
        fails_s: Monotonic time at which it has run for too long, once it is accepted.
    """

    envelope: Envelope
    state: TaskState
    retry_s: float
    expires_s: float
    fails_s: float = math.inf
    is_heard: bool = True


@dataclass(slots=True)
class _Turn:
    """What one turn of the thread found out."""

    moves: list[Move] = field(default_factory=list)
    taken: list[Notice] = field(default_factory=list)


Event = PostEvent | DoorStarted | Sequence[Envelope] | Sequence[Task] | Notice | None


class Dispatcher:
    """Sends tasks and notices.

    Args:
        records: Keeps the tasks.
        post: Reaches the door.
        settings: How long to wait for what.
        clock: Tells the time.
        prepare: Puts a task that was read from the records in its envelope; None when its device
            is gone.
        open_tasks: Is told of tasks that were open before, and of those that end.
    """

    def __init__(
        self,
        records: TaskRecords,
        post: Post,
        settings: DeviceSettings,
        clock: Clock,
        prepare: Callable[[Sequence[Task]], Sequence[Envelope]],
        open_tasks: OpenTasks,
    ) -> None:
        self._records = records
        self._post = post
        self._settings = settings
        self._clock = clock
        self._prepare = prepare
        self._counted = open_tasks
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._open: dict[str, _Open] = {}
        #: When something is to be done about a task, by monotonic time.
        self._due: list[tuple[float, str]] = []
        self._numbers: dict[int, str | Notice] = {}
        #: Notices that the door does not have, by topic: of two, the newer one is told.
        self._notices: dict[str, Notice] = {}
        self._pending: list[Move] = []
        self._is_up = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up all open tasks and begin to send, in a thread of its own."""
        self.take_up()
        self._post.open(self._events.put)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._thread.start()

    def take_up(self) -> None:
        """Know all tasks that have not come to their end."""
        for envelope in self._prepare(self._records.open_tasks()):
            self._counted.know(envelope.task.system)
            self._know(envelope)

    def close(self) -> None:
        """Stop, and note what is known. Safe to call twice."""
        self._stop.set()
        self._events.put(None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._post.close()

    @property
    def open_tasks(self) -> int:
        """How many tasks have not come to their end."""
        return len(self._counted)

    @property
    def is_up(self) -> bool:
        """Whether the door can be reached."""
        return self._is_up

    def put(self, event: Event) -> None:
        """Hand something to the thread; from any thread, returns at once."""
        self._events.put(event)

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.turn(self._wait_s())
            except Exception:
                _log.exception("tasks could not be handled; they will be tried again")
                self._stop.wait(IDLE_S)

    def _wait_s(self) -> float:
        if self._pending:
            return 0.1
        if not self._due:
            return IDLE_S
        return min(IDLE_S, max(0.0, self._due[0][0] - self._clock.monotonic_s()))

    def turn(self, wait_s: float = 0.0) -> None:
        """Handle what happened, and what is due; waits so long for something to happen."""
        turn = _Turn()
        try:
            for event in self._drain(wait_s):
                self._handle(event, turn)
            self._handle_due(turn)
        finally:
            self._note(turn)

    def _drain(self, wait_s: float) -> list[Event]:
        found: list[Event] = []
        try:
            found.append(
                self._events.get(timeout=wait_s) if wait_s > 0 else self._events.get_nowait()
            )
            while True:
                found.append(self._events.get_nowait())
        except queue.Empty:
            return found

    def _handle(self, event: Event, turn: _Turn) -> None:
        match event:
            case None:
                return
            case Up():
                self._is_up = True
                self._send_what_waits()
            case Down():
                self._is_up = False
                self._numbers.clear()
            case Taken():
                self._handle_taken(event, turn)
            case Received():
                self._handle_received(event, turn)
            case DoorStarted():
                self._send_again(event.at_us)
            case Notice():
                self._notices[event.letter.topic] = event
                self._send_notice(event)
            case _:
                self._handle_tasks(event)

    def _handle_tasks(self, tasks: Sequence[Envelope] | Sequence[Task]) -> None:
        for one in tasks:
            if isinstance(one, Envelope):
                self._know(one)
                self._send(one.task.key)
            elif one.key in self._open:  # somebody else moved it
                self._moved(one.key, one.state)

    def _handle_taken(self, event: Taken, turn: _Turn) -> None:
        what = self._numbers.pop(event.number, None)
        if isinstance(what, Notice):
            if self._notices.get(what.letter.topic) is what:
                del self._notices[what.letter.topic]
            turn.taken.append(what)
        elif what is not None and what in self._open:
            one = self._open[what]
            one.is_heard = event.is_heard
            if not event.is_heard:
                self._later(what, one)
            self._move(turn, what, TaskState.SENT)

    def _handle_received(self, event: Received, turn: _Turn) -> None:
        one = self._open.get(event.key)
        if one is None:
            return
        self._move(turn, event.key, TaskState.DELIVERED, event.at_us)
        if not one.envelope.is_answered:
            self._move(turn, event.key, TaskState.DONE, event.at_us)

    def _handle_due(self, turn: _Turn) -> None:
        now_s = self._clock.monotonic_s()
        while self._due and self._due[0][0] <= now_s:
            _, key = heapq.heappop(self._due)
            one = self._open.get(key)
            if one is None:
                continue
            if one.state is TaskState.ACCEPTED:
                self._end_accepted(turn, key, one, now_s)
            elif one.expires_s <= now_s:
                self._move(turn, key, TaskState.EXPIRED, message=_why_expired(one))
            elif one.state is TaskState.SENT and not one.is_heard:
                self._send(key)

    def _end_accepted(self, turn: _Turn, key: str, one: _Open, now_s: float) -> None:
        if one.fails_s <= now_s:
            said = f"accepted, and then nothing for {self._settings.max_run_s:g} s"
            self._move(turn, key, TaskState.FAILED, message=said)
        else:
            heapq.heappush(self._due, (one.fails_s, key))

    # -- sending ------------------------------------------------------------------------------

    def _know(self, envelope: Envelope) -> None:
        key = envelope.task.key
        if key in self._open:
            return
        state = envelope.task.state
        # A task that the door took before this process began may have found nobody.
        is_heard = state is not TaskState.SENT
        one = _Open(envelope, state, self._settings.retry_s, self._expires_s(envelope.task))
        if state is TaskState.ACCEPTED:
            one.fails_s = self._fails_s(envelope.task)
        self._open[key] = one
        heapq.heappush(self._due, (min(one.expires_s, one.fails_s), key))
        if not is_heard:
            one.is_heard = False
            self._later(key, one)

    def _expires_s(self, task: Task) -> float:
        """Return when a task expires: never later than if it had been made now."""
        left_us = task.expires_us - max(self._clock.now_us(), task.created_us)
        return self._clock.monotonic_s() + left_us / 1e6

    def _fails_s(self, task: Task) -> float:
        """Return when a task that was accepted before has run for too long."""
        ran_us = self._clock.now_us() - (task.accepted_us or task.expires_us)
        return self._clock.monotonic_s() + self._settings.max_run_s - max(0, ran_us) / 1e6

    def _send(self, key: str) -> None:
        one = self._open.get(key)
        if one is None or not self._is_up or not one.envelope.topic:
            return
        left_s = one.expires_s - self._clock.monotonic_s()
        if left_s <= 0:
            return
        letter = Letter(
            key=key,
            topic=one.envelope.topic,
            payload=one.envelope.payload,
            reply_topic=one.envelope.reply_topic,
            lives_s=min(max(1, math.ceil(left_s)), MAX_LIVES_S),
            clients=one.envelope.clients,
        )
        number = self._post_letter(letter)
        if number is not None:
            self._numbers[number] = key

    def _post_letter(self, letter: Letter) -> int | None:
        """Send a letter; one that cannot be sent must not keep the others from being sent."""
        try:
            return self._post.send(letter)
        except Exception:
            _log.exception("a message to %r cannot be sent", letter.topic[:200])
            return None

    def _later(self, key: str, one: _Open) -> None:
        """Send a task again after a while, since nobody was there to take it."""
        due_s = self._clock.monotonic_s() + one.retry_s
        one.retry_s = min(2 * one.retry_s, self._settings.max_retry_s)
        heapq.heappush(self._due, (due_s, key))

    def _send_what_waits(self) -> None:
        for key, one in list(self._open.items()):
            if one.state is TaskState.QUEUED:
                self._send(key)
        for notice in self._notices.values():
            self._send_notice(notice)

    def _send_again(self, started_us: int) -> None:
        """Send what an earlier door took and no device has got."""
        for key, one in list(self._open.items()):
            is_older = one.envelope.task.created_us < started_us
            if one.state is TaskState.SENT and is_older:
                one.is_heard = False
                self._send(key)

    def _send_notice(self, notice: Notice) -> None:
        if self._is_up:
            number = self._post_letter(notice.letter)
            if number is not None:
                self._numbers[number] = notice

    # -- noting -------------------------------------------------------------------------------

    def _move(
        self, turn: _Turn, key: str, state: TaskState, at_us: int = 0, message: str = ""
    ) -> None:
        one = self._open[key]
        if may_follow(one.state, state):
            at_us = at_us or self._clock.now_us()
            turn.moves.append(Move(key=key, state=state, at_us=at_us, message=message))
            one.state = state

    def _note(self, turn: _Turn) -> None:
        """Write down what happened; what cannot be written now is written later."""
        self._pending += turn.moves
        if self._pending:
            try:
                self._records.move(self._pending)
            except PenstockError as error:
                _log.warning("what became of %d tasks waits: %s", len(self._pending), error)
            else:
                for move in self._pending:
                    if move.state in TERMINAL:
                        self._end(move.key)
                self._pending = []
        for notice in turn.taken:
            notice.taken()

    def _end(self, key: str) -> None:
        one = self._open.pop(key, None)
        if one is not None:
            self._counted.end(one.envelope.task.system)

    def _moved(self, key: str, state: TaskState) -> None:
        one = self._open[key]
        if state in TERMINAL:
            self._end(key)
        elif may_follow(one.state, state):
            one.state = state
            if state is TaskState.ACCEPTED:
                one.fails_s = self._clock.monotonic_s() + self._settings.max_run_s
                heapq.heappush(self._due, (one.fails_s, key))


def _why_expired(one: _Open) -> str:
    if one.state is TaskState.QUEUED:
        return "the door could not be reached in time"
    if one.state is TaskState.DELIVERED:
        return "the device has it and did not answer in time"
    if not one.is_heard:
        return "nobody listened for it in time; is the device connected and subscribed?"
    return "the device did not take it in time"
