"""No browser test asserts what it read of a page once: on a busy machine it was not drawn yet."""

from __future__ import annotations

import ast
from pathlib import Path

BROWSER = Path(__file__).parents[1] / "browser"

#: They answer at once, whatever is there.
HASTY = {
    "all", "all_inner_texts", "all_text_contents", "content", "count", "evaluate_all",
    "is_checked", "is_disabled", "is_enabled", "is_hidden", "is_visible",
}  # fmt: skip
#: They wait until the element is there, and not until it is as it shall be.
READS = HASTY | {
    "bounding_box", "evaluate", "get_attribute", "inner_html", "inner_text", "input_value",
    "text_content",
}  # fmt: skip


def called(tree: ast.AST, names: set[str]) -> list[str]:
    return [
        f"line {node.lineno}: {node.func.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
    ]


def hasty_reads(source: str) -> list[str]:
    tree = ast.parse(source)
    asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return [*called(tree, HASTY), *(one for node in asserts for one in called(node, READS))]


def test_browser_tests_wait_for_what_they_assert() -> None:
    files = sorted(BROWSER.glob("test_*.py"))
    found = {file.name: hasty_reads(file.read_text()) for file in files}
    assert len(found) > 5
    assert {name: reads for name, reads in found.items() if reads} == {}, (
        "wait for it with expect, until or shows of tests/browser/waiting.py"
    )


def test_hasty_reads_are_seen() -> None:
    assert hasty_reads('assert page.locator(".a").inner_text() == "b"')
    assert hasty_reads('rows = page.locator("tr").count()')
    assert hasty_reads('name = line.get_attribute("data-app")') == []
    assert hasty_reads('expect(page.locator("tr")).to_have_count(3)') == []
