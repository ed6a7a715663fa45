"""Rules and alarms, as they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Select,
    delete,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from penstock.catalog.alarm_models import (
    AlarmEventRow,
    AlarmKeyRow,
    AlarmRow,
    AlarmRuleRow,
    AlarmShelfRow,
    AlarmSpanRow,
    NotificationRow,
)
from penstock.catalog.alarms.notifications import delivery_values
from penstock.catalog.database import Database
from penstock.catalog.dialects.upserting import upsert
from penstock.catalog.scoping import is_among
from penstock.core.alarm_episodes import Span
from penstock.core.alarm_records import Changes, RuleRecord, Shelf
from penstock.core.alarm_rules import AlarmMode, RuleSpec, Severity
from penstock.core.alarms import Act, Alarm, AlarmEvent, AlarmQuery, AlarmState
from penstock.core.errors import Conflict

#: Written out, not a parameter: only so the index of open alarms is used.
_IS_OPEN = AlarmRow.state != literal_column(f"'{AlarmState.NORMAL.value}'")
#: Events of an alarm that are shown.
MAX_EVENTS = 500
#: Activations of an alarm that are shown.
MAX_SPANS = 1000


class SqlAlarms:
    """Keeps rules and alarms. See `core.alarm_records.AlarmRecords`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rules(self) -> Sequence[RuleRecord]:
        """Return all rules, by name."""
        query = select(AlarmRuleRow.__table__).order_by(AlarmRuleRow.name, AlarmRuleRow.id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            RuleRecord(
                id=row.id,
                system_id=row.system_id,
                spec=msgspec.convert(row.spec, RuleSpec),
                enabled=row.enabled,
                mode=AlarmMode(row.mode),
                mode_reason=row.mode_reason,
                by=row.changed_by,
                changed_us=row.changed_us,
            )
            for row in rows
        ]

    def save_rule(self, rule: RuleRecord) -> RuleRecord:
        """Keep a rule and return it with its id."""
        values = {
            "system_id": rule.system_id,
            "name": rule.spec.name,
            "spec": msgspec.to_builtins(rule.spec),
            "enabled": rule.enabled,
            "mode": rule.mode.value,
            "mode_reason": rule.mode_reason,
            "changed_by": rule.by,
            "changed_us": rule.changed_us,
        }
        with self._database.write() as connection:
            taken = select(AlarmRuleRow.id).where(
                AlarmRuleRow.system_id == rule.system_id,
                AlarmRuleRow.name == rule.spec.name,
                AlarmRuleRow.id != rule.id,
            )
            if connection.execute(taken).first() is not None:
                msg = f"the system has an alarm rule {rule.spec.name!r} already; take another name"
                raise Conflict(msg)
            if rule.id:
                connection.execute(
                    update(AlarmRuleRow).where(AlarmRuleRow.id == rule.id).values(**values)
                )
                return rule
            made = connection.execute(insert(AlarmRuleRow).values(**values))
        return msgspec.structs.replace(rule, id=int(made.inserted_primary_key[0]))  # type: ignore[index]

    def remove_rule(self, rule: int) -> None:
        """Remove a rule with its alarms."""
        with self._database.write() as connection:
            connection.execute(delete(AlarmRuleRow).where(AlarmRuleRow.id == rule))

    def keys(self, rule: int) -> Mapping[str, bytes]:
        """Return where the keys of a rule stand."""
        query = select(AlarmKeyRow.key, AlarmKeyRow.state).where(AlarmKeyRow.rule_id == rule)
        with self._database.read() as connection:
            return {key: bytes(state) for key, state in connection.execute(query)}

    def last_alarm(self) -> int:
        """Return the highest id that an alarm ever had."""
        with self._database.read() as connection:
            return self._database.dialect.last_id(connection, "alarm")

    def open_alarms(self) -> Sequence[Alarm]:
        """Return all alarms that are not normal."""
        with self._database.read() as connection:
            return _load(connection, _alarms().where(_IS_OPEN))

    def shelves(self) -> Sequence[Shelf]:
        """Return all keys that are shelved."""
        with self._database.read() as connection:
            rows = connection.execute(select(AlarmShelfRow.__table__)).all()
        return [
            Shelf(
                rule_id=row.rule_id,
                key=row.key,
                until_us=row.until_us,
                reason=row.reason,
                by=row.made_by,
            )
            for row in rows
        ]

    def save(self, changes: Changes) -> None:
        """Keep changes, all or none."""
        with self._database.write() as connection:
            _save_keys(connection, changes)
            _save_alarms(connection, changes)
            _save_shelves(connection, changes)
            if changes.deliveries:
                connection.execute(
                    insert(NotificationRow), [delivery_values(one) for one in changes.deliveries]
                )

    def find(self, query: AlarmQuery, systems: frozenset[int] | None) -> Sequence[Alarm]:
        """Return alarms of some systems (None: of all), newest first."""
        wanted = _alarms()
        if systems is not None:
            # Not by the plain system: then all that its rules ever raised would be sorted.
            wanted = wanted.where(is_among(AlarmRuleRow.system_id + 0, systems))
        if query.states and AlarmState.NORMAL not in query.states:
            wanted = wanted.where(_IS_OPEN)
        if query.states:
            wanted = wanted.where(AlarmRow.state.in_(sorted(query.states)))
        if query.modes:
            wanted = wanted.where(AlarmRow.mode.in_(sorted(query.modes)))
        if query.severity.rank:
            enough = [one.value for one in Severity if one.rank >= query.severity.rank]
            wanted = wanted.where(AlarmRow.severity.in_(enough))
        if query.rule is not None:
            wanted = wanted.where(AlarmRow.rule_id == query.rule)
        if query.system is not None:
            wanted = wanted.where(AlarmRuleRow.system_id == query.system)
        if query.search:
            parts = (AlarmRow.subject, AlarmRow.message, AlarmRuleRow.name)
            wanted = wanted.where(
                or_(*(part.icontains(query.search, autoescape=True) for part in parts))
            )
        if query.start_us is not None:
            still = or_(AlarmRow.cleared_us.is_(None), AlarmRow.cleared_us >= query.start_us)
            wanted = wanted.where(still)
        if query.end_us is not None:
            wanted = wanted.where(AlarmRow.start_us < query.end_us)
        if query.before is not None:
            wanted = wanted.where(AlarmRow.id < query.before)
        wanted = wanted.order_by(AlarmRow.id.desc()).limit(query.limit)
        with self._database.read() as connection:
            return _load(connection, wanted)

    def alarm(self, id_: int) -> Alarm | None:
        """Return an alarm, or None."""
        with self._database.read() as connection:
            found = _load(connection, _alarms().where(AlarmRow.id == id_))
        return found[0] if found else None

    def history(self, alarm: int) -> tuple[Sequence[AlarmEvent], Sequence[Span]]:
        """Return the newest events of an alarm, newest first, and its activations by time."""
        events = select(AlarmEventRow.__table__).where(AlarmEventRow.alarm_id == alarm)
        events = events.order_by(AlarmEventRow.id.desc()).limit(MAX_EVENTS)
        spans = select(AlarmSpanRow.__table__).where(AlarmSpanRow.alarm_id == alarm)
        spans = spans.order_by(AlarmSpanRow.start_us.desc()).limit(MAX_SPANS)
        with self._database.read() as connection:
            lines = [
                AlarmEvent(
                    time_us=row.time_us,
                    act=Act(row.act),
                    state=AlarmState(row.state),
                    by=row.made_by,
                    comment=row.comment,
                )
                for row in connection.execute(events)
            ]
            found = [
                Span(
                    start_us=row.start_us,
                    raised_us=row.raised_us,
                    cleared_us=row.cleared_us,
                    occurrences=row.occurrences,
                )
                for row in connection.execute(spans)
            ]
        return lines, found[::-1]

    def spans(self, rule: int, since_us: int) -> Mapping[tuple[str, int], int]:
        """Return the alarms of a rule's activations that end after a time, by key and start."""
        query = (
            select(AlarmRow.key, AlarmSpanRow.start_us, AlarmSpanRow.alarm_id)
            .join(AlarmRow, AlarmRow.id == AlarmSpanRow.alarm_id)
            .where(AlarmRow.rule_id == rule)
            .where(or_(AlarmSpanRow.cleared_us.is_(None), AlarmSpanRow.cleared_us >= since_us))
        )
        with self._database.read() as connection:
            return {(key, start): alarm for key, start, alarm in connection.execute(query)}

    def forget(self, before_us: int) -> None:
        """Remove alarms that were normal, and notifications that were done, before then."""
        with self._database.write() as connection:
            connection.execute(
                delete(AlarmRow).where(
                    AlarmRow.state == AlarmState.NORMAL.value, AlarmRow.updated_us < before_us
                )
            )
            connection.execute(
                delete(NotificationRow).where(
                    NotificationRow.done_us.is_not(None), NotificationRow.done_us < before_us
                )
            )


