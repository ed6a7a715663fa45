"""Sections of docs/reference/sensorthings.md that programs write."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "sensorthings.md"


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- {name}: written by a program -->", f"<!-- {name}: end -->"


def section(name: str) -> str:
    """Return what a section says."""
    begin, end = _marks(name)
    return PAGE.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].strip()


def write(name: str, text: str) -> None:
    """Put a text into its section."""
    begin, end = _marks(name)
    page = PAGE.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    if not found:
        raise ValueError(f"{PAGE} has no section {name}; put {begin} and {end} where it belongs")
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
