"""Finding datastreams and putting them on the chart."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.browser.waiting import expect, until

from penstock.core.catalog import Policy
from penstock.core.series import Series

pytestmark = pytest.mark.browser


def stream(page: Any, id_: int) -> Any:
    return page.locator(f'button.stream[data-id="{id_}"]')


def texts(selector: str) -> str:
    """Return an expression for what elements say, each in one line, joined with commas."""
    said = f"[...document.querySelectorAll('{selector}')].map((e) => e.innerText)"
    return f"{said}.map((text) => text.trim().split(/\\s+/).join(' ')).join()"


def test_long_names_that_end_differently_look_different_on_a_phone(site: Any, pages: Any) -> None:
    thing = "at-salzburg-research-plant-hall-three/vibration-monitoring-of-pump-number-001"
    name = "bearing-temperature-of-the-drive-side-"
    ids = [site.enrol(thing, name + end) for end in ("inlet", "outlet")]
    for id_ in ids:
        site.fill(id_, 60)
    page = pages.open(f"#view=chart&streams={ids[0]},{ids[1]}", phone=True)
    expect(page.locator(".chip-name .cut-end")).to_have_text(
        [(name + "inlet")[-12:], thing[-12:], (name + "outlet")[-12:], thing[-12:]]
    )
    until(
        page,
        """[...document.querySelectorAll('.chip-name .cut-end')].every((end) => {
          const box = end.getBoundingClientRect();
          const card = end.closest('.chip-name').getBoundingClientRect();
          return box.width > 0 && box.right <= card.right + 1;
        })""",
    )


def test_search_shows_what_matches_every_word_and_says_how_many(site: Any, pages: Any) -> None:
    north = site.enrol("station.north", "temperature", "°C")
    site.enrol("station.south", "temperature", "°C")
    site.enrol("station.north", "humidity", "%")
    page = pages.open()
    page.wait_for_selector("button.stream >> nth=2")

    page.get_by_label("Search datastreams").fill("NORTH temp")

    until(page, "document.querySelectorAll('button.stream').length === 1")
    expect(stream(page, north)).to_have_text(re.compile(r"^\s*temperature"))
    page.locator(".streams-count").get_by_text("1 found").wait_for()


def test_a_search_without_a_match_says_so(site: Any, pages: Any) -> None:
    site.enrol("station.north", "temperature")
    page = pages.open()
    page.get_by_label("Search datastreams").fill("volcano")
    page.get_by_text("Nothing matches").wait_for()


def test_choosing_adds_a_chip_and_the_address_reproduces_the_view(site: Any, pages: Any) -> None:
    one = site.enrol("boiler", "temperature", "°C")
    two = site.enrol("boiler", "pressure", "bar")
    site.fill(one, 120)
    site.fill(two, 120)
    page = pages.open()
    stream(page, one).click()
    stream(page, two).click()
    page.get_by_role("button", name="15m").click()
    until(page, f"location.hash.includes('streams={one},{two}')")
    until(page, "location.hash.includes('last=15m')")

    again = pages.open(page.evaluate("location.hash"))

    until(again, f"{texts('.chip-name')} === 'temperature boiler,pressure boiler'")
    again.locator("button[aria-pressed=true]", has_text="15m").wait_for()
    # One panel for each unit.
    until(again, f"{texts('.panel-unit')} === '°C,bar'")


def test_a_chip_takes_its_datastream_off_the_chart(site: Any, pages: Any) -> None:
    one = site.enrol("boiler", "temperature", "°C")
    page = pages.open(f"#streams={one}")
    page.get_by_role("button", name="Remove boiler.temperature").click()
    until(page, "document.querySelectorAll('.chip').length === 0")
    until(page, "!location.hash.includes('streams')")


def test_the_list_can_be_used_by_keyboard(site: Any, pages: Any) -> None:
    one = site.enrol("boiler", "temperature", "°C")
    page = pages.open()
    stream(page, one).wait_for()
    page.get_by_label("Search datastreams").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.wait_for_selector(".chip")
    page.locator(f'button.stream[data-id="{one}"][aria-checked=true]').wait_for()


def test_a_long_list_is_read_page_by_page_while_one_scrolls(site: Any, pages: Any) -> None:
    series = [Series(thing=f"thing{at // 10}", name=f"value{at}") for at in range(230)]
    site.catalog.enrol(series, Policy.AUTOMATIC, 1)
    page = pages.open()
    page.wait_for_selector("button.stream >> nth=99")
    expect(page.locator("button.stream")).not_to_have_count(230)
    until(
        page,
        """(() => {
          const list = document.querySelector('.streams-scroll');
          list.scrollTop = list.scrollHeight;
          return document.querySelectorAll('button.stream').length === 230;
        })()""",
    )


def test_the_latest_value_in_the_list_follows_what_arrives(site: Any, pages: Any) -> None:
    one = site.enrol("boiler", "temperature", "°C")
    times = site.fill(one, 10)
    page = pages.open()
    stream(page, one).wait_for()
    site.keep(one, [times[-1] + 1000], [77.25])
    until(
        page,
        f"document.querySelector('button.stream[data-id=\"{one}\"]').innerText.includes('77.25')",
    )


def test_the_table_of_values_sorts_and_filters(site: Any, pages: Any) -> None:
    for name, value in (("a", 3.0), ("b", 1.0), ("c", 2.0)):
        id_ = site.enrol("boiler", name, "°C")
        times = site.fill(id_, 3)
        site.keep(id_, [times[-1] + 1000], [value])
    page = pages.open("#view=values")
    names = texts(".values tbody .as-link")
    until(
        page,
        "[...document.querySelectorAll('td.column-value')]"
        ".filter((e) => /[123]/.test(e.innerText)).length === 3",
    )

    page.get_by_role("button", name="Value", exact=True).click()
    until(page, f"{names} === 'b,c,a'")
    page.get_by_role("button", name="Value", exact=True).click()
    until(page, f"{names} === 'a,c,b'")
    page.locator("th.column-value[aria-sort=descending]").wait_for()

    page.get_by_label("Filter the table").fill("boiler.b")
    until(page, "document.querySelectorAll('.values tbody tr').length === 1")


def test_a_bare_address_shows_something_that_is_alive(site: Any, pages: Any) -> None:
    site.keep(site.enrol("attic", "old", "V"), [1_700_000_000_000_000], [1.0])
    fresh = site.enrol("boiler", "temperature", "°C")
    site.fill(fresh, 30)
    page = pages.open("")
    until(page, f"penstock.app.get().picked.join() === '{fresh}'")
