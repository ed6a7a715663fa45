"""The chart's data: stored history, then live, without a seam."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.browser.waiting import expect, shows, until

from penstock.core.observation import observations

pytestmark = pytest.mark.browser

SECOND = 1_000_000

#: Counts the coloured pixels of the first panel in a narrow strip at a share of its width.
INK = """(share) => {
  const { plot } = [...penstock.chart.panels.values()][0];
  const { left, top, width, height } = plot.bbox;
  const strip = plot.ctx.getImageData(left + width * share, top, 3, height).data;
  let count = 0;
  for (let at = 0; at < strip.length; at += 4) {
    const [red, green, blue, alpha] = strip.slice(at, at + 4);
    if (alpha > 128 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count += 1;
  }
  return count;
}"""

#: Counts them between two shares of the width; a share beyond 1 is right of the plot.
WIDE_INK = """((from, to) => {
  const { plot } = [...penstock.chart.panels.values()][0];
  const { left, top, width, height } = plot.bbox;
  const [start, end] = [Math.round(left + width * from), Math.round(left + width * to)];
  const strip = plot.ctx.getImageData(start, top, end - start, height).data;
  let count = 0;
  for (let at = 0; at < strip.length; at += 4) {
    const [red, green, blue, alpha] = strip.slice(at, at + 4);
    if (alpha > 128 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60) count += 1;
  }
  return count;
})"""


def iso(time_us: int) -> str:
    """Return a time as the page writes it into its address."""
    return datetime.fromtimestamp(time_us / SECOND, UTC).isoformat().replace("+00:00", "Z")


def wait_for_times(page: Any, id_: int, times: list[int]) -> None:
    """Wait until the chart holds points at these times and at no others, each once."""
    shows(page, f"penstock.points({id_})[0]", times)


def wait_for_points(page: Any, id_: int, count: int) -> None:
    until(page, f"penstock.points({id_})[0].length >= {count}")


def wait_for_link(page: Any, state: str = "live") -> None:
    until(page, f"penstock.app.get().link === '{state}'")


def test_history_goes_on_live_with_no_point_missing_or_doubled(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    stored = site.fill(id_, 200, per_s=5)
    page = pages.open(f"#streams={id_}&last=5m")
    wait_for_points(page, id_, len(stored))
    wait_for_link(page)

    arriving = [stored[-1] + (at + 1) * SECOND // 5 for at in range(50)]
    for time in arriving:
        site.keep(id_, [time], [time % 97 / 10])

    wait_for_times(page, id_, [*stored, *arriving])
    came = [time % 97 / 10 for time in arriving]
    shows(page, f"penstock.points({id_})[1].slice({len(stored)})", came)


def test_rows_that_arrive_while_the_page_opens_are_all_there_once(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    times = site.fill(id_, 30, per_s=10)
    page = pages.open()
    page.wait_for_selector("button.stream")
    # Rows on both sides of the subscription, of the snapshot and of the reading of the history.
    page.evaluate(f"penstock.app.set({{ picked: [{id_}] }})")
    for _ in range(100):
        times.append(times[-1] + SECOND // 10)
        site.keep(id_, [times[-1]], [1.0])
    wait_for_times(page, id_, times)


@pytest.mark.parametrize("follows", [True, False])
def test_late_rows_find_their_place(site: Any, pages: Any, follows: bool) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    stored = site.fill(id_, 120)
    still = f"from={iso(stored[0])}&to={iso(stored[-1] + SECOND)}"
    page = pages.open(f"#streams={id_}&{'last=5m' if follows else still}")
    wait_for_points(page, id_, len(stored))
    wait_for_link(page)

    late = [stored[10] + 500_000, stored[-3] + 500_000]
    for time in late:
        site.keep(id_, [time], [5.0])

    wait_for_times(page, id_, sorted([*stored, *late]))


def test_a_row_sent_twice_with_another_value_is_replaced(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    stored = site.fill(id_, 20)
    page = pages.open(f"#streams={id_}&last=5m")
    wait_for_points(page, id_, len(stored))
    wait_for_link(page)
    site.keep(id_, [stored[-1]], [99.5])
    until(page, f"penstock.points({id_})[1].at(-1) === 99.5")
    wait_for_times(page, id_, stored)


def test_the_chart_catches_up_after_the_server_was_away(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    times = site.fill(id_, 60, per_s=2)
    page = pages.open(f"#streams={id_}&last=5m")
    wait_for_points(page, id_, len(times))
    wait_for_link(page)

    site.stop()
    until(page, "/Reconnecting|Offline/.test(document.querySelector('.link').innerText)")
    # Stored while no page could see it; one of them long before the newest that it saw.
    missed = [times[-1] + (at + 1) * SECOND // 2 for at in range(20)]
    late = times[0] + SECOND // 4
    everything = sorted([*times, *missed, late])
    rows = [*missed, late]
    site.store.append(observations([id_] * len(rows), rows, [2.0] * len(rows)))
    site.start()

    wait_for_link(page)
    wait_for_points(page, id_, len(everything))
    site.keep(id_, [missed[-1] + SECOND], [3.0])
    wait_for_times(page, id_, [*everything, missed[-1] + SECOND])


def test_a_page_that_was_hidden_catches_up(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    times = site.fill(id_, 30)
    page = pages.open(f"#streams={id_}&last=5m")
    wait_for_points(page, id_, len(times))
    wait_for_link(page)

    page.evaluate("penstock.chart.pause()")
    times.append(times[-1] + SECOND)
    site.keep(id_, [times[-1]], [4.0])
    assert site.live.watchers <= 1
    page.evaluate("penstock.chart.resume()")

    wait_for_times(page, id_, times)


def test_dense_history_comes_in_buckets_and_raw_when_one_zooms_in(site: Any, pages: Any) -> None:
    id_ = site.enrol("machine", "acceleration", "m/s²")
    times = site.fill(id_, 700, per_s=100)
    page = pages.open(f"#streams={id_}&last=15m")
    history = f"penstock.chart.traces.get({id_}).history"
    until(page, f"{history}.width > 0 && {history}.times.length < 3000")

    middle = times[len(times) // 2]
    page.evaluate(f"penstock.app.set({{ range: {{ from: {middle}, to: {middle + SECOND} }} }})")

    until(page, f"{history}.width === 0")
    wanted = [time for time in times if middle <= time < middle + SECOND]
    shows(page, f"penstock.points({id_}, {middle}, {middle + SECOND})[0]", wanted)


def test_in_buckets_too_the_live_part_joins_the_history(site: Any, pages: Any) -> None:
    id_ = site.enrol("machine", "acceleration", "m/s²")
    times = site.fill(id_, 700, per_s=100)
    page = pages.open(f"#streams={id_}&last=15m")
    until(page, f"penstock.chart.traces.get({id_}).history.width > 0")
    wait_for_link(page)
    for _ in range(30):
        arriving = [times[-1] + (at + 1) * SECOND // 100 for at in range(10)]
        site.keep(id_, arriving, [20.0] * 10)
        times += arriving
    until(page, f"penstock.chart.traces.get({id_}).live.lastTime === {times[-1]}")

    width = page.evaluate(f"penstock.chart.traces.get({id_}).history.width")
    first = times[0] // width * width
    # Every bucket that has rows is there once, the seam among them.
    expected = sorted({time // width * width for time in times})
    # Rows that came between reading and joining are there once the history was read again.
    wait_for_times(page, id_, [time for time in expected if time >= first])


def test_wheel_and_drag_move_the_stretch_and_live_brings_it_back(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    times = site.fill(id_, 280)
    page = pages.open(f"#streams={id_}&last=5m")
    wait_for_points(page, id_, len(times))
    box = page.locator(".chart-area").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    page.mouse.move(x, y)
    page.mouse.wheel(0, -400)
    span = "penstock.app.get().range.to - penstock.app.get().range.from"
    until(page, f"penstock.app.get().range.from > 0 && {span} < {300 * SECOND}")
    before = page.evaluate("penstock.app.get().range")
    page.mouse.down()
    page.mouse.move(x + 200, y, steps=4)
    page.mouse.up()
    until(page, f"penstock.app.get().range.from < {before['from']}")
    until(page, f"Math.abs({span} - {before['to'] - before['from']}) <= 4")

    page.get_by_role("button", name="Live", exact=True).click()
    until(page, f"penstock.app.get().range.live === {300 * SECOND}")


def test_zooming_in_between_two_points_keeps_the_line(site: Any, pages: Any) -> None:
    id_ = site.enrol("tank", "level", "m")
    times = [site.fill(id_, 1)[0] - at * 60 * SECOND for at in range(1, 30)][::-1]
    site.keep(id_, times, [3.0] * len(times))
    page = pages.open(f"#streams={id_}&last=1h")
    wait_for_points(page, id_, len(times))

    between = times[10] + 20 * SECOND
    page.evaluate(f"penstock.app.set({{ range: {{ from: {between}, to: {between + SECOND} }} }})")

    until(page, f"penstock.points({id_})[0].includes({times[11]})")
    until(page, f"penstock.points({id_})[0].includes({times[10]})")
    until(page, f"({INK})(0.5) > 0")


def test_an_address_between_two_points_shows_the_line_at_their_height(
    site: Any, pages: Any
) -> None:
    id_ = site.enrol("tank", "level", "m")
    last = site.fill(id_, 1)[0]
    before, after = last - 600 * SECOND, last - 540 * SECOND
    site.keep(id_, [before, after], [40.0, 46.0])
    begin, end = (before + at * SECOND for at in (20, 40))
    # Nothing was drawn before that could have left a fitting range of values behind.
    page = pages.open(f"#streams={id_}&from={iso(begin)}&to={iso(end)}")

    until(page, f"({INK})(0.5) > 0")
    shows(page, f"penstock.points({id_}, {begin}, {end})[0]", [])
    low, high = (f"[...penstock.chart.panels.values()][0].range[{at}]" for at in (0, 1))
    until(page, f"41 < {low} && {low} < 42 && 44 < {high} && {high} < 45")
    until(page, "document.querySelector('.no-data') === null")


def test_a_pause_is_drawn_as_a_gap(site: Any, pages: Any) -> None:
    id_ = site.enrol("tank", "level", "m")
    last = site.fill(id_, 1)[0]
    # Two minutes of values, a minute of nothing, two minutes of values.
    times = [last - at * SECOND for at in range(300, 0, -1) if not 120 < at <= 180]
    site.keep(id_, times, [3.0] * len(times))
    page = pages.open(f"#streams={id_}")
    wait_for_points(page, id_, len(times))
    start, end = last - 300 * SECOND, last
    page.evaluate(f"penstock.app.set({{ range: {{ from: {start}, to: {end} }} }})")
    until(page, f"[0.2, 0.5, 0.8].map((share) => ({INK})(share) > 0).join() === 'true,false,true'")


def test_the_cursor_reads_the_values_of_all_series(site: Any, pages: Any) -> None:
    one = site.enrol("boiler", "temperature", "°C")
    two = site.enrol("boiler", "pressure", "bar")
    times = site.fill(one, 290)
    site.keep(two, times, [7.5] * len(times))
    page = pages.open(f"#streams={one},{two}&last=5m")
    wait_for_points(page, two, len(times))
    page.locator(".chart-area").hover()
    page.wait_for_selector(".cursor-time")
    until(page, "document.querySelectorAll('.chip-value')[1].innerText.startsWith('7.5')")


def test_texts_stand_in_a_table_and_not_on_the_chart(site: Any, pages: Any) -> None:
    id_ = site.enrol_text("sensor", "boot")
    last = site.fill(site.enrol("sensor", "value"), 5)[-1]
    site.keep_texts(id_, [last - SECOND, last], ["cold start", '{"reason": "<b>watchdog</b>"}'])
    page = pages.open(f"#streams={id_}&last=5m")
    expect(page.locator(".events td.text")).to_have_text(
        ['{"reason": "<b>watchdog</b>"}', "cold start"]
    )
    expect(page.locator(".panel")).to_have_count(0)
    wait_for_link(page)
    site.keep_texts(id_, [last + SECOND // 2], ["warm start"])
    page.get_by_text("warm start").first.wait_for()


def test_texts_are_there_also_when_the_page_learns_late_that_they_are_texts(
    site: Any, pages: Any
) -> None:
    last = site.fill(site.enrol("sensor", "value"), 5)[-1]
    page = pages.open()
    page.wait_for_selector("button.stream")
    held: list[Any] | None = []

    def hold(route: Any) -> None:
        if held is None:
            route.fallback()
        else:
            held.append(route)

    page.route("**/datastreams?*", hold)
    id_ = site.enrol_text("sensor", "boot")
    site.keep_texts(id_, [last - 60 * SECOND, last - 30 * SECOND], ["cold start", "warm start"])

    page.evaluate(f"penstock.app.set({{ picked: [{id_}] }})")
    trace = f"penstock.chart.traces.get({id_})"
    # The history was read and joined to the stream; the newest row alone comes with the stream.
    until(page, f"{trace}?.seam > 0 && {trace}.seam < Infinity && !{trace}.isBehind")
    let_go, held = held, None
    for route in let_go:
        route.fallback()

    page.locator(".events td.text").get_by_text("cold start").wait_for()


def test_an_empty_stretch_offers_the_way_to_the_data(site: Any, pages: Any) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    old = site.fill(id_, 10)[0] - 86_400 * SECOND * 30
    other = site.enrol("boiler", "pressure", "bar")
    site.keep(other, [old], [1.0])
    page = pages.open(f"#streams={other}&last=5m")
    page.get_by_role("button", name="Go there").click()
    until(page, f"penstock.points({other})[0].length === 1")


@pytest.mark.parametrize(
    ("label", "begins"),
    [("CSV", b"datastream"), ("Parquet", b"PAR1"), ("Arrow", b"\xff\xff\xff\xff")],
)
def test_what_is_shown_can_be_downloaded(site: Any, pages: Any, label: str, begins: bytes) -> None:
    id_ = site.enrol("boiler", "temperature", "°C")
    site.fill(id_, 30)
    page = pages.open(f"#streams={id_}&last=1m")
    page.wait_for_selector(".chip")
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {label}").click()
    content = download.value.path().read_bytes()
    assert content.replace(b'"', b"").startswith(begins)


def test_a_single_observation_is_a_dot(site: Any, pages: Any) -> None:
    id_ = site.enrol("oven", "first", "°C")
    now = site.fill(id_, 1)[0]
    since, until_ = iso(now - 60 * SECOND), iso(now + 60 * SECOND)
    page = pages.open(f"#streams={id_}&from={since}&to={until_}")
    wait_for_points(page, id_, 1)
    until(page, f"({INK})(0.5) > 0 || ({INK})(0.498) > 0")


def test_a_long_pause_is_a_gap_also_when_one_observation_is_near(site: Any, pages: Any) -> None:
    id_ = site.enrol("pump", "pressure", "bar")
    now = site.fill(id_, 1)[0]
    months_ago = now - 90 * 86_400 * SECOND
    site.keep(id_, [months_ago + at * SECOND for at in range(30)], [3.0] * 30)
    # The rest of the stretch is empty; a line from three months ago would cross it.
    page = pages.open(f"#streams={id_}&from={iso(now - 600 * SECOND)}&to={iso(now + 60 * SECOND)}")
    until(page, f"penstock.points({id_})[0].includes({now})")
    until(page, f"penstock.points({id_})[0].length > 8")
    until(page, f"{WIDE_INK}(0.8, 1) > 0 && {WIDE_INK}(0, 0.8) === 0")


def test_a_slow_series_keeps_its_line(site: Any, pages: Any) -> None:
    id_ = site.enrol("meter", "energy", "kWh")
    day = 86_400 * SECOND
    now = site.fill(id_, 1)[0]
    site.keep(id_, [now - at * day for at in range(10, 0, -1)], [20.0] * 10)
    begin, end = iso(now - 900 * SECOND), iso(now + 30 * SECOND)
    page = pages.open(f"#streams={id_}&from={begin}&to={end}")
    until(page, f"penstock.points({id_})[0].length > 8")
    until(page, f"({INK})(0.5) > 0")
    # Of the points before the stretch the line needs one, and no more are drawn.
    drawn = f"penstock.chart.traces.get({id_}).parts({now - 900 * SECOND}, {now})"
    shows(page, f"{drawn}.reduce((sum, part) => sum + part.end - part.start, 0)", 2)


def test_a_lone_observation_on_the_right_edge_is_seen_whole(site: Any, pages: Any) -> None:
    id_ = site.enrol("oven", "first", "°C")
    now = site.fill(id_, 1)[0]
    begin, end = iso(now - 60 * SECOND), iso(now + SECOND // 100)
    page = pages.open(f"#streams={id_}&from={begin}&to={end}")
    until(page, f"{WIDE_INK}(0.99, 1) > 0")
    until(page, f"{WIDE_INK}(1, 1.01) > 0")
