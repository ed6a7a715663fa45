"""Which normative statements the conformance tests name; kept in docs/reference/mqtt.md.

`python -m tests.conformance.statements` writes the list anew, and a test checks that it is current.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).parent / "mqtt"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mqtt.md"
BEGIN, END = "<!-- statements: written by `make reference` -->", "<!-- statements: end -->"

_NAME = re.compile(r'"MQTT-(\d+)\.(\d+)\.(\d+)-(\d+)"')


def named() -> dict[str, list[int]]:
    """Return the numbers of the statements that tests name, by section."""
    found: dict[tuple[int, ...], set[int]] = defaultdict(set)
    for file in TESTS.glob("test_*.py"):
        for numbers in _NAME.findall(file.read_text(encoding="utf-8")):
            *section, number = map(int, numbers)
            found[tuple(section)].add(number)
    return {
        ".".join(map(str, section)): sorted(numbers) for section, numbers in sorted(found.items())
    }


def text() -> str:
    """Return what the page says about it."""
    sections = named()
    total = sum(map(len, sections.values()))
    lines = [f"{total} statements of MQTT 5.0 are named:", ""]
    lines += [f"- {section}: {', '.join(map(str, n))}" for section, n in sections.items()]
    return "\n".join(lines)


def page() -> str:
    """Return the page as it should be."""
    now = PAGE.read_text(encoding="utf-8")
    before, _, rest = now.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
