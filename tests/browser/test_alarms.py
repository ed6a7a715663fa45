"""Alarms on the page: a rule made and tried, an alarm lived through, who is told, what is quiet."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.alarms.receivers import webhook
from tests.browser.conftest import PHONE, opened
from tests.browser.waiting import expect, shows, until
from tests.integration.conftest import Running

pytestmark = pytest.mark.browser

RULE = """-- alarm: {name}
-- message: {{thing}} is at {{result}}
-- lateness: 0 s
-- idle: 1 s
SELECT time, thing, result FROM observations WHERE name = 'plant/{name}.x' AND result > 80
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    near = {"PENSTOCK_ALARMS_WEBHOOK_PRIVATE": "true"}
    running = Running(tmp_path_factory.mktemp("alarms") / "data", environ=near)
    yield running
    running.stop()


@pytest.fixture
def page(platform: Running, browser: Any) -> Iterator[Any]:
    with opened(browser, f"{platform.http}/#view=alarms") as page:
        page.get_by_role("button", name="New rule").wait_for()
        yield page


def api(platform: Running, method: str, path: str, **more: Any) -> Any:
    answer = httpx.request(method, f"{platform.http}/api/v1/{path}", timeout=120, **more)
    return answer.raise_for_status().json() if answer.content else None


def send(platform: Running, name: str, *values: float, ago_s: int = 0) -> None:
    """Keep values one second apart, the newest so long ago."""
    now = time.time_ns() // 1000 - ago_s * 1_000_000
    for at, value in enumerate(values, 1 - len(values)):
        body = {"timestamp": now + at * 1_000_000, "x": value}
        api(platform, "POST", f"messages/plant/{name}", json=body)


def make_rule(platform: Running, name: str, header: str = "") -> None:
    text = RULE.format(name=name).replace("\nSELECT", f"\n{header}SELECT")
    api(platform, "POST", "alarm-rules/import", content=text.encode())


def alarm_of(page: Any, name: str) -> Any:
    """Return the line of an alarm, opened."""
    line = page.locator(".alarm", has_text=f"plant/{name} is at").first
    # What was open when it went is open when it comes again.
    if line.locator(".alarm-line").get_attribute("aria-expanded") == "false":
        line.locator(".alarm-line").click()
    line.locator(".alarm-history").wait_for()
    return line


def test_a_rule_is_made_by_its_controls_tried_on_the_past_and_watched(
    platform: Running, page: Any
) -> None:
    send(platform, "made", 20, 90, 95, 20, 20, 91, 20, ago_s=60)
    page.get_by_role("button", name="New rule").click()
    text = page.get_by_label("The rule as text")
    text.fill(RULE.format(name="made"))
    page.get_by_label("Severity", exact=True).select_option("critical")
    page.get_by_label("Clear when").fill("result < 30")
    page.get_by_label("Flapping above").fill("1")
    page.get_by_label("Latched", exact=False).check()
    lines = "-- severity: critical\n-- clear: result < 30\n-- flapping: 1\n-- latched: yes\nSELECT"
    expect(text).to_have_value(re.compile(re.escape(lines)))
    page.get_by_label("Range", exact=True).select_option("now-15m")
    page.get_by_role("button", name="Try it on the last").click()
    page.get_by_text("2 episodes").wait_for()
    until(
        page,
        "document.querySelector('.backtest [role=status]').innerText.includes('told people of 1.')",
    )
    page.get_by_role("img", name="plant/made with 2 episodes").locator("canvas").wait_for()
    told = page.get_by_label("Episodes", exact=True).locator("tbody td:nth-child(4)")
    expect(told).to_have_text(["yes", "no: flapping"])
    page.get_by_role("button", name="Save").click()
    page.locator("[data-rule=made]").wait_for()
    (spec,) = [one["spec"] for one in rules(platform) if one["spec"]["name"] == "made"]
    assert (spec["severity"], spec["clear"], spec["flapping"]) == ("critical", "result < 30", 1)
    assert spec["latched"] is True


def rules(platform: Running) -> Any:
    return api(platform, "GET", "alarm-rules")["items"]


def test_a_mistake_in_a_rule_is_said_and_nothing_is_kept(platform: Running, page: Any) -> None:
    page.get_by_role("button", name="New rule").click()
    page.get_by_label("The rule as text").fill(RULE.format(name="wrong").replace("thing,", "thin,"))
    page.locator(".rule-editor mark").get_by_text("thin", exact=True).wait_for()
    page.locator(".things-mistake", has_text="line 1, column 14").wait_for()
    page.get_by_role("button", name="Try it on the last").click()
    page.locator(".backtest [role=alert]", has_text="thin").wait_for()
    page.get_by_role("button", name="Save").click()
    page.locator(".rule-editor > .said [role=alert]", has_text="thin").wait_for()
    assert "wrong" not in [one["spec"]["name"] for one in rules(platform)]


