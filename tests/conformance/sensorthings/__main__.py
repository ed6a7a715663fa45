"""Which requirements and behaviours the tests here name; kept in docs/reference/sensorthings.md.

`python -m tests.conformance.sensorthings` writes the tables anew, and a test checks that they are
current. A behaviour counts as passed when no test of it is marked as known not to pass: the suite
is green only if exactly those do not.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.conformance.sections import write

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
    reasons: dict[str, None] = field(default_factory=dict)


class Collector:
    """Looks at the marks of tests as pytest collects them."""

    def __init__(self) -> None:
        self.requirements: dict[str, Seen] = defaultdict(Seen)
        self.behaviours: dict[tuple[str, str], Seen] = defaultdict(Seen)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            reasons = [str(mark.kwargs["reason"]) for mark in item.iter_markers("xfail")]
            seen = [
                self.requirements[name]
                for name in {str(mark.args[0]) for mark in item.iter_markers("requirement")}
            ]
            pairs = {tuple(mark.args) for mark in item.iter_markers("behaviour")}
            seen += [self.behaviours[group, name] for group, name in pairs]
            for one in seen:
                one.tests += 1
                one.reasons.update(dict.fromkeys(reasons))


def collect() -> Collector:
    """Return what the tests say."""
    found = Collector()
    code = pytest.main(["--collect-only", "-qq", "--no-header", str(HERE)], plugins=[found])
    if code:
        sys.exit(f"the tests could not be collected: {code!r}")
    return found


def behaviours(found: Collector) -> str:
    """Return the table by class of behaviour."""
    groups: dict[str, dict[str, Seen]] = defaultdict(dict)
    for (group, name), seen in found.behaviours.items():
        groups[group][name] = seen
    lines = ["| about | class | passed | of |", "| --- | --- | --- | --- |"]
    open_: list[str] = []
    passed = total = 0
    for group in sorted(groups):
        about = GROUPS[group.split("/")[0]]
        good = sum(not seen.reasons for seen in groups[group].values())
        passed, total = passed + good, total + len(groups[group])
        lines.append(f"| {about} | `{group.split('/')[1]}` | {good} | {len(groups[group])} |")
        open_ += [
            f"- `{group.split('/')[1]}.{name}`: {'; '.join(seen.reasons)}."
            for name, seen in sorted(groups[group].items())
            if seen.reasons
        ]
    lines.append(f"| all | | **{passed}** | **{total}** |")
    return "\n".join([*lines, "", *open_]).strip()


def requirements(found: Collector) -> str:
    """Return the table by requirement."""
    lines = ["| requirement | tests | |", "| --- | --- | --- |"]
    for name, seen in sorted(found.requirements.items()):
        state = "; ".join(seen.reasons) if seen.reasons else "passed"
        lines.append(f"| `{name}` | {seen.tests} | {state} |")
    return "\n".join(lines)


def tables() -> dict[str, str]:
    """Return the sections of the page by their names."""
    found = collect()
    return {"behaviours": behaviours(found), "requirements": requirements(found)}


def main() -> None:
    for name, text in tables().items():
        write(name, text)


if __name__ == "__main__":
    main()
