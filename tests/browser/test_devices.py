"""Devices on the page: the list, approval, commands as they go, log, state, track, target."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from tests.browser.conftest import now_us
from tests.browser.waiting import expect, shows, until, until_here

from penstock.core.access import Principal
from penstock.core.catalog import DeviceStatus, Policy
from penstock.core.commands import Move, TaskState
from penstock.core.device_logs import Level, LogLine
from penstock.core.devices import DeviceFacts
from penstock.core.series import Series

pytestmark = pytest.mark.browser

SECOND = 1_000_000
HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"


@pytest.fixture
def fleet(site: Any) -> Any:
    """Devices whose commands go out to a post in memory."""
    site.fleet.start()
    return site.fleet


def register(site: Any, *names: str, **more: Any) -> None:
    facts = [DeviceFacts(name=name, **{"type": "accelerometer", **more}) for name in names]
    site.fleet.records.register(facts, Policy.AUTOMATIC, now_us())


def log(site: Any, device: str, level: Level, message: str, ago_s: float = 0) -> None:
    time_us = now_us() - round(ago_s * SECOND)
    line = LogLine(device=device, time_us=time_us, level=level, message=message)
    site.fleet.logs.append([line])


def names(page: Any, *wanted: str) -> None:
    """Wait until the table shows these devices and no others."""
    links = "[...document.querySelectorAll('.column-name a')].map((e) => e.innerText).join()"
    until(page, f"{links} === {json.dumps(','.join(wanted))}")


def test_devices_are_found_by_name_type_and_status(site: Any, pages: Any) -> None:
    register(site, "AAD-1", "AAD-2")
    site.enrol("boiler", "temperature")
    site.catalog.enrol([Series(thing="lab/esp 1", name="x")], Policy.APPROVAL, 1)
    site.fleet.records.decide(1, "lab/esp 1", DeviceStatus.REFUSED)
    page = pages.open("#view=devices")
    names(page, "AAD-1", "AAD-2", "lab/esp 1")
    page.get_by_label("with what apps and imports made").check()
    names(page, "AAD-1", "AAD-2", "boiler", "lab/esp 1")
    page.get_by_label("Any status").select_option("refused")
    names(page, "lab/esp 1")
    page.get_by_label("Any status").select_option("")
    page.get_by_label("Any type").select_option("accelerometer")
    names(page, "AAD-1", "AAD-2")
    page.get_by_label("Search devices").fill("-2")
    names(page, "AAD-2")
    page.get_by_role("link", name="AAD-2").click()
    page.get_by_role("heading", name="AAD-2").wait_for()
    page.go_back()
    page.get_by_label("Search devices").wait_for()


def test_many_devices_come_page_by_page(site: Any, pages: Any) -> None:
    register(site, *(f"D-{number:05}" for number in range(1_000)))
    page = pages.open("#view=devices")
    page.get_by_role("link", name="D-00099").wait_for()
    expect(page.locator(".device-row")).to_have_count(100)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("link", name="D-00199").wait_for()
    page.get_by_label("Search devices").fill("99999")
    page.get_by_text("No device is like that.").wait_for()
    page.get_by_label("Search devices").fill("00999")
    names(page, "D-00999")


def test_a_waiting_device_is_approved_above_the_list(site: Any, pages: Any, fleet: Any) -> None:
    site.catalog.enrol([Series(thing="lab/esp 1", name="x")], Policy.APPROVAL, 1)
    page = pages.open("#view=devices")
    page.get_by_role("button", name="Approve lab/esp 1").click()
    page.get_by_text("lab/esp 1 approved.").wait_for()
    (device,) = fleet.records.devices(site.identities.access().scope(Principal()))
    assert device.status is DeviceStatus.ENROLLED


def test_a_command_is_seen_on_its_way_until_it_is_done(site: Any, pages: Any, fleet: Any) -> None:
    register(site, "AAD-1")
    page = pages.open("#view=devices&device=AAD-1&in=1")
    form = page.get_by_role("form", name="Command change_sample_frequency")
    form.get_by_role("button").click()
    form.get_by_text("Sample frequency is needed.").wait_for()
    form.get_by_label("Sample frequency, Hz").fill("-5")
    form.get_by_role("button").click()
    form.get_by_text("-5 is not allowed; above 0").wait_for()
    form.get_by_label("Sample frequency, Hz").fill("500")
    form.get_by_role("button").click()

    task = page.locator(".task")
    task.wait_for()
    until_here(page, lambda: bool(site.post.letters))
    (letter,) = site.post.letters
    site.post.take(0)
    page.locator(".task[data-state=sent]").wait_for()
    site.post.receive(letter.key, now_us())
    page.locator(".task[data-state=delivered]").wait_for()
    for state in (TaskState.ACCEPTED, TaskState.DONE):
        fleet.commands.dispatcher.put(
            fleet.listener._tasks.move(
                [Move(key=letter.key, state=state, at_us=now_us(), message=HOSTILE)]
            )
        )
        page.locator(f".task[data-state={state}]").wait_for()
    assert json.loads(letter.payload)["Params"] == {"sampleFrequency": 500.0}
    expect(task).to_contain_text(HOSTILE)


def test_all_devices_of_a_type_are_commanded_after_asking_twice(
    site: Any, pages: Any, fleet: Any
) -> None:
    register(site, "AAD-1", "AAD-2", "AAD-3")
    site.enrol("boiler", "temperature")
    page = pages.open("#view=devices")
    page.get_by_label("Any type").select_option("accelerometer")
    page.get_by_role("button", name="Command all of type accelerometer").click()
    page.get_by_role("heading", name="Command all 3 devices of type accelerometer").wait_for()
    page.get_by_role("button", name="Send sleep").click()
    assert site.post.letters == []
    page.get_by_role("button", name="Really send to 3 devices?").click()
    page.get_by_text("sent to 3:").wait_for()
    until_here(page, lambda: len(site.post.letters) >= 3)


def test_marked_devices_are_commanded(site: Any, pages: Any, fleet: Any) -> None:
    register(site, "AAD-1", "AAD-2", "AAD-3")
    page = pages.open("#view=devices")
    page.get_by_label("Mark AAD-1").check()
    page.get_by_label("Mark AAD-3").check()
    page.get_by_role("button", name="Command them").click()
    page.get_by_role("button", name="Send awake").click()
    page.get_by_role("button", name="Really send to 2 devices?").click()
    page.get_by_text("sent to 2:").wait_for()
    until_here(page, lambda: len(site.post.letters) >= 2)
    topics = sorted(letter.topic for letter in site.post.letters)
    assert topics == ["sensor.AAD-1.commands.awake", "sensor.AAD-3.commands.awake"]


def test_the_log_is_searched_and_followed(site: Any, pages: Any) -> None:
    register(site, "AAD-1", "AAD-2")
    log(site, "AAD-1", Level.DEBUG, "buffer at 12 %", ago_s=3)
    log(site, "AAD-1", Level.ERROR, f"the radio failed {HOSTILE}", ago_s=2)
    page = pages.open("#view=devices&device=AAD-1&in=1")
    page.get_by_text("buffer at 12 %").wait_for()
    page.get_by_label("Level").select_option("ERROR")
    until(page, "document.querySelectorAll('.line').length === 1")
    page.get_by_label("Search the log").fill("radio")
    page.get_by_text("the radio failed").wait_for()

    # The stream may open a moment after the search; a line is seen by one or the other.
    log(site, "AAD-2", Level.ERROR, "the radio of another failed")
    log(site, "AAD-1", Level.INFO, "the radio works")
    log(site, "AAD-1", Level.ERROR, "the radio failed again")
    page.get_by_text("the radio failed again").wait_for()
    expect(page.locator(".line")).to_have_count(2)
    shows(page, "document.querySelectorAll('img[src=x], #app script').length", 0)
    assert pages.complaints == []


def test_the_desired_state_is_set_if_it_is_an_object(site: Any, pages: Any, fleet: Any) -> None:
    register(site, "AAD-1")
    page = pages.open("#view=devices&device=AAD-1&in=1")
    page.get_by_role("button", name="Change desired state").click()
    editor = page.get_by_label("Desired state as JSON")
    editor.fill("[1]")
    page.get_by_text("It must be an object").wait_for()
    expect(page.get_by_role("button", name="Set", exact=True)).to_be_disabled()
    editor.fill('{"interval_s": 10}')
    page.get_by_role("button", name="Set", exact=True).click()
    page.get_by_text("not yet as desired: interval_s").wait_for()
    (device,) = fleet.records.devices(site.identities.access().scope(Principal()))
    assert fleet.states.state(device.thing_id).desired == {"interval_s": 10}


def test_a_track_is_drawn_with_its_length_and_a_scale(site: Any, pages: Any) -> None:
    start = now_us() - 600 * SECOND
    for step in range(11):
        where = (13.0, 47.8 + step * 0.001)
        series = Series(thing="AAD-1", name="x", location=where)
        site.catalog.enrol([series], Policy.AUTOMATIC, start + step * SECOND)
    page = pages.open("#view=devices&device=AAD-1&in=1")
    track = page.locator("svg.track")
    expect(track).to_have_attribute("aria-label", re.compile(r"Track of 1\.11 km"))
    page.get_by_text("47.81000° N, 13.00000° E").wait_for()


def test_a_device_is_fixed_to_a_new_target_and_its_data_is_one_click_away(
    site: Any, pages: Any
) -> None:
    id_ = site.enrol("AAD-1", "acceleration", "g")
    site.fill(id_, 30)
    page = pages.open("#view=devices&device=AAD-1&in=1")
    page.get_by_label("Target").select_option("new")
    page.get_by_label("Name of the new target").fill("Pump 3")
    page.get_by_role("button", name="Fix to it").click()
    page.get_by_text("on Pump 3").wait_for()
    page.get_by_role("link", name="acceleration").click()
    until(page, f"penstock.app.get().view === 'chart' && penstock.points({id_})[0].length > 20")


def test_names_that_begin_alike_are_told_apart_on_a_phone(site: Any, pages: Any) -> None:
    long = "is.iceland.iot4cps-wp5-WeatherService.Stations.Station"
    register(site, f"{long}1", f"{long}2")
    page = pages.open("#view=devices", phone=True)
    ends = "[...document.querySelectorAll('.column-name .cut-end')]"
    until(page, f"{ends}.map((e) => e.innerText.slice(-8)).join() === 'Station1,Station2'")
    until(page, f"{ends}.every((e) => e.getBoundingClientRect().right <= innerWidth)")
    # All are enrolled: that needs no column of its own.
    until(page, "getComputedStyle(document.querySelector('td.column-status')).display === 'none'")
