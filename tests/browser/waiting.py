"""Waiting for what a page computes, under a content security policy that forbids `eval`."""

from __future__ import annotations

import time
from typing import Any

#: A busy machine may take long; a page that does its work needs a fraction of a second.
PATIENCE_S = 45.0


def until(page: Any, expression: str) -> None:
    """Return when a JavaScript expression is true on a page; fail when it does not become so.

    What cannot be computed yet, because a part of the page is not there, is not true yet.
    """
    end = time.monotonic() + PATIENCE_S
    asked = f"""() => {{
      try {{ return ({expression}) ? "" : "false"; }} catch (error) {{ return String(error); }}
    }}"""
    while answer := page.evaluate(asked):
        assert time.monotonic() < end, f"it did not become true in time, {answer}: {expression}"
        page.wait_for_timeout(30)
