"""Apps out as text and in again: all of a text is kept, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

import msgspec

from penstock.core.access import Action
from penstock.core.apps import AppInfo, AppRecords, AppState, Imported, KeptApp
from penstock.core.errors import Conflict, InvalidInput, InvalidQuery, NotFound
from penstock.core.people import Actor
from penstock.core.queries import Meaning
from penstock.sql.apps.app_text import SaidApp, parse_texts, print_texts
from penstock.sql.apps.assessing import Assessor
from penstock.sql.apps.checking import checked
from penstock.sql.apps.rights import Rights
from penstock.sql.apps.running import Running


def print_infos(apps: Sequence[AppInfo]) -> str:
    """Return apps as text."""
    return print_texts(SaidApp(app.spec, is_started=app.state is AppState.STARTED) for app in apps)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of one app of a text."""

    said: SaidApp
    held: KeptApp | None
    draft: KeptApp

    @property
    def is_news(self) -> bool:
        return self.held is None or self.held.spec != self.draft.spec


class Importer:
    """Keeps the apps of a text. For one thread at a time.

    Args:
        rights: Who may what.
        records: Keeps apps.
        assessor: Checks them.
        running: Runs them.
        max_apps: How many there may be.
    """

    def __init__(
        self, rights: Rights, records: AppRecords, assessor: Assessor, running: Running,
        max_apps: int,
    ) -> None:  # fmt: skip
        self._rights = rights
        self._records = records
        self._assessor = assessor
        self._running = running
        self._max_apps = max_apps

    def read_in(self, by: Actor, text: str, *, start: bool) -> Imported:
        """Make and change apps as a text says; see `core.apps.Apps`."""
        said = parse_texts(text)
        if not said:
            msg = "there is no app in the text; one begins with a line `-- app: NAME`"
            raise InvalidInput(msg)
        plans = self._plans(by, said)
        news = [plan for plan in plans if plan.is_news]
        meanings = self._assessed(news)
        added = [plan.draft for plan in news if plan.held is None]
        if added and len(self._records.apps()) + len(added) > self._max_apps:
            msg = f"there may be {self._max_apps} apps, which is all (`apps.max_apps`)"
            raise Conflict(msg)
        kept = self._records.put([_as_new(plan) for plan in news])
        for plan, app, meaning in zip(news, kept, meanings, strict=True):
            self._tell(by, plan, app, meaning)
        return Imported(
            added=[one.spec.name for one in added],
            changed=[plan.said.spec.name for plan in news if plan.held is not None],
            unchanged=[plan.said.spec.name for plan in plans if not plan.is_news],
            started=self._start(by, plans) if start else [],
        )

    def _plans(self, by: Actor, said: Sequence[SaidApp]) -> list[_Plan]:
        held = {(app.system, app.spec.name.lower()): app for app in self._records.apps()}
        name = self._rights.name(by)
        plans = []
        for number, one in enumerate(said, 1):
            with _named(one.spec.name):
                system = self._rights.system(by, one.spec.system, Action.MANAGE)
                known = held.get((system.id, one.spec.name.lower()))
                wanted = checked(one.spec)
                if known is not None and known.spec.name != wanted.name:
                    msg = f"it is called {known.spec.name!r}; others read it by that name"
                    raise InvalidInput(msg)
                draft = self._assessor.draft(wanted, system, name, known, id_=-number)
                plans.append(_Plan(one, known, draft))
        return plans

    def _assessed(self, news: Sequence[_Plan]) -> list[Meaning]:
        drafts = [plan.draft for plan in news]
        meanings = []
        for draft in drafts:
            with _named(draft.spec.name):
                meanings.append(self._assessor.assess(draft, drafts))
        return meanings

    def _tell(self, by: Actor, plan: _Plan, app: KeptApp, meaning: Meaning) -> None:
        self._assessor.keep(app, meaning)
        sql = {"sql": app.spec.sql}
        if plan.held is None:
            self._running.tell(app.id, f"made by {app.by}")
            self._rights.trail(by, "add", app, after=sql)
            return
        self._running.tell(app.id, f"changed by {app.by} to version {app.version}")
        self._rights.trail(by, "change", app, before={"sql": plan.held.spec.sql}, after=sql)
        if app.state is AppState.STARTED:
            self._running.restart(app)

    def _start(self, by: Actor, plans: Sequence[_Plan]) -> list[str]:
        """Start what the text says is started."""
        wanted = {(p.draft.system, p.draft.spec.name) for p in plans if p.said.is_started}
        started, now_us = [], plans[0].draft.changed_us
        for app in self._records.apps():
            if (app.system, app.spec.name) in wanted and app.state is not AppState.STARTED:
                name = self._rights.name(by)
                now = self._records.set_state(app.id, AppState.STARTED, name, now_us)
                self._running.restart(now)
                self._running.tell(app.id, f"{AppState.STARTED} by {name}")
                self._rights.trail(by, "start", now)
                started.append(app.spec.name)
        return started


def _as_new(plan: _Plan) -> KeptApp:
    return plan.draft if plan.held else msgspec.structs.replace(plan.draft, id=0)


class _named:  # noqa: N801 - reads as what it does
    """Says of which app an error is."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, InvalidQuery):
            raise InvalidInput(f"app {self._name!r}: {error}") from error
        if isinstance(error, (InvalidInput, Conflict, NotFound)):
            raise type(error)(f"app {self._name!r}: {error}") from error
