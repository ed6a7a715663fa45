"""What a phone shows otherwise: choices in place of rows of buttons, nothing cut off."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.waiting import expect, until

pytestmark = pytest.mark.browser


def test_entity_sets_are_chosen_from_a_list(site: Any, pages: Any) -> None:
    site.enrol("oven", "heat", "°C")
    page = pages.open("#view=things", phone=True)
    page.locator(".things-entity", has_text="oven").wait_for()
    expect(page.get_by_role("group", name="Entity sets")).to_be_hidden()
    page.get_by_label("Entity set", exact=True).select_option("Datastreams")
    page.locator(".things-entity", has_text="heat").wait_for()
    until(page, "location.hash.includes('path=Datastreams')")
    page.get_by_role("button", name="heat").click()
    page.get_by_role("button", name="Thing", exact=True).last.click()
    page.locator(".things-entity", has_text="oven").wait_for()
    until(page, "document.querySelector('.things-set').selectedOptions[0].disabled")
    assert pages.complaints == []


def test_filter_order_and_answer_stand_on_one_screen(site: Any, pages: Any) -> None:
    site.enrol("oven", "heat", "°C")
    page = pages.open("#view=things", phone=True)
    page.locator(".things-entity", has_text="oven").wait_for()
    first = "document.querySelector('.things-entity').getBoundingClientRect()"
    until(page, f"{first}.bottom < innerHeight - 57")
    inside = "(e) => e.getBoundingClientRect().right <= innerWidth"
    until(page, f"[...document.querySelectorAll('.things-question input')].every({inside})")
