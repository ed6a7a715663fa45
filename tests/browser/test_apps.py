"""Apps on the page: a mistake at its place, mended, tried, started; versions; deleted with data."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.browser.conftest import PHONE, opened
from tests.browser.waiting import PATIENCE_S, expect, shows, until
from tests.integration.conftest import Running

pytestmark = pytest.mark.browser

MEANS = """SELECT window_start, window_end, thing, AVG({column}) AS mean, PEAK(result) AS peak
FROM TABLE(TUMBLE(TABLE "*.acceleration", DESCRIPTOR(time), INTERVAL '1' SECOND))
GROUP BY window_start, window_end, thing"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A platform to which simulated sensors send."""
    running = Running(tmp_path_factory.mktemp("apps") / "data")
    host, port = running.mqtt
    command = [sys.executable, "-m", "penstock.cli.main", "simulate", "accelerometer"]
    command += ["--broker", f"{host}:{port}", "--rate", "20", "--json"]
    simulation = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield running
    simulation.terminate()
    simulation.wait(PATIENCE_S)
    running.stop()


@pytest.fixture
def page(platform: Running, browser: Any) -> Iterator[Any]:
    with opened(browser, f"{platform.http}/#view=apps") as page:
        page.get_by_role("button", name="New app").wait_for()
        yield page


def api(platform: Running, path: str) -> Any:
    """Return what the API answers."""
    return httpx.get(f"{platform.http}/api/v1/{path}").raise_for_status().json()


def make(page: Any, name: str) -> Any:
    """Make an app in the editor, and return its line in the list."""
    page.get_by_role("button", name="New app").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("SQL", exact=True).fill(MEANS.format(column="result"))
    page.get_by_role("button", name="Make the app").click()
    line = page.locator(f"[data-app={name}]")
    line.wait_for()
    return line


def test_a_mistake_is_shown_at_its_place_and_the_mended_app_gives_rows(
    platform: Running, page: Any
) -> None:
    page.get_by_role("button", name="New app").click()
    until(page, "document.activeElement.labels[0].innerText === 'Name'")
    page.get_by_label("SQL", exact=True).fill(MEANS.format(column="resul"))
    page.locator(".apps-editor mark").get_by_text("resul", exact=True).wait_for()
    page.get_by_text("line 1, column 45").wait_for()
    page.get_by_label("Name", exact=True).fill("means")
    expect(page.get_by_role("button", name="Make the app")).to_be_disabled()
    expect(page.get_by_role("button", name="Backtest")).to_be_disabled()

    page.get_by_label("SQL", exact=True).fill(MEANS.format(column="result"))
    page.get_by_label("Lateness (s)").fill("1")
    page.get_by_label("Idle (s)").fill("5")
    page.get_by_label("Reach (s)").fill("60")
    page.get_by_label("Thing", exact=True).fill("mean-of-{thing}")
    page.get_by_label("Begins").select_option("beginning")
    page.get_by_role("button", name="Make the app").click()
    page.get_by_role("button", name="Start means").click()
    page.get_by_role("button", name="Chart of means").click()
    page.locator(".chip").get_by_text("mean-of-AAD-1123").first.wait_for()

    spec = api(platform, "apps?search=means")["items"][0]["spec"]
    assert (spec["lateness_s"], spec["idle_s"], spec["reach_s"]) == (1, 5, 60)
    assert (spec["start"], spec["output"]["thing"]) == ("beginning", "mean-of-{thing}")


def test_a_backtest_draws_the_column_that_is_chosen_and_keeps_nothing(
    platform: Running, page: Any
) -> None:
    make(page, "tried")
    page.get_by_role("button", name="Edit tried").click()
    until(page, "document.querySelector('.apps-editor textarea').value.includes('PEAK')")
    page.get_by_label("Thing", exact=True).fill("tried-of-{thing}")
    page.get_by_role("button", name="Backtest").click()
    page.get_by_role("img", name="Plot of mean").wait_for()
    page.get_by_role("list", name="Lines").get_by_text("AAD-1123").wait_for()
    page.locator(".apps-rows tbody tr").first.wait_for()
    page.get_by_role("combobox", name="Plot of").select_option("peak")
    page.get_by_role("img", name="Plot of peak").locator("canvas").wait_for()
    (app,) = api(platform, "apps?search=tried")["items"]
    assert (app["state"], app["datastreams"]) == ("stopped", 0)
    assert api(platform, "datastreams?search=tried-of")["items"] == []


def test_an_older_version_can_be_taken_up_again(platform: Running, page: Any) -> None:
    line = make(page, "versioned")
    page.get_by_role("button", name="Edit versioned").click()
    page.get_by_label("SQL", exact=True).fill(MEANS.format(column="-result"))
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Versions of versioned").click()
    line.locator("summary").get_by_text("Version 1 ").click()
    line.get_by_role("button", name="Edit from version 1").click()
    until(page, "document.querySelector('.apps-editor textarea').value.includes('AVG(result)')")
    page.get_by_role("button", name="Save").click()
    line.locator("summary").get_by_text("Version 3 ").wait_for()
    (app,) = api(platform, "apps?search=versioned")["items"]
    assert (app["version"], "AVG(result)" in app["spec"]["sql"]) == (3, True)


@pytest.mark.parametrize("with_data", [False, True])
def test_an_app_is_deleted_with_its_data_or_without(
    platform: Running, page: Any, with_data: bool
) -> None:
    line = make(page, f"deleted-{with_data}".lower())
    name = line.get_attribute("data-app")
    page.get_by_role("button", name=f"Start {name}").click()
    page.get_by_role("button", name=f"Chart of {name}").wait_for()
    page.get_by_role("button", name=f"Stop {name}").click()
    page.get_by_role("button", name=f"Start {name}").wait_for()
    (app,) = api(platform, f"apps?search={name}")["items"]
    derived = api(platform, f"apps/{app['id']}/datastreams")["datastreams"]
    page.get_by_role("button", name=f"Delete {name}").click()
    sure = "Delete with" if with_data else "Delete, keep the data"
    line.get_by_role("button", name=sure).click()
    line.wait_for(state="detached")
    left = [
        id_
        for id_ in derived
        if httpx.get(f"{platform.http}/api/v1/datastreams/{id_}").status_code == 200
    ]
    assert left == ([] if with_data else derived)


def test_a_question_is_answered_in_a_table(page: Any) -> None:
    page.get_by_label("One SELECT").fill("SELECT COUNT(*) AS n FROM observations WHERE 1 = 0")
    page.get_by_label("One SELECT").press("Control+Enter")
    page.locator(".apps-rows td").get_by_text("0", exact=True).wait_for()


def test_the_editor_is_not_wider_than_a_phone(page: Any) -> None:
    page.set_viewport_size(PHONE)
    page.get_by_role("button", name="New app").click()
    page.get_by_label("Output").select_option("topic")
    page.get_by_text("It needs a name.").wait_for()
    page.get_by_label("Name", exact=True).fill("to-a-topic")
    page.get_by_text("It needs a topic.").wait_for()
    wide = """[...document.querySelectorAll('.apps-view *')].filter((e) => e.checkVisibility())
      .filter((e) => e.getBoundingClientRect().right > 391 && !e.closest('.table-scroll'))"""
    shows(page, f"{wide}.map((e) => e.outerHTML.slice(0, 90))", [])