def test_an_alarm_lives_from_raise_to_reset(platform: Running, page: Any) -> None:
    make_rule(platform, "life", "-- latched: yes\n")
    send(platform, "life", 90)
    line = alarm_of(page, "life")
    expect(line.get_by_role("button", name="Shelve for")).to_be_disabled()
    line.get_by_role("img", name="plant/life with 1 episodes").locator("canvas").wait_for()
    line.get_by_label("Comment or reason").fill("The fan is replaced")
    line.get_by_label("How long").select_option("28800")
    line.get_by_role("button", name="Shelve for").click()
    line.locator(".alarm-state", has_text="shelved until").wait_for()
    page.get_by_label("Shown", exact=True).select_option("quiet")
    line.get_by_role("button", name="Take off the shelf").click()
    line.wait_for(state="detached")
    page.get_by_label("Shown", exact=True).select_option("")
    line = page.locator(".alarm", has_text="plant/life is at")
    line.get_by_label("Comment or reason").fill("I look at it")
    line.get_by_role("button", name="Acknowledge", exact=True).click()
    line.locator(".alarm-state", has_text="acknowledged").wait_for()
    until(page, "document.querySelector('[data-state=acknowledged]')")
    send(platform, "life", 20)
    line.get_by_role("button", name="Reset", exact=True).click()
    line.wait_for(state="detached")
    page.get_by_role("button", name="Past too").click()
    shown = alarm_of(page, "life").locator(".alarm-history li")
    acts = ["reset", "return", "acknowledge", "unshelve", "shelve", "raise"]
    # Behind a date and a time.
    third = [re.compile(rf"^\s*\S+\s+\S+\s+{act}\b") for act in acts]
    expect(shown).to_have_text(third, use_inner_text=True)
    expect(shown.nth(2)).to_contain_text("I look at it")


def test_while_another_rule_is_active_an_alarm_is_quiet_and_says_why(
    platform: Running, page: Any
) -> None:
    make_rule(platform, "standstill")
    make_rule(platform, "flow", "-- suppressed-by: standstill\n")
    send(platform, "standstill", 99)
    rule = page.locator("[data-rule=flow]")
    rule.get_by_text("suppressed while standstill is active").wait_for()
    send(platform, "flow", 99)
    line = alarm_of(page, "flow")
    expect(line).to_have_attribute("data-mode", "suppressed")
    line.get_by_text("while standstill is active (alarm").wait_for()
    send(platform, "standstill", 1)
    until(page, "document.querySelector('.alarm[data-mode=suppressed]') === null")
    line.get_by_text("standstill is not active any more").wait_for()

    rule.get_by_role("button", name="Quiet flow").click()
    expect(rule.get_by_role("button", name="Take out of service")).to_be_disabled()
    rule.get_by_label("Why").fill("The pump is away")
    rule.get_by_role("button", name="Take out of service").click()
    rule.get_by_text("The pump is away").wait_for()
    line.get_by_text("out of service", exact=True).wait_for()
    rule.get_by_role("button", name="Tell of flow again").click()
    until(page, "document.querySelector('[data-rule=flow] .rule-quiet') === null")


