"""Waiting for what a page computes, under a content security policy that forbids `eval`.

A page draws when it has time, and what is read of it once is what happens to be there. So no test
asserts what it reads: `expect` waits for elements, `until` for an expression, `shows` for a value,
`until_here` for what the page does elsewhere. `tests/architecture/test_browser_reads.py` looks.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

#: A busy machine may take long; a page that does its work needs a fraction of a second.
PATIENCE_S = 90.0


@functools.cache
def _patient_expect() -> Any:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_S * 1000)
    return expect


def expect(locator: Any) -> Any:
    """Return Playwright's assertions about elements; each waits until it holds."""
    return _patient_expect()(locator)


def until(page: Any, expression: str) -> None:
    """Return when a JavaScript expression is true on a page; fail when it does not become so.

    What cannot be computed yet, because a part of the page is not there, is not true yet.
    """
    shows(page, f"!!({expression})", True)


def shows(page: Any, expression: str, wanted: Any) -> None:
    """Return when a JavaScript expression has a value; fail, saying what it has, when it does not.

    What cannot be computed yet, because a part of the page is not there, has no value yet.
    """
    asked = f"""() => {{
      try {{ return [true, {expression}]; }} catch (error) {{ return [false, String(error)]; }}
    }}"""

    def is_shown() -> bool:
        nonlocal found
        found = _evaluate(page, asked)
        return found == [True, wanted]

    found: Any = None
    until_here(page, is_shown, lambda: f"{expression}: {found} in place of {wanted}")


def until_here(page: Any, holds: Callable[[], bool], what: Callable[[], str] = str) -> None:
    """Return when something holds in the test's process, while the page goes on."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"it did not come true in time: {what()}"
        page.wait_for_timeout(30)


def _evaluate(page: Any, function: str) -> Any:
    """Return what a function says; the page may be on its way to another address."""
    from playwright.sync_api import Error

    try:
        return page.evaluate(function)
    except Error as error:
        if "context was destroyed" in error.message or "navigation" in error.message:
            return None
        raise
