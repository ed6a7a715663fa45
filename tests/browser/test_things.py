"""Exploring the SensorThings API on the page: filter, expansion, pages, ways on."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.waiting import expect, until

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def filled(site: Any) -> list[int]:
    """45 Things of one Datastream; ids of these."""
    ids = [site.enrol(f"oven {number:02}", "heat", "°C") for number in range(45)]
    site.fill(ids[0], 30)
    return ids


def rows(page: Any, count: int, first: str) -> None:
    """Wait until so many entities are listed, and which is the first."""
    where = "document.querySelectorAll('.things-page > .rows > li')"
    until(page, f"{where}.length === {count}")
    until(page, f"{where}[0]?.innerText.startsWith('{first}')")


def test_pages_go_forth_and_back(site: Any, pages: Any, filled: list[int]) -> None:
    page = pages.open("#view=things")
    rows(page, 20, "oven 00")
    expect(page.get_by_role("heading", name="Things")).to_contain_text("45")
    expect(page.get_by_role("button", name="Back")).to_be_disabled()
    page.get_by_role("button", name="Next").click()
    rows(page, 20, "oven 20")
    page.get_by_role("button", name="Next").click()
    rows(page, 5, "oven 40")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Back").click()
    rows(page, 20, "oven 20")
    assert pages.complaints == []


def test_a_filter_and_an_order_are_asked_and_stand_in_the_address(
    pages: Any, filled: list[int]
) -> None:
    page = pages.open("#view=things&path=Things")
    page.get_by_label("Filter").fill("endswith(name, '7')")
    page.get_by_label("Order by").fill("name desc")
    page.get_by_role("button", name="Ask", exact=True).click()
    rows(page, 4, "oven 37")
    until(page, "location.hash.includes('filter=endswith')")
    again = pages.open(page.evaluate("location.hash"))
    rows(again, 4, "oven 37")


def test_a_mistake_is_shown_where_it_is(pages: Any, filled: list[int]) -> None:
    page = pages.open("#view=things")
    page.get_by_label("Filter").fill("name eq 'x' or nothing gt 5")
    page.get_by_role("button", name="Ask", exact=True).click()
    mistake = page.get_by_role("alert")
    expect(mistake.locator("mark")).to_have_text("n")
    expect(mistake.locator(".bad-text")).to_contain_text("nothing")
    page.get_by_label("Filter").fill("")
    page.get_by_role("button", name="Ask", exact=True).click()
    rows(page, 20, "oven 00")


def test_linked_entities_are_expanded_and_lead_on(pages: Any, filled: list[int]) -> None:
    page = pages.open("#view=things&path=Datastreams&filter=id%20eq%20" + str(filled[0]))
    rows(page, 1, "heat")
    page.get_by_role("group", name="Expand").get_by_role("button", name="Thing").click()
    thing = page.get_by_role("region", name="Thing", exact=True)
    thing.get_by_text("oven 00").first.wait_for()
    page.get_by_role("group", name="Expand").get_by_role("button", name="Observations").click()
    seen = page.get_by_role("region", name="Observations")
    seen.get_by_text("result").first.wait_for()
    page.locator(".things-page > .rows > li > .opener").click()
    page.get_by_role("button", name="ObservedProperty").last.click()
    until(page, "location.hash.includes('ObservedProperty')")
    rows(page, 1, "heat")
    page.get_by_role("navigation", name="Path").get_by_role("button").first.click()
    rows(page, 1, "heat")


def test_a_datastream_leads_to_its_chart(pages: Any, filled: list[int]) -> None:
    page = pages.open(f"#view=things&path=Datastreams({filled[0]})")
    page.get_by_role("link", name="Chart").click()
    until(page, f"penstock.points({filled[0]})[0].length > 0")
    assert pages.complaints == []


def test_hostile_names_are_text(site: Any, pages: Any) -> None:
    site.enrol(HOSTILE, HOSTILE)
    page = pages.open("#view=things&path=Datastreams&expand=Thing", phone=True)
    page.locator(".things-page").get_by_text(HOSTILE).first.wait_for()
    until(page, "document.documentElement.scrollWidth <= innerWidth")
    assert pages.complaints == []
