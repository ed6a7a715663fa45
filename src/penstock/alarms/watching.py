"""A rule that is watched: its query's rows in, what becomes of its alarms out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from penstock.alarms.board import Board
from penstock.alarms.conditions import with_conditions
from penstock.alarms.folding import LATE_US, Conditions, Key, Outcome
from penstock.alarms.machine import Timing
from penstock.alarms.messages import check_template
from penstock.alarms.rows import CLEARED, RAISED, Shape
from penstock.alarms.runs import Runs, Series
from penstock.core.alarm_episodes import Span
from penstock.core.alarm_records import AlarmRecords, RuleRecord
from penstock.core.alarm_rules import RuleSpec
from penstock.core.errors import InvalidInput, PenstockError
from penstock.core.queries import ALARM_IDS_FROM, ColumnKind, Meaning, Query, RunState, Streams

_log = logging.getLogger(__name__)

#: What an absence rule without a query looks at.
EVERY_ROW = "SELECT time, datastream, name, thing, property FROM observations"
#: How often rows are put again when late data goes on coming.
MAX_REDOS = 5
#: How often it is written down when keys were last heard, in microseconds.
HEARD_EVERY_US = 30_000_000
#: Keys of which it is written down at once.
COUNTED = 500
#: Where it is kept until when all rows are in what is kept of keys, beside these.
HEARD = ""
#: How long a rule without a condition stays active after a row, in seconds.
PULSE_S = 60.0
_Kept = TypeVar("_Kept")
#: The names of those who are expected, by key, with what is known of them.
Expected = Callable[[RuleRecord], Mapping[str, Mapping[str, Any]]]


def query_of(spec: RuleSpec, system: int) -> Query:
    """Return the query of a rule, with its conditions as columns.

    Raises:
        InvalidInput: There is none, or its conditions cannot be added to it.
    """
    if not spec.sql.strip() and not spec.absent_s:
        msg = "a rule needs a SELECT, or `absent` for how long there may be no data"
        raise InvalidInput(msg)
    if spec.absent_s:
        sql = spec.sql or EVERY_ROW
        names = [_like(name) for name in spec.expect]
        if names and not spec.sql:
            sql += " WHERE " + " OR ".join(f"name LIKE {name}" for name in names)
    else:
        sql = with_conditions(spec.sql, spec.raise_, spec.clear)
    return Query(
        sql=sql,
        system=system,
        lateness_s=spec.lateness_s,
        idle_s=spec.idle_s,
        reach_s=spec.reach_s,
    )


def shape_of(spec: RuleSpec, meaning: Meaning) -> Shape:
    """Return which columns of an answer mean what.

    Raises:
        InvalidInput: They do not fit the rule.
    """
    kinds = {column.name: column.kind for column in meaning.columns}
    for name in (RAISED, CLEARED):
        if name in kinds and kinds[name] not in (ColumnKind.TRUTH, ColumnKind.NUMBER):
            msg = f"column {name!r} must be true or false; it is {kinds[name]}"
            raise InvalidInput(msg)
    shown = [name for name in kinds if name not in (RAISED, CLEARED)]
    check_template(spec.message, shown)
    is_pulse = RAISED not in kinds and not spec.absent_s
    if is_pulse and spec.hold_s:
        msg = "`hold` needs a condition that can be false: write `raise`, or WHERE"
        raise InvalidInput(msg)
    return Shape(
        keys=[c.name for c in meaning.columns if c.is_key and c.kind is not ColumnKind.TIME],
        has_raised=RAISED in kinds,
        has_cleared=CLEARED in kinds,
    )


def fold_of(
    spec: RuleSpec, shape: Shape, kept: Mapping[str, bytes] | None = None
) -> Conditions | Runs:
    """Return the fold of a rule, from what was kept of its keys."""
    kept = dict(kept or {})
    heard = kept.pop(HEARD, None)
    if spec.absent_s or not shape.has_raised:
        # A condition that is met row by row needs a time after which it is over.
        limit_s = spec.absent_s or spec.off_delay_s or PULSE_S
        return Runs(
            shape,
            round(limit_s * 1e6),
            absent=bool(spec.absent_s),
            keys=_decoded(kept, Series),
            heard_us=None if heard is None else int(heard),
        )
    timing = Timing(round(spec.hold_s * 1e6), round(spec.off_delay_s * 1e6))
    return Conditions(shape, timing, _decoded(kept, Key))


def _decoded(kept: Mapping[str, bytes], type_: type[_Kept]) -> dict[str, _Kept]:
    found = {}
    for name, state in kept.items():
        try:
            found[name] = msgspec.json.decode(state, type=type_)
        except msgspec.MsgspecError:
            _log.warning("what was kept of %s is not understood; it begins anew", name)
    return found


class Watch:
    """Takes the rows of a rule; the `core.queries.Sink` of its query.

    What could not be kept is kept with what comes next: the fold never goes back.

    Args:
        rule: The rule; replaced when what does not matter to the fold changes.
        query: Its query.
        meaning: What is known of that.
        records: Where keys are kept.
        board: Where alarms change.
        streams: Runs queries.
    """

    def __init__(
        self,
        rule: RuleRecord,
        query: Query,
        meaning: Meaning,
        *,
        records: AlarmRecords,
        board: Board,
        streams: Streams,
    ) -> None:
        self.rule = rule
        self.query = query
        self.trouble = ""
        self._shape = shape_of(rule.spec, meaning)
        self._fold = fold_of(rule.spec, self._shape, records.keys(rule.id))
        self._board = board
        self._streams = streams
        self._lock = threading.Lock()
        self._unsaved: dict[str, tuple[Sequence[Span], Sequence[Span]]] = {}
        self._redo_from_us: int | None = None
        self._watermark_us: int | None = None
        self._heard_us = 0

    @property
    def id(self) -> int:
        """Under which its query runs."""
        return ALARM_IDS_FROM + self.rule.id

    def start(self) -> None:
        """Begin to watch.

        Raises:
            PenstockError: The query cannot be run.
        """
        self._board.load(self.rule.id, self._fold.newest_us - LATE_US)
        if isinstance(self._fold, Runs) and self._fold.keys:
            # What came after it was last written down who was heard, and before the query stood.
            self._redo_from_us = self._fold.heard_us
        self._streams.start(self.id, self.query, self, None)

    def put(self, rows: pa.Table, start_us: int | None, end_us: int | None) -> None:
        """Take rows; see `core.queries.Sink`."""
        with self._lock:
            self._take(self._fold.put(rows, start_us, end_us))
            self._save()

    def keys(self) -> list[str]:
        """Return the keys that are kept."""
        with self._lock:
            return list(self._fold.keys)

    def tick(self, now_us: int) -> None:
        """Let time pass, and put rows again where that is needed. Called by one thread."""
        status = self._streams.status(self.id)
        if status is not None and status.watermark_us is not None:
            watermark_us = status.watermark_us
            if status.state is not RunState.CATCHING_UP and watermark_us != self._watermark_us:
                self._watermark_us = watermark_us
                with self._lock:
                    self._take(self._fold.advance(watermark_us))
                    self._save()
        if self._unsaved:
            with self._lock:
                self._save()
        if self._redo_from_us is not None:
            self._redo()
        if isinstance(self._fold, Runs) and now_us - self._heard_us > HEARD_EVERY_US:
            self._heard_us = now_us
            self._count(self._fold)

    def expect(self, names: Mapping[str, Mapping[str, Any]], now_us: int) -> None:
        """Miss datastreams that never sent."""
        if isinstance(self._fold, Runs):
            with self._lock:
                self._take(self._fold.expect(names, self.rule.changed_us, now_us))
                self._save()

    def stop(self) -> None:
        """End to watch, and keep where everything stands."""
        self._streams.stop(self.id)
        if isinstance(self._fold, Runs):
            self._count(self._fold)
        with self._lock:
            self._save()

    # How

    def _count(self, fold: Runs) -> None:
        """Keep when keys were heard: a part at a time, since others wait for the board."""
        with self._lock:
            heard_us = fold.newest_us
            names = fold.uncounted()
        for some in batched(names, COUNTED):
            with self._lock:
                self._take(fold.count(some))
                self._save()
        with self._lock:
            fold.forget()
            fold.heard_us = heard_us
            self._save(heard_us if fold.keys else None)

    def _take(self, outcome: Outcome) -> None:
        for key, (before, after) in outcome.changed.items():
            first = self._unsaved[key][0] if key in self._unsaved else before
            self._unsaved[key] = (first, after)
        if outcome.redo_from_us is not None:
            known = self._redo_from_us
            wanted = outcome.redo_from_us
            self._redo_from_us = wanted if known is None else min(known, wanted)

    def _save(self, heard_us: int | None = None) -> None:
        if not self._unsaved and not self._fold.touched and heard_us is None:
            return
        keys: dict[str, bytes | None] = {
            name: msgspec.json.encode(key) if (key := self._fold.keys.get(name)) else None
            for name in self._fold.touched
        }
        if heard_us is not None:
            keys[HEARD] = b"%d" % heard_us
        self._board.apply(self.rule, self._shape.keys, self._unsaved, keys)
        self._unsaved.clear()
        self._fold.touched.clear()

    def _redo(self) -> None:
        """Put the rows again from where late data changed what followed."""
        for _ in range(MAX_REDOS):
            with self._lock:
                start_us, self._redo_from_us = self._redo_from_us, None
                end_us = self._fold.newest_us + 1
            if start_us is None or start_us >= end_us:
                return
            try:
                parts = list(self._streams.over(self.query, start_us, end_us))
                rows = pa.concat_tables(parts) if parts else None
            except PenstockError as error:
                _log.warning("alarm rule %s cannot look back: %s", self.rule.spec.name, error)
                with self._lock:
                    known = self._redo_from_us
                    self._redo_from_us = start_us if known is None else min(known, start_us)
                return
            if rows is not None:
                with self._lock:
                    self._take(self._fold.put(rows, start_us, end_us))
                    self._save()


def batched(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Give names in parts."""
    for at in range(0, len(names), size):
        yield names[at : at + size]


def _like(name: str) -> str:
    return "'" + name.replace("'", "''").replace("*", "%") + "'"
