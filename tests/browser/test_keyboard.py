"""Without a mouse: where Tab stops, and what closes behind it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.waiting import until

pytestmark = pytest.mark.browser


def test_tab_stops_once_in_the_list_of_datastreams(site: Any, pages: Any) -> None:
    for number in range(30):
        site.enrol(f"station {number:02}", "level")
    page = pages.open("#view=chart")
    until(page, "document.querySelectorAll('button.stream').length === 30")
    page.get_by_label("Search datastreams").focus()
    focused = "document.activeElement.closest('.thing')?.querySelector('h3').title"
    page.keyboard.press("Tab")
    until(page, f"{focused} === 'station 00'")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    until(page, f"{focused} === 'station 02'")
    page.keyboard.press("Tab")
    until(page, "document.activeElement.closest('#main') !== null")
    # Back to where one was.
    page.keyboard.press("Shift+Tab")
    until(page, f"{focused} === 'station 02'")
    page.keyboard.press("Space")
    until(page, "penstock.app.get().picked.length === 1")


def test_a_menu_closes_behind_who_tabs_out_of_it(site: Any, pages: Any) -> None:
    site.add_user("ada@example.com")
    page = pages.enter("#view=values", "ada@example.com")
    page.get_by_role("button", name="Signed in as ada@example.com").click()
    page.get_by_role("button", name="Your keys").wait_for()
    for _ in range(3):
        page.keyboard.press("Tab")
    until(page, "document.querySelector('.menu') === null")
    until(page, "document.activeElement.closest('.tabs') !== null")