def _save_keys(connection: Connection, changes: Changes) -> None:
    gone = [key for key, state in changes.keys.items() if state is None]
    kept = [
        {"rule_id": changes.rule_id, "key": key, "state": state}
        for key, state in changes.keys.items()
        if state is not None
    ]
    for key in gone:
        connection.execute(
            delete(AlarmKeyRow).where(
                AlarmKeyRow.rule_id == changes.rule_id, AlarmKeyRow.key == key
            )
        )
    if kept:
        statement = upsert(AlarmKeyRow)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["rule_id", "key"], set_={"state": statement.excluded.state}
            ),
            kept,
        )


def _save_alarms(connection: Connection, changes: Changes) -> None:
    if changes.alarms:
        statement = upsert(AlarmRow)
        columns = _values(next(iter(changes.alarms.values())))
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["id"],
                set_={name: statement.excluded[name] for name in columns if name != "id"},
            ),
            [_values(alarm) for alarm in changes.alarms.values()],
        )
    for alarm, start_us in changes.dropped:
        connection.execute(
            delete(AlarmSpanRow).where(
                AlarmSpanRow.alarm_id == alarm, AlarmSpanRow.start_us == start_us
            )
        )
    if changes.spans:
        spans = upsert(AlarmSpanRow)
        names = ("raised_us", "cleared_us", "occurrences")
        connection.execute(
            spans.on_conflict_do_update(
                index_elements=["alarm_id", "start_us"],
                set_={name: spans.excluded[name] for name in names},
            ),
            [
                {
                    "alarm_id": alarm,
                    "start_us": span.start_us,
                    "raised_us": span.raised_us,
                    "cleared_us": span.cleared_us,
                    "occurrences": span.occurrences,
                }
                for alarm, span in changes.spans
            ],
        )
    if changes.events:
        connection.execute(
            insert(AlarmEventRow),
            [
                {
                    "alarm_id": alarm,
                    "time_us": event.time_us,
                    "act": event.act.value,
                    "state": event.state.value,
                    "made_by": event.by,
                    "comment": event.comment,
                }
                for alarm, event in changes.events
            ],
        )


