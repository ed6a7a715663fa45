"""The alarms of a hub, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from penstock.alarms.notifying import Publish
from penstock.alarms.room import AlarmRoom
from penstock.alarms.settings import AlarmSettings
from penstock.catalog.alarms.notifications import SqlNotifications
from penstock.catalog.alarms.records import SqlAlarms
from penstock.catalog.sql_catalog import SqlCatalog
from penstock.core.access import Access, Scope
from penstock.core.alarm_records import RuleRecord
from penstock.core.clock import Clock
from penstock.core.identity import Identities
from penstock.core.queries import Streams

#: Datastreams that one pattern may expect; a rule that expects more misses the first of them.
MAX_EXPECTED = 10_000


def make_alarms(
    settings: AlarmSettings,
    catalog: SqlCatalog,
    streams: Streams,
    identities: Identities,
    publish: Publish,
    scope_of: Callable[[int], Scope],
    clock: Clock,
) -> AlarmRoom:
    """Return the alarms of a platform; nothing is watched before `start`."""
    access: Callable[[], Access] = identities.access

    def expected(rule: RuleRecord) -> Mapping[str, Mapping[str, Any]]:
        scope = scope_of(rule.system_id)
        found: dict[str, Mapping[str, Any]] = {}
        for pattern in rule.spec.expect:
            found |= _matching(catalog, scope, pattern)
        return found

    return AlarmRoom(
        records=SqlAlarms(catalog.database),
        notifications=SqlNotifications(catalog.database),
        streams=streams,
        publish=publish,
        expected=expected,
        settings=settings,
        clock=clock,
        access=access,
        note=identities.trail.write,
    )


def _matching(catalog: SqlCatalog, scope: Scope, pattern: str) -> dict[str, Mapping[str, Any]]:
    """Return the datastreams of a pattern by key; a name without any is expected all the same."""
    words = " ".join(part for part in pattern.replace("*", " ").split() if part)
    found: dict[str, Mapping[str, Any]] = {}
    after = 0
    glob = pattern.replace("[", "[[]").replace("?", "[?]")
    while len(found) < MAX_EXPECTED:
        page = catalog.datastreams(words, after=after, limit=1000, scope=scope)
        for one in page:
            if fnmatchcase(one.name, glob):
                found[f"[{one.id}]"] = {"name": one.name, "thing": one.thing}
        if len(page) < 1000:
            break
        after = page[-1].id
    if not found and "*" not in pattern:
        quoted = pattern.replace("\\", "\\\\").replace('"', '\\"')
        found[f'["{quoted}"]'] = {"name": pattern}
    return found
