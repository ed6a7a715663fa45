"""Apps that read each other in a ring would feed each other without end."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

from penstock.core.apps import KeptApp
from penstock.core.catalog import Catalog
from penstock.core.errors import InvalidInput, InvalidQuery
from penstock.core.queries import Meaning

#: How `Meaning.sources` names the output of an app.
PREFIX = "apps."


def refuse_cycle(
    app: KeptApp,
    meaning: Meaning,
    others: Sequence[KeptApp],
    meaning_of: Callable[[KeptApp], Meaning | None],
    catalog: Catalog,
) -> None:
    """Do nothing unless an app would read itself by way of others.

    Raises:
        InvalidInput: It would; the ring is in the message.
    """
    by_name = {(one.system, one.spec.name): one for one in others if one.id != app.id}
    ours = app.spec.name

    def reads(one: KeptApp, known: Meaning) -> list[str]:
        return [*_apps_read(known), *_derived_read(one, known, catalog)]

    waiting: list[tuple[str, tuple[str, ...]]] = [
        (name, (ours, name)) for name in reads(app, meaning)
    ]
    passed: set[str] = set()
    while waiting:
        name, way = waiting.pop()
        if name == ours:
            msg = f"apps would read each other in a ring: {' reads '.join(way)}; leave one out"
            raise InvalidInput(msg)
        other = by_name.get((app.system, name))
        if name in passed or other is None:
            continue
        passed.add(name)
        known = meaning_of(other)
        if known is not None:
            waiting += [(next_, (*way, next_)) for next_ in reads(other, known)]


def refuse_missing(meaning: Meaning, names: Container[str]) -> None:
    """Do nothing if all apps that a query reads are among these.

    Raises:
        InvalidQuery: One is not there.
    """
    for name in _apps_read(meaning):
        if name not in names:
            msg = f"there is no app `{name}` in this system; `penstock apps list` shows those"
            raise InvalidQuery(msg)


def _apps_read(meaning: Meaning) -> list[str]:
    return [one[len(PREFIX) :] for one in meaning.sources if one.startswith(PREFIX)]


def _derived_read(app: KeptApp, meaning: Meaning, catalog: Catalog) -> list[str]:
    """Return the apps whose Datastreams are read by their full names."""
    names = {
        name
        for source in meaning.sources
        if not source.startswith(PREFIX)
        for name in source.split(", ")
        if "*" not in name and "." in name
    }
    found: list[str] = []
    for name in sorted(names):
        for info in catalog.datastreams(search=name, limit=100):
            properties: Mapping[str, object] = info.properties
            # What a query derives itself it never reads.
            if info.name == name and properties.get("app_id") not in (None, app.id):
                found.append(str(properties.get("app")))
    return found
