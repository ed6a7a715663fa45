"""What runs of these tests gave, against each database: kept beside them, one file for each.

`python -m tests.conformance.sensorthings run` runs all of them and writes the file of the database
that the environment names. The page is made from the files, and a test compares their numbers with
the tests that there are: who adds one has to run them anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent / "recorded"
#: Against what, by the name of the file.
DATABASES = {"embedded": "embedded", "postgresql": "PostgreSQL"}


class Tally(NamedTuple):
    """How many tests of something there are, and how many passed."""

    passed: int
    of: int

    def __str__(self) -> str:
        return f"{self.passed}/{self.of}"


class Recorded(NamedTuple):
    """What one run gave.

    Attributes:
        against: What it ran against, with versions.
        requirements: By requirement.
        behaviours: By class and behaviour.
    """

    against: str
    requirements: dict[str, Tally]
    behaviours: dict[str, dict[str, Tally]]


def read(database: str) -> Recorded:
    """Return what the last run against a database gave; nothing where there was none."""
    if not (HERE / f"{database}.json").exists():
        return Recorded("not run yet", {}, {})
    kept = json.loads((HERE / f"{database}.json").read_text(encoding="utf-8"))
    return Recorded(
        kept["against"],
        {name: Tally(*tally) for name, tally in kept["requirements"].items()},
        {
            group: {name: Tally(*tally) for name, tally in of_group.items()}
            for group, of_group in kept["behaviours"].items()
        },
    )


def keep(database: str, found: Recorded) -> None:
    """Write what a run gave, one line for each requirement and behaviour."""
    HERE.mkdir(exist_ok=True)
    text = json.dumps(
        {
            "against": found.against,
            "requirements": {name: found.requirements[name] for name in sorted(found.requirements)},
            "behaviours": {
                group: dict(sorted(found.behaviours[group].items()))
                for group in sorted(found.behaviours)
            },
        },
        indent=0,
    )
    (HERE / f"{database}.json").write_text(f"{text}\n", encoding="utf-8")