def test_a_target_is_made_tried_changed_and_deleted(platform: Running, page: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    page.get_by_role("button", name="New target").click()
    form = page.get_by_role("form", name="New target")
    form.get_by_label("Name", exact=True).fill("on-call")
    form.get_by_label("URL").fill("nonsense")
    form.get_by_role("button", name="Make the target").click()
    form.get_by_text("cannot be a webhook").wait_for()
    form.get_by_label("URL").fill(nowhere)
    form.get_by_label("Secret").fill("shh")
    form.get_by_label("acknowledge").check()
    form.get_by_role("button", name="Make the target").click()
    target = page.locator("[data-target=on-call]")
    target.get_by_role("button", name="Test on-call").click()
    target.get_by_role("alert").get_by_text("cannot be reached: Connection refused").wait_for()
    with webhook() as receiver:
        target.get_by_role("button", name="Change on-call").click()
        target.get_by_label("URL").fill(receiver.url)
        target.get_by_role("button", name="Save").click()
        target.get_by_text(receiver.url).wait_for()
        target.get_by_role("button", name="Test on-call").click()
        target.get_by_text("The test was taken: 200 OK").wait_for()
        assert "Penstock-Signature" in receiver.got[0][0], "the secret stays when a target changes"
    target.get_by_role("button", name="Deliveries to on-call").click()
    expect(target.locator(".deliveries .apps-state")).to_have_text(["sent", "failed"])
    (spec,) = [one["spec"] for one in api(platform, "GET", "notification-targets")["items"]]
    assert spec["events"] == ["raise", "return", "withdraw", "acknowledge"]
    target.get_by_role("button", name="Delete on-call").click()
    target.get_by_role("button", name="Delete it with its record").click()
    target.wait_for(state="detached")


def test_an_alarm_of_a_group_shows_the_curve_that_it_is_about_or_why_there_is_none(
    platform: Running, page: Any
) -> None:
    grouped = """-- alarm: grouped
-- message: {thing} is at {high}
-- lateness: 0 s
-- idle: 1 s
SELECT window_start, thing, MAX(result) AS high FROM TABLE(TUMBLE(TABLE "plant/g*",
DESCRIPTOR(time), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, thing
HAVING MAX(result) > 80
"""
    api(platform, "POST", "alarm-rules/import", content=grouped.encode())
    send(platform, "g-one", 20, 90)
    send(platform, "g-two", 20, 90)
    body = {"timestamp": time.time_ns() // 1000, "y": 1}
    api(platform, "POST", "messages/plant/g-two", json=body)
    alarm_of(page, "g-one")
    plot = page.locator(".alarm", has_text="plant/g-one is at").locator(".episode-plot canvas")
    plot.first.wait_for()
    alarm_of(page, "g-two")
    page.get_by_text("it may be about each of 2 datastreams of plant/g-two").wait_for()


def test_nothing_is_wider_than_a_phone(platform: Running, page: Any) -> None:
    make_rule(platform, "narrow")
    send(platform, "narrow", 20, 90, 20, 99)
    page.set_viewport_size(PHONE)
    alarm_of(page, "narrow")
    page.get_by_role("button", name="New target").click()
    page.get_by_role("button", name="Edit narrow").click()
    page.get_by_label("Range", exact=True).select_option("now-15m")
    page.get_by_role("button", name="Try it on the last").click()
    page.locator(".backtest .episode-plot canvas").wait_for()
    wide = """[...document.querySelectorAll('.alarms-view *')].filter((e) => e.checkVisibility())
      .filter((e) => e.getBoundingClientRect().right > 391 && !e.closest('.table-scroll'))"""
    shows(page, f"{wide}.map((e) => e.outerHTML.slice(0, 90))", [])


def test_of_many_alarms_the_first_are_shown_so_that_the_rules_are_near(
    platform: Running, page: Any
) -> None:
    rule = """-- alarm: many
-- severity: critical
-- message: {thing} of many
SELECT time, thing, result FROM observations WHERE thing LIKE 'many/%' AND result > 80
"""
    api(platform, "POST", "alarm-rules/import", content=rule.encode())
    now = time.time_ns() // 1000
    for at in range(23):
        api(platform, "POST", f"messages/many/{at:02}", json={"timestamp": now, "x": 99})
    # The last one tells that time went on, so that the others are looked at.
    api(platform, "POST", "messages/many/00", json={"timestamp": now + 5_000_000, "x": 99})
    shown = "document.querySelectorAll('.alarm.critical').length"
    page.get_by_label("At least").select_option("critical")
    page.get_by_role("button", name="Show 3 more").click()
    until(page, f"{shown} === 23")
    page.locator(".alarm-line", has_text="many/01 of many").click()
    page.get_by_role("button", name="Show fewer").click()
    until(page, f"{shown} >= 20 && {shown} <= 21")
    until(page, "document.querySelector('.alarm-opened') !== null")


def test_a_new_rule_does_not_take_the_place_of_another_unsaid(platform: Running, page: Any) -> None:
    make_rule(platform, "too-hot")
    page.locator("[data-rule=too-hot]").wait_for()
    page.get_by_role("button", name="New rule").click()
    editor = page.get_by_role("region", name="Rule editor")
    editor.get_by_role("heading", name="New rule").wait_for()
    name = editor.get_by_label("Name", exact=True)
    until(page, "document.querySelector('.rule-editor input').value === 'too-hot-2'")
    name.fill("too-hot")
    editor.get_by_text("There is a rule called too-hot").wait_for()
    name.fill("quite-new")
    editor.get_by_text("There is a rule called").wait_for(state="detached")
    page.get_by_role("button", name="Edit too-hot").click()
    editor.get_by_role("heading", name="too-hot").wait_for()
    expect(editor.get_by_text("There is a rule called")).to_have_count(0)
