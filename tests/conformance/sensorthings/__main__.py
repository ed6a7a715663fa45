"""Which requirements and behaviours the tests here name, and which of them hold on what database.

- `python -m tests.conformance.sensorthings run` runs the tests against the database that the
  environment names (`PENSTOCK_TEST_CATALOG` and `PENSTOCK_TEST_STORE`), keeps what came out in
  `recorded/`, and writes the tables of docs/reference/sensorthings.md anew.
- Without `run` it only writes the tables, from what was kept.

A requirement or behaviour holds when every test that names it passes; those known not to pass are
among those that do not.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.conformance.sections import write
from tests.conformance.sensorthings.recorded import DATABASES, Recorded, Tally, keep, read

HERE = Path(__file__).parent

#: What the folders of the reference implementation's tests are about.
GROUPS = {
    "c01sensingcore": "sensing core",
    "c02cud": "create, update, delete",
    "c03filtering": "filtering",
    "c04batch": "batch",
    "c05multidatastream": "MultiDatastream",
    "c06dataarrays": "data array",
    "c07mqttcreate": "MQTT create",
    "c08mqttsubscribe": "MQTT receive",
}


@dataclass
class Seen:
    """What tests say of one requirement or behaviour."""

    tests: int = 0
    passed: int = 0
    reasons: dict[str, None] = field(default_factory=dict)

    @property
    def tally(self) -> Tally:
        """How many tests there are, and how many passed."""
        return Tally(self.passed, self.tests)


class Collector:
    """Looks at the marks of tests as pytest collects them, and at what comes out of those it runs.

    Attributes:
        requirements: By requirement.
        behaviours: By class and behaviour.
    """

    def __init__(self) -> None:
        self.requirements: dict[str, Seen] = defaultdict(Seen)
        self.behaviours: dict[tuple[str, str], Seen] = defaultdict(Seen)
        self._named: dict[str, list[Seen]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            reasons = [str(mark.kwargs["reason"]) for mark in item.iter_markers("xfail")]
            seen = [
                self.requirements[name]
                for name in {str(mark.args[0]) for mark in item.iter_markers("requirement")}
            ]
            pairs = {tuple(mark.args) for mark in item.iter_markers("behaviour")}
            seen += [self.behaviours[group, name] for group, name in pairs]
            self._named[item.nodeid] = seen
            for one in seen:
                one.tests += 1
                one.reasons.update(dict.fromkeys(reasons))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            for one in self._named[report.nodeid]:
                one.passed += 1

    def recorded(self, against: str) -> Recorded:
        """Return what is to be kept."""
        behaviours: dict[str, dict[str, Tally]] = defaultdict(dict)
        for (group, name), seen in self.behaviours.items():
            behaviours[group][name] = seen.tally
        requirements = {name: seen.tally for name, seen in self.requirements.items()}
        return Recorded(against, requirements, behaviours)


def collect(*, run: bool = False) -> Collector:
    """Return what the tests say; `run` runs them too."""
    found = Collector()
    options = ["-q", "--timeout", "1800"] if run else ["--collect-only", "-qq"]
    code = pytest.main([*options, "--no-header", str(HERE)], plugins=[found])
    # Those that do not pass are seen in the tables.
    if code and not (run and code == pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"the tests could not be {'run' if run else 'collected'}: {code!r}")
    return found


def behaviours(found: Collector, runs: list[Recorded]) -> str:
    """Return the table by class of behaviour."""
    lines = _head("about", "class")
    totals = [Tally(0, 0) for _ in runs]
    for group in sorted({group for group, _ in found.behaviours}):
        about, class_ = GROUPS[group.split("/")[0]], group.split("/")[1]
        tallies = []
        for at, run in enumerate(runs):
            held = [one.passed == one.of for one in run.behaviours.get(group, {}).values()]
            tallies.append(Tally(sum(held), len(held)))
            totals[at] = Tally(totals[at].passed + sum(held), totals[at].of + len(held))
        lines.append(_row(about, f"`{class_}`", *tallies))
    lines += [_row("all", "", *(f"**{one}**" for one in totals)), ""]
    lines += [
        f"- `{group.split('/')[1]}.{name}`: {'; '.join(seen.reasons)}."
        for (group, name), seen in sorted(found.behaviours.items())
        if seen.reasons
    ]
    return "\n".join(lines).strip()


def requirements(found: Collector, runs: list[Recorded]) -> str:
    """Return the table by requirement."""
    lines = _head("requirement")
    nothing = Tally(0, 0)
    for name in sorted(found.requirements):
        tallies = [run.requirements.get(name, nothing) for run in runs]
        lines.append(_row(f"`{name}`", *tallies))
    return "\n".join(lines)


def against(runs: list[Recorded]) -> str:
    """Return what the columns of the tables stand for."""
    names = DATABASES.values()
    return "\n".join(f"- {name}: {run.against}" for name, run in zip(names, runs, strict=True))


def _head(*titles: str) -> list[str]:
    titles = (*titles, *DATABASES.values())
    return [_row(*titles), _row(*["---"] * len(titles))]


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def tables(found: Collector | None = None) -> dict[str, str]:
    """Return the sections of the page by their names.

    Raises:
        ValueError: Runs are of other tests than there are.
    """
    found = found or collect()
    runs = [read(name) for name in DATABASES]
    for name, run in zip(DATABASES, runs, strict=True):
        _check(name, run, found)
    return {
        "against": against(runs),
        "behaviours": behaviours(found, runs),
        "requirements": requirements(found, runs),
    }


def _check(database: str, run: Recorded, found: Collector) -> None:
    """Refuse a run of other tests than there are."""
    if not run.requirements:
        return
    there = {name: seen.tests for name, seen in found.requirements.items()}
    there |= {"/".join(pair): seen.tests for pair, seen in found.behaviours.items()}
    ran = {name: tally.of for name, tally in run.requirements.items()}
    ran |= {
        f"{g}/{name}": tally.of for g, of in run.behaviours.items() for name, tally in of.items()
    }
    other = sorted(name for name in there.keys() | ran.keys() if there.get(name) != ran.get(name))
    if other:
        raise ValueError(
            f"recorded/{database}.json is of a run of other tests than there are now: "
            f"{', '.join(other[:5])}; run `make conformance`"
        )


def database() -> str:
    """Return the name of the database that the environment names."""
    asked = {os.environ.get(f"PENSTOCK_TEST_{one}", "") for one in ("CATALOG", "STORE")}
    if asked == {""}:
        return "embedded"
    if asked == {"postgresql"}:
        return "postgresql"
    sys.exit("set both PENSTOCK_TEST_CATALOG and PENSTOCK_TEST_STORE to postgresql, or none")


def versions(name: str) -> str:
    """Return what a run is against."""
    if name == "embedded":
        return f"catalog in a file (SQLite {sqlite3.sqlite_version}), observations in the lake"
    import psycopg
    from tests.postgres_server import shared

    with psycopg.connect(shared().new_database()) as connection:
        server = connection.execute("SHOW server_version").fetchone()
        postgis = connection.execute(
            "SELECT default_version FROM pg_available_extensions WHERE name = 'postgis'"
        ).fetchone()
    assert server is not None
    number = str(server[0]).split()[0]
    return f"both in PostgreSQL {number}, with PostGIS {postgis[0] if postgis else '(not there)'}"


def main() -> None:
    found = None
    if sys.argv[1:] == ["run"]:
        name = database()
        found = collect(run=True)
        keep(name, found.recorded(versions(name)))
    elif sys.argv[1:]:
        sys.exit("say `run`, or nothing")
    try:
        sections = tables(found)
    except ValueError as error:
        sys.exit(f"the page was not written: {error}")
    for name, text in sections.items():
        write(name, text)


if __name__ == "__main__":
    main()
