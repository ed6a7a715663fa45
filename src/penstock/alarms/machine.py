"""The life of one key in event time: a fold over the changes of its condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

from penstock.core.alarm_episodes import Span


class Signal(IntEnum):
    """What a row says of the condition."""

    #: Cleared, and not raised.
    CLEAR = 0
    #: Neither raised nor cleared: within the hysteresis.
    BETWEEN = 1
    RAISED = 2


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """A row whose signal differs from that of the row before it, of the same key."""

    time_us: int
    signal: Signal
    values: Mapping[str, Any] = {}


class Timing(msgspec.Struct, frozen=True):
    """For how long a condition must hold, and must be cleared. Microseconds."""

    hold_us: int = 0
    off_us: int = 0


class Phase(StrEnum):
    """Where a key stands."""

    NORMAL = "n"
    #: The condition holds, not yet for long enough.
    PENDING = "p"
    ACTIVE = "a"
    #: Active, and cleared, not yet for long enough.
    CLEARING = "c"


class Machine(msgspec.Struct, frozen=True, array_like=True):
    """Where a key stands; every step gives the next one, and the activation that it ended.

    Attributes:
        phase: See there.
        since_us: Since when the condition holds (pending) or is cleared (clearing).
        span: The activation under way, or the one that may begin (pending).
    """

    phase: Phase = Phase.NORMAL
    since_us: int = 0
    span: Span | None = None

    def due_us(self, timing: Timing) -> int | None:
        """Return the time behind which something happens without a row, or None."""
        if self.phase is Phase.PENDING:
            return self.since_us + timing.hold_us
        if self.phase is Phase.CLEARING:
            return self.since_us + timing.off_us
        return None

    def advance(self, timing: Timing, now_us: int) -> tuple[Machine, Span | None]:
        """Let time pass: everything before `now_us` is known.

        What a row says at exactly the time at which something is due comes first.
        """
        due_us = self.due_us(timing)
        if due_us is None or self.span is None or now_us <= due_us:
            return self, None
        if self.phase is Phase.PENDING:
            return Machine(Phase.ACTIVE, 0, self.span), None
        return Machine(), msgspec.structs.replace(self.span, cleared_us=due_us)

    def step(self, timing: Timing, turn: Turn) -> tuple[Machine, Span | None]:
        """Take the next row; rows come by time."""
        here, ended = self.advance(timing, turn.time_us)
        if turn.signal is Signal.RAISED:
            return here.on_raise(timing, turn), ended
        machine, ended_now = here.on_clear(timing, turn)
        return machine, ended or ended_now

    def on_raise(self, timing: Timing, turn: Turn) -> Machine:
        """Take a row that is raised, when all that was due has happened."""
        if self.phase is Phase.NORMAL:
            span = Span(
                start_us=turn.time_us, raised_us=turn.time_us + timing.hold_us, values=turn.values
            )
            phase = Phase.PENDING if timing.hold_us else Phase.ACTIVE
            return Machine(phase, turn.time_us, span)
        if self.phase in (Phase.ACTIVE, Phase.CLEARING) and self.span is not None:
            return Machine(Phase.ACTIVE, 0, _again(self.span))
        return self

    def on_clear(self, timing: Timing, turn: Turn) -> tuple[Machine, Span | None]:
        """Take a row that is not raised; return the activation that it ends too."""
        if self.phase is Phase.PENDING:
            return Machine(), None
        if turn.signal is Signal.BETWEEN or self.span is None:
            if self.phase is Phase.CLEARING:
                return Machine(Phase.ACTIVE, 0, self.span), None
            return self, None
        if self.phase is Phase.ACTIVE:
            if timing.off_us:
                return Machine(Phase.CLEARING, turn.time_us, self.span), None
            return Machine(), msgspec.structs.replace(self.span, cleared_us=turn.time_us)
        return self, None


def _again(span: Span) -> Span:
    return msgspec.structs.replace(span, occurrences=span.occurrences + 1)


def spans_of(
    base: Machine, turns: Sequence[Turn], timing: Timing, now_us: int
) -> tuple[Machine, list[Span]]:
    """Return where a key stands, and its activations that are raised, by time."""
    spans: list[Span] = []
    machine = base
    for turn in turns:
        machine, ended = machine.step(timing, turn)
        if ended is not None:
            spans.append(ended)
    machine, ended = machine.advance(timing, now_us)
    if ended is not None:
        spans.append(ended)
    if machine.phase in (Phase.ACTIVE, Phase.CLEARING) and machine.span is not None:
        spans.append(machine.span)
    return machine, spans