def _save_shelves(connection: Connection, changes: Changes) -> None:
    for rule, key in changes.unshelved:
        connection.execute(
            delete(AlarmShelfRow).where(AlarmShelfRow.rule_id == rule, AlarmShelfRow.key == key)
        )
    for shelf in changes.shelves:
        values = {"until_us": shelf.until_us, "reason": shelf.reason, "made_by": shelf.by}
        connection.execute(
            upsert(AlarmShelfRow)
            .values(rule_id=shelf.rule_id, key=shelf.key, **values)
            .on_conflict_do_update(index_elements=["rule_id", "key"], set_=values)
        )


def _values(alarm: Alarm) -> dict[str, Any]:
    values = msgspec.structs.asdict(alarm)
    for name in ("rule", "system_id"):
        del values[name]
    for name in ("severity", "state", "mode"):
        values[name] = values[name].value
    return values


def _alarms() -> Select[Any]:
    return select(AlarmRow.__table__, AlarmRuleRow.name, AlarmRuleRow.system_id).join(
        AlarmRuleRow, AlarmRuleRow.id == AlarmRow.rule_id
    )


def _load(connection: Connection, query: Select[Any]) -> list[Alarm]:
    names = [name for name in Alarm.__struct_fields__ if name != "rule"]
    kinds = {"severity": Severity, "state": AlarmState, "mode": AlarmMode}
    found = []
    for row in connection.execute(query).mappings():
        values = {name: row[name] for name in names}
        values.update({name: kind(values[name]) for name, kind in kinds.items()})
        found.append(Alarm(rule=row["name"], **values))
    return found
