"""The page as a whole: hostile names, sizes, themes, health, and no word of complaint."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser.waiting import expect, shows, until

from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.devices import DeviceFacts
from penstock.core.platform import Check, DeadLetter
from penstock.core.series import Series

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"alert('name')\"><script>alert(1)</script>"
VIEWS = ("chart", "values", "devices", "health")
ALL_VIEWS = ("streams", *VIEWS, "organisation")


def fill_in(site: Any) -> list[int]:
    """Make things of every kind, and return the ids of their datastreams."""
    ids = [
        site.enrol("station.north", "temperature", "°C"),
        site.enrol("station.north", "a_name_much_longer_than_any_that_fits_on_a_phone" * 2, "%"),
        site.enrol("station.south." + "deep." * 20, "pressure", "kilograms per cubic metre"),
    ]
    for id_ in ids:
        site.fill(id_, 120)
    devices = [
        DeviceFacts(name=name) for name in ("station.north", "station.south." + "deep." * 20)
    ]
    site.fleet.records.register(devices, Policy.AUTOMATIC, 1)
    text = site.enrol_text("station.north", "state")
    site.keep_texts(text, [site.fill(ids[0], 1)[-1]], ["x" * 400])
    site.platform.letters.append(
        DeadLetter(
            id=1,
            topic="a/" + "b" * 120,
            payload=b"\xff\x00" * 40,
            client="c",
            arrived_us=1,
            partition="door",
            offset=1,
            codec="flat",
            reason="not JSON " * 20,
        )
    )
    return [*ids, text]


def show(page: Any, view: str) -> None:
    """Go to a view and wait until it has something to show."""
    page.evaluate(f"penstock.app.set({{ view: '{view}' }})")
    filled = {
        "streams": "button.stream",
        "values": ".values tbody tr",
        "health": ".letters tbody tr",
        "devices": ".device-row",
        "organisation": ".node",
    }
    page.wait_for_selector(filled.get(view, ".chip"))


def test_hostile_names_are_shown_as_text(site: Any, pages: Any) -> None:
    id_ = site.enrol(HOSTILE, HOSTILE, HOSTILE)
    site.fill(id_, 20)
    site.keep_texts(site.enrol_text(HOSTILE, "state"), [site.fill(id_, 1)[-1]], [HOSTILE])
    site.platform.checks.append(Check(HOSTILE, False, HOSTILE))
    site.platform.letters.append(
        DeadLetter(
            id=1,
            topic=HOSTILE,
            payload=HOSTILE.encode(),
            client=HOSTILE,
            arrived_us=1,
            partition="door",
            offset=1,
            codec="flat",
            reason=HOSTILE,
        )
    )
    site.catalog.enrol([Series(thing=HOSTILE * 2, name="x")], Policy.APPROVAL, 1)
    page = pages.open(f"#streams={id_},{id_ + 1}&last=1m")
    for view in VIEWS:
        page.evaluate(f"penstock.app.set({{ view: '{view}' }})")
        until(page, "document.querySelector('#main').innerText.includes('onerror')")
    expect(page.locator(".thing h3").first).to_have_text(HOSTILE)
    shows(page, "document.querySelectorAll('img[src=x], #app script').length", 0)
    assert pages.complaints == []


def test_nothing_is_wider_than_a_phone(site: Any, pages: Any) -> None:
    ids = ",".join(map(str, fill_in(site)))
    page = pages.open(f"#streams={ids}&last=5m", phone=True)
    for view in ALL_VIEWS:
        show(page, view)
        shows(page, "document.scrollingElement.scrollWidth", 390)
        overflowing = """[...document.querySelectorAll(
                'header *, .tabs, .tab[aria-current], .view > *, .side *')]
              .filter((e) => e.checkVisibility())
              .filter((e) => !e.closest('.table-scroll, .chips, .stream-value, .visually-hidden'))
              .filter((e) => e.getBoundingClientRect().right > 391)
              .map((e) => e.className || e.tagName)"""
        shows(page, overflowing, [])


@pytest.mark.parametrize("width", [820, 900, 1100])
def test_nothing_leaves_the_window_between_phone_and_desktop(
    site: Any, pages: Any, width: int
) -> None:
    ids = ",".join(map(str, fill_in(site)))
    page = pages.open(f"#streams={ids}&last=5m")
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_selector(".chip")
    outside = f"""[...document.querySelectorAll('button, a, input')]
          .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > {width})
          .map((e) => e.outerHTML.slice(0, 90))"""
    shows(page, outside, [])


def test_what_one_touches_on_a_phone_is_large_enough(site: Any, pages: Any) -> None:
    ids = ",".join(map(str, fill_in(site)))
    page = pages.open(f"#streams={ids}&last=5m", phone=True)
    for view in ALL_VIEWS:
        show(page, view)
        small = """[...document.querySelectorAll('button, a.quiet, input')]
              .filter((e) => e.checkVisibility({ visibilityProperty: true }))
              .filter((e) => !e.closest('td, th, label') && e.getBoundingClientRect().height < 40)
              .map((e) => e.outerHTML.slice(0, 90))"""
        shows(page, small, [])


def test_every_view_is_quiet_and_asks_nobody_else(site: Any, pages: Any) -> None:
    ids = ",".join(map(str, fill_in(site)))
    for phone in (False, True):
        page = pages.open(f"#streams={ids}&last=5m", phone=phone)
        until(page, "penstock.app.get().link === 'live'")
        for view in ALL_VIEWS[1:]:
            show(page, view)
    assert pages.complaints == []
    assert pages.foreign == []


def test_colours_follow_the_system_and_can_be_chosen(site: Any, pages: Any) -> None:
    site.enrol("a", "b")
    page = pages.open(color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    until(page, f"{ground}.match(/\\d+/g).reduce((sum, part) => sum + Number(part), 0) < 150")
    dark = page.evaluate(ground)
    page.get_by_label("Theme: system; change to light").click()
    until(page, f"{ground} !== '{dark}'")
    page.reload()
    until(page, f"{ground} !== '{dark}'")
    page.get_by_label("Theme: light; change to dark").click()
    until(page, f"{ground} === '{dark}'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(site: Any, pages: Any, scheme: str) -> None:
    site.enrol("a", "b")
    page = pages.open(color_scheme=scheme)
    faint = """(() => {
          const style = getComputedStyle(document.documentElement);
          const light = (name) => {
            const hex = style.getPropertyValue(name).trim().slice(1);
            const [r, g, b] = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
              .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const pairs = [];
          for (const ink of ['--text', '--text-2', '--accent', '--bad', '--warn', '--ok'])
            for (const ground of ['--page', '--surface', '--raised', '--accent-soft'])
              pairs.push([ink, ground]);
          pairs.push(['--on-accent', '--accent'], ['--surface', '--bad'], ['--surface', '--warn']);
          return pairs.map(([ink, ground]) => {
            const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x);
            return [ink, ground, (a + 0.05) / (b + 0.05)];
          }).filter(([, , ratio]) => !(ratio >= 4.5));
        })()"""
    shows(page, faint, [])


def test_a_new_user_sees_how_to_send_a_first_message(site: Any, pages: Any) -> None:
    page = pages.open()
    page.get_by_text("Nothing has arrived yet").wait_for()
    page.get_by_text("mosquitto_pub -h 127.0.0.1").wait_for()
    site.fill(site.enrol("room/kitchen", "temperature", "°C"), 3)
    page.locator("button.stream").wait_for()
    page.get_by_text("Nothing has arrived yet").wait_for(state="detached")


def test_dead_letters_can_be_read_replayed_and_discarded(site: Any, pages: Any) -> None:
    site.enrol("a", "b")
    for id_ in (1, 2, 3):
        site.platform.letters.append(
            DeadLetter(
                id=id_,
                topic=f"plant/{id_}",
                payload=b"{",
                client="plc",
                arrived_us=1_700_000_000_000_000,
                partition="door",
                offset=id_,
                codec="flat",
                reason="not JSON: it ends too early",
            )
        )
    page = pages.open("#view=health")
    page.wait_for_selector(".letters tbody tr >> nth=2")
    expect(page.locator(".letters")).to_contain_text("it ends too early")

    page.get_by_role("button", name="Replay all").click()
    page.get_by_text("2 observations stored, 1 failed again").wait_for()
    until(page, "document.querySelectorAll('.letters tbody tr').length === 1")

    page.get_by_role("button", name="Discard all").click()
    assert len(site.platform.letters) == 1
    page.get_by_role("button", name="Really discard all?").click()
    page.get_by_text("1 messages dropped").wait_for()
    assert site.platform.letters == []


def test_waiting_devices_are_approved_and_refused(site: Any, pages: Any) -> None:
    site.enrol("a", "b")
    for name in ("lab/esp 1", "lab/esp 2"):
        site.catalog.enrol([Series(thing=name, name="x")], Policy.APPROVAL, 1)
    page = pages.open("#view=health")
    page.get_by_role("button", name="Approve lab/esp 1").click()
    page.get_by_text("lab/esp 1 approved.").wait_for()
    page.get_by_role("button", name="Refuse lab/esp 2").click()
    page.get_by_text("No device waits for approval.").wait_for()
    status = {device.name: device.status for device in site.catalog.devices()}
    assert status["lab/esp 1"] is DeviceStatus.ENROLLED
    assert status["lab/esp 2"] is DeviceStatus.REFUSED


def test_health_lights_say_what_is_wrong(site: Any, pages: Any) -> None:
    site.enrol("a", "b")
    site.platform.checks.append(Check("disk", False, "only 12 MB free: make room"))
    page = pages.open()
    page.get_by_title("only 12 MB free: make room").click()
    page.locator(".checks .bad").get_by_text("only 12 MB free: make room").wait_for()


def test_times_are_shown_in_the_local_zone_or_utc(site: Any, pages: Any) -> None:
    id_ = site.enrol("a", "b")
    # 2023-11-14T22:13:20Z
    site.keep(id_, [1_700_000_000_000_000], [1.0])
    page = pages.open("#view=values", timezone_id="Asia/Tokyo")
    page.get_by_text("2023-11-15 07:13:20").wait_for()
    page.get_by_role("button", name="Local").click()
    page.get_by_text("2023-11-14 22:13:20").wait_for()
    until(page, "location.hash.includes('utc=1')")
