"""The life cycle of one alarm, whatever happens to it in whatever order."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.catalog.template import fresh_catalog

from penstock.alarms.board import Board
from penstock.alarms.suppression import Relations
from penstock.catalog import SqlCatalog
from penstock.catalog.alarms.notifications import SqlNotifications
from penstock.catalog.alarms.records import SqlAlarms
from penstock.core.alarm_episodes import Span
from penstock.core.alarm_records import RuleRecord, Shelf, TargetRecord
from penstock.core.alarm_rules import AlarmMode, RuleSpec
from penstock.core.alarms import ACTIVE, Act, Alarm, AlarmQuery, AlarmState, follow
from penstock.core.clock import ManualClock
from penstock.core.errors import Conflict
from penstock.core.notifications import TargetKind, TargetSpec

KEY = "[7]"
#: The key of the rule that suppresses, and what both alarms say of where they are.
PLANT, HALL = "[1]", {"hall": "north"}


class Life(RuleBasedStateMachine):
    """A board over a real catalog, beside a few lines that say what must be so."""

    @initialize(latched=st.booleans())
    def begin(self, latched: bool) -> None:
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        self.catalog: SqlCatalog = fresh_catalog(Path(self.folder.name))
        self.records = SqlAlarms(self.catalog.database)
        notifications = SqlNotifications(self.catalog.database)
        self.clock = ManualClock()
        target = TargetSpec(
            name="all", kind=TargetKind.WEBHOOK, address="https://example.com/", events=list(Act)
        )
        self.notifications = notifications
        self.targets = [
            notifications.save_target(TargetRecord(system_id=1, spec=target, by="", changed_us=0))
        ]
        stopped = RuleSpec(name="stopped", notify=["nobody"], flapping=0)
        self.above = self.records.save_rule(
            RuleRecord(system_id=1, spec=stopped, by="", changed_us=0)
        )
        spec = RuleSpec(
            name="hot",
            message="{result}",
            latched=latched,
            flapping=0,
            suppressed_by=["stopped"],
            suppressed_on=["hall"],
        )
        self.rule = self.records.save_rule(RuleRecord(system_id=1, spec=spec, by="", changed_us=0))
        self.latched = latched
        self.open_board()
        self.spans: list[Span] = []
        self.state = AlarmState.NORMAL
        self.stops: list[Span] = []
        self.is_shelved = False
        self.time = 0
        self.told = 0

    def open_board(self) -> None:
        self.board = Board(self.records, self.clock, lambda: self.targets, lambda _: None)
        self.board.relations = Relations([self.rule, self.above])
        self.board.load(self.rule.id, -(2**62))

    def apply(self, after: list[Span]) -> None:
        self.board.apply(self.rule, (), {KEY: (self.spans, after)}, {KEY: b"{}"})
        self.spans = after

    def expect(self, act: Act) -> None:
        after = follow(self.state, act, latched=self.latched)
        if after is not None:
            self.state = after
            self.told += self.mode is AlarmMode.NORMAL and act is not Act.COMMENT

    def alarm(self) -> Alarm | None:
        found = self.records.find(AlarmQuery(rule=self.rule.id), None)
        return found[0] if found else None

    @property
    def is_stopped(self) -> bool:
        return bool(self.stops) and self.stops[-1].cleared_us is None

    @property
    def mode(self) -> AlarmMode:
        if self.is_shelved:
            return AlarmMode.SHELVED
        return AlarmMode.SUPPRESSED if self.is_stopped else AlarmMode.NORMAL

    @property
    def is_active(self) -> bool:
        return bool(self.spans) and self.spans[-1].cleared_us is None

    @rule()
    def raise_it(self) -> None:
        if self.is_active:
            return
        self.time += 10
        # Who wants to hear that nobody will be told of an alarm hears of a new one that begins so.
        self.told += self.state is AlarmState.NORMAL and self.mode is not AlarmMode.NORMAL
        self.expect(Act.RAISE)
        values = {"result": 1.5, **HALL}
        self.apply([*self.spans, Span(start_us=self.time, raised_us=self.time, values=values)])

    @rule()
    def clear_it(self) -> None:
        if not self.is_active:
            return
        self.time += 10
        last = self.spans[-1]
        self.expect(Act.RETURN)
        ended = Span(
            start_us=last.start_us,
            raised_us=last.raised_us,
            cleared_us=self.time,
            values=last.values,
        )
        self.apply([*self.spans[:-1], ended])

    @rule(act=st.sampled_from([Act.ACKNOWLEDGE, Act.RESET, Act.COMMENT]))
    def somebody_acts(self, act: Act) -> None:
        alarm = self.alarm()
        if alarm is None:
            return
        if follow(self.state, act, latched=self.latched) is None:
            with pytest.raises(Conflict):
                self.board.act(self.rule, alarm, act, "sue", "why")
            return
        self.expect(act)
        assert self.board.act(self.rule, alarm, act, "sue", "why").state is self.state

    @rule(hall=st.sampled_from(["north", "south"]))
    def the_plant_stops(self, hall: str) -> None:
        if self.is_stopped:
            return
        self.time += 10
        before = self.stops
        span = Span(start_us=self.time, raised_us=self.time, values={"hall": hall})
        self.board.apply(self.above, (), {PLANT: (before, [*before, span])}, {})
        if hall != HALL["hall"]:
            # In another hall it suppresses nothing, and may be over at once.
            ended = Span(start_us=self.time, raised_us=self.time, cleared_us=self.time + 1)
            self.board.apply(self.above, (), {PLANT: ([*before, span], [*before, ended])}, {})
            self.stops = [*before, ended]
            return
        is_open = self.state is not AlarmState.NORMAL
        self.told += is_open and self.mode is AlarmMode.NORMAL
        self.stops = [*before, span]

    @rule()
    def the_plant_runs(self) -> None:
        if not self.is_stopped:
            return
        self.time += 10
        last = self.stops[-1]
        ended = Span(start_us=last.start_us, raised_us=last.raised_us, cleared_us=self.time)
        after = [*self.stops[:-1], ended]
        self.board.apply(self.above, (), {PLANT: (self.stops, after)}, {})
        self.stops = after
        self.told += self.state is not AlarmState.NORMAL and not self.is_shelved

    @rule()
    def shelve(self) -> None:
        alarm = self.alarm()
        if alarm is None:
            return
        shelf = Shelf(
            rule_id=self.rule.id,
            key=KEY,
            until_us=self.clock.now_us() + 60_000_000,
            reason="mended",
            by="sue",
        )
        self.board.shelve(self.rule, alarm, shelf, "sue")
        self.is_shelved = True
        self.told += 1

    @rule()
    def time_of_the_shelf_is_over(self) -> None:
        self.clock.advance(61)
        was_open = self.state is not AlarmState.NORMAL
        for shelf in self.board.past_shelves():
            self.board.unshelve(self.rule, shelf)
            self.told += was_open and not self.is_stopped
        self.is_shelved = False

    @rule()
    def crash(self) -> None:
        self.open_board()

    @invariant()
    def it_stands_where_it_must(self) -> None:
        alarm = self.alarm()
        if alarm is None:
            assert self.state is AlarmState.NORMAL
            return
        assert alarm.state is self.state
        assert (alarm.state in ACTIVE) == self.is_active
        if self.state is not AlarmState.NORMAL:
            assert alarm.mode is self.mode
            assert alarm.message == "1.5"
        events, spans = self.records.history(alarm.id)
        assert events[0].state is self.state
        assert [one.start_us for one in spans] == [
            one.start_us for one in self.spans[-len(spans) :]
        ]

    @invariant()
    def as_many_were_told_as_should_be(self) -> None:
        waiting = self.notifications.deliveries([self.targets[0].id], None, 1000)
        assert len(waiting) == self.told
        assert len({one.key for one in waiting}) == len(waiting)

    def teardown(self) -> None:
        self.catalog.close()
        self.folder.cleanup()


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_what_follows_is_closed_and_ends_only_where_it_may() -> None:
    for state in AlarmState:
        for latched in (False, True):
            reached = {
                act: after
                for act in Act
                if (after := follow(state, act, latched=latched)) is not None
            }
            assert Act.COMMENT in reached
            if state in ACTIVE:
                assert reached[Act.RETURN] not in ACTIVE
                assert (reached[Act.RETURN] is AlarmState.NORMAL) == (
                    state is AlarmState.ACKNOWLEDGED and not latched
                )
            else:
                assert Act.RETURN not in reached
