"""Alarms from end to end: numbers in over HTTP, rules beside them, people told, and backtests."""

from __future__ import annotations

import contextlib
import json
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.alarms.living import PRESENT, Caller, eventually, now_us
from tests.alarms.receivers import WebhookReceiver, webhook
from tests.api.live_house import LiveHouse
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.core.catalog import Policy
from penstock.core.observation import observations
from penstock.core.series import Series

STOPPED = f"""-- alarm: {{hall}}-stopped
-- severity: low
{PRESENT}SELECT time, thing, result FROM observations
WHERE name LIKE '{{hall}}/%.speed' AND result < 1
"""
FLOW = f"""-- alarm: {{hall}}-no-flow
-- severity: high
-- suppressed-by: {{hall}}-stopped
-- suppressed-on: thing
-- message: {{{{thing}}}} has no flow
{PRESENT}SELECT time, thing, result FROM observations
WHERE name LIKE '{{hall}}/%.flow' AND result < 5
"""


def told(receiver: WebhookReceiver) -> list[tuple[str, str, str]]:
    """Return event, rule and subject of what was told, once each."""
    found = {}
    for headers, body in list(receiver.got):
        said = json.loads(body)
        if said["alarm"] is not None:
            alarm = said["alarm"]
            found[headers["Penstock-Delivery"]] = (said["event"], alarm["rule"], alarm["subject"])
    return list(found.values())


def test_while_the_plant_stands_nobody_is_told_and_afterwards_of_what_is_still_so(
    ask: Caller,
) -> None:
    with webhook() as receiver:
        target = {"name": "shift", "kind": "webhook", "address": receiver.url, "severity": "high"}
        target_id = ask("POST", "/notification-targets", 201, json=target)["id"]
        # In a file a rule may come before the one that suppresses it.
        made = ask.rules(FLOW.format(hall="north") + "\n" + STOPPED.format(hall="north"))
        ids = {one["spec"]["name"]: one["id"] for one in made}
        begin_us = now_us()
        ask.send("north/a", "speed", (begin_us, 0))
        eventually(lambda: [a["state"] for a in ask.alarms("north-stopped")] == ["unacknowledged"])
        rule = ask("GET", f"/alarm-rules/{ids['north-no-flow']}")
        assert rule["suppressing"] == ["north-stopped"]

        # Of the pump that stands nobody is told, of the other one they are.
        ask.send("north/a", "flow", (now_us(), 1))
        ask.send("north/b", "flow", (now_us(), 2))
        eventually(lambda: len(ask.alarms("north-no-flow")) == 2)
        modes = {one["subject"]: one["mode"] for one in ask.alarms("north-no-flow")}
        assert modes == {"north/a": "suppressed", "north/b": "normal"}
        assert [one["subject"] for one in ask.alarms(mode="suppressed")] == ["north/a"]
        receiver.wait(1)
        assert told(receiver) == [("raise", "north-no-flow", "north/b")]

        # It runs again, and there is still no flow.
        middle_us = now_us()
        ask.send("north/a", "speed", (middle_us, 9))
        receiver.wait(2)
        assert told(receiver)[1] == ("raise", "north-no-flow", "north/a")
        (alarm,) = ask.alarms("north-no-flow", search="north/a")
        assert alarm["mode"] == "normal"
        ask("POST", f"/alarms/{alarm['id']}/acknowledge", json={"comment": "I go there"})
        end_us = now_us()
        ask.send("north/a", "flow", (end_us, 9))
        eventually(lambda: ask.alarms("north-no-flow", search="north/a")[0]["state"] == "normal")
        shown = ask("GET", f"/alarms/{alarm['id']}")
        happened = [(one["act"], one["comment"]) for one in shown["events"][::-1]]
        assert [act for act, _ in happened] == [
            "raise", "suppress", "unsuppress", "acknowledge", "return",
        ]  # fmt: skip
        (stopped,) = ask.alarms("north-stopped")
        why = f"while north-stopped is active (alarm {stopped['id']}: north/a)"
        assert happened[1][1] == why
        assert happened[2][1] == "north-stopped is not active any more"

        # The backtest finds the same, and when it was suppressed.
        done = ask.backtest(ids["north-no-flow"], begin_us, now_us() + 1)
        episodes = {one["subject"]: one for one in done["episodes"]}
        (span,) = shown["activations"]
        assert episodes["north/a"]["span"] == {
            **span,
            "values": episodes["north/a"]["span"]["values"],
        }
        assert episodes["north/a"]["suppressed"] == [[span["raised_us"], middle_us]]
        assert episodes["north/b"]["suppressed"] == []
        assert (done["count"], done["told"]) == (2, 2)
        assert done["suppressed_s"] == pytest.approx((middle_us - span["raised_us"]) / 1e6)
        ask("DELETE", f"/notification-targets/{target_id}", 204)


def test_an_episode_within_the_standstill_is_told_to_nobody(ask: Caller) -> None:
    flow, stopped = ask.rules(FLOW.format(hall="south") + STOPPED.format(hall="south"))[::-1]
    assert flow["spec"]["name"] == "south-no-flow"
    at = now_us() - 3_600_000_000
    speeds = [(at, 9.0), (at + 10, 0.0), (at + 60, 9.0)]
    flows = [(at, 9.0), (at + 20, 1.0), (at + 40, 9.0), (at + 50, 1.0), (at + 70, 9.0)]
    ask.send("south/a", "speed", *speeds)
    ask.send("south/a", "flow", *flows)
    # A datastream that is new is seen a few seconds later.
    eventually(lambda: ask.backtest(flow["id"], at - 1, at + 1000)["count"] == 2)
    done = ask.backtest(flow["id"], at - 1, at + 1000)
    found = [
        (one["span"]["raised_us"] - at, one["suppressed"] and one["suppressed"][0][1] - at,
         one["is_told"])
        for one in done["episodes"]
    ]  # fmt: skip
    assert found == [(20, 40, False), (50, 60, True)]
    assert (done["count"], done["told"]) == (2, 1)
    ask("PUT", f"/alarm-rules/{stopped['id']}/mode", json={"mode": "out of service", "reason": "x"})
    done = ask.backtest(flow["id"], at - 1, at + 1000)
    assert [one["suppressed"] for one in done["episodes"]] == [[], []]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("-- suppressed-by: nobody\n", "no rule 'nobody'; others of it: "),
        ("-- suppressed-by: wrong\n", "wrong by wrong: rules that suppress one another"),
        ("-- suppressed-on: thing\n", "needs `suppressed-by`"),
        ("-- suppressed-by: a-stopped\n-- suppressed-on: hall\n", "has no column 'hall'; it has"),
    ],
)
def test_suppression_that_cannot_be_is_refused(ask: Caller, header: str, message: str) -> None:
    ask.rules(STOPPED.format(hall="a"))
    text = (
        f"-- alarm: wrong\n{header}SELECT time, thing, result FROM observations WHERE result > 1\n"
    )
    assert message in ask.rules(text, 400)


def test_of_a_text_with_a_mistake_nothing_is_kept(ask: Caller) -> None:
    before = ask("GET", "/alarm-rules/export")
    right = "-- alarm: right\nSELECT time, result FROM observations WHERE result > 1\n"
    wrong = right.replace("right", "wrong").replace("result FROM", "reslt FROM")
    assert "alarm rule 'wrong'" in ask.rules(right + wrong, 400)
    assert "two rules 'right'" in ask.rules(right + right, 400)
    assert ask("GET", "/alarm-rules/export") == before


def test_rules_that_need_each_other_stay_as_they_are(ask: Caller) -> None:
    rules = ask.rules(STOPPED.format(hall="b") + FLOW.format(hall="b"))
    ids = {one["spec"]["name"]: one["id"] for one in rules}
    path = f"/alarm-rules/{ids['b-stopped']}"
    refused = ask("DELETE", path, 409)["error"]["message"]
    assert refused == "b-stopped suppresses b-no-flow; change `suppressed-by` there first"
    spec = ask("GET", path)["spec"]
    ask("PUT", path, 409, json={**spec, "name": "other"})
    ring = ask("PUT", path, 400, json={**spec, "suppressed_by": ["b-no-flow"]})
    assert "b-stopped by b-no-flow by b-stopped" in ring["error"]["message"]
    text = ask("GET", f"/alarm-rules/{ids['b-no-flow']}?format=text")
    assert "-- suppressed-by: b-stopped\n-- suppressed-on: thing\n" in text


def test_a_whole_rule_is_suppressed_by_somebody_and_its_alarm_tells_so(ask: Caller) -> None:
    (rule,) = ask.rules(f"-- alarm: whole\n{PRESENT}SELECT time, thing, result FROM observations "
                        "WHERE name = 'whole/a.x' AND result > 1\n")  # fmt: skip
    ask.send("whole/a", "x", (now_us(), 2))
    eventually(lambda: ask.alarms("whole"))
    path = f"/alarm-rules/{rule['id']}/mode"
    ask("PUT", path, 400, json={"mode": "suppressed"})
    ask("PUT", path, json={"mode": "suppressed", "reason": "The plant stands"})
    assert ask.alarms("whole")[0]["mode"] == "suppressed"
    ask("PUT", path, json={"mode": "out of service", "reason": "Mended"})
    ask("PUT", path, json={"mode": "normal"})
    shown = ask("GET", f"/alarms/{ask.alarms('whole')[0]['id']}")
    happened = [(one["act"], one["comment"]) for one in shown["events"][::-1]]
    assert happened[1:3] == [("suppress", "The plant stands"), ("out of service", "Mended")]
    assert happened[3][0] == "in service"


PROOF = f"""-- alarm: proof-hot
-- hold: 300 ms
-- off-delay: 200 ms
-- clear: result < 40
-- flapping: 0
{PRESENT}SELECT time, name, result FROM observations WHERE name LIKE 'proof/%' AND result > 60

-- alarm: proof-mean
-- flapping: 0
{PRESENT}SELECT window_start, window_end, name, AVG(result) AS mean
FROM TABLE(TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '1' SECOND))
WHERE name LIKE 'proof/%'
GROUP BY window_start, window_end, name
HAVING AVG(result) > 50

-- alarm: proof-every
-- off-delay: 250 ms
-- flapping: 0
{PRESENT}SELECT time, name, result FROM observations WHERE name LIKE 'proof/%'

-- alarm: proof-silent
-- absent: 400 ms
-- flapping: 0
{PRESENT}SELECT time, name FROM observations WHERE name LIKE 'proof/%'
"""


def test_a_backtest_finds_exactly_what_ran_live_also_with_late_rows(ask: Caller) -> None:
    chance = random.Random(1)
    ids = {one["spec"]["name"]: one["id"] for one in ask.rules(PROOF)}
    begin_us = now_us() + 100_000
    rows = [
        (begin_us + at * 50_000 + chance.randrange(40_000), stream, chance.randrange(100))
        for at in range(80)
        for stream in "abc"
        if chance.random() < 0.4
    ]
    # Mostly in order; some come after what is up to two seconds newer.
    rows.sort(key=lambda row: row[0] + (chance.random() < 0.2) * chance.randrange(2_000_000))
    for time_us, stream, value in rows:
        body = {"timestamp": time_us, "x": value}
        ask("POST", f"/messages/proof/{stream}", 201, json=body)
    until_us = begin_us + 5_000_000
    for stream in "abc":
        ask.send(f"proof/{stream}", "x", (until_us + 2_000_000, 0.0))

    def is_through() -> bool:
        found = [ask("GET", f"/alarm-rules/{id_}")["run"] for id_ in ids.values()]
        return all((run["watermark_us"] or 0) > until_us + 500_000 for run in found)

    eventually(is_through)
    for name, id_ in ids.items():
        done = ask.backtest(id_, begin_us - 2_000_000, until_us)
        expected = sorted(spans_of(one["key"], one["span"], until_us) for one in done["episodes"])
        assert expected, name
        # Of late rows within a run it is not known whether they came before.
        parts = 4 if name.endswith("every") else 5
        expected = [one[:parts] for one in expected]

        def live(id_: int = id_, parts: int = parts) -> list[tuple[Any, ...]]:
            return [one[:parts] for one in live_spans(ask, id_, until_us)]

        with contextlib.suppress(pytest.fail.Exception):
            eventually(lambda live=live, expected=expected: live() == expected)
        assert live() == expected, name


def live_spans(ask: Caller, rule: int, until_us: int) -> list[tuple[Any, ...]]:
    """Return the activations of a rule as far as they began before a time."""
    alarms = ask("GET", "/alarms", params={"all": "true", "rule": rule, "limit": 1000})["items"]
    return sorted(
        spans_of(alarm["key"], span, until_us)
        for alarm in alarms
        for span in ask("GET", f"/alarms/{alarm['id']}")["activations"]
        if span["raised_us"] < until_us
    )


def spans_of(key: str, span: Any, until_us: int) -> tuple[Any, ...]:
    cleared_us = span["cleared_us"]
    is_over = cleared_us is not None and cleared_us < until_us
    end = cleared_us if is_over else None
    return (key, span["start_us"], span["raised_us"], end or 0, span["occurrences"])


def cancelled(ask: Caller, rule: int, span: dict[str, str]) -> tuple[str, Any]:
    """Begin a backtest and cancel it on its way; again when it was faster than we could ask."""
    for _ in range(20):
        begun = ask("POST", f"/alarm-rules/{rule}/backtest", 202, json=span)
        path = f"/alarm-rules/backtests/{begun['id']}"
        shares, state = [0.0], "running"
        while shares[-1] < 0.1 and state == "running":
            found = ask("GET", path)
            state = found["state"]
            shares.append(found["progress"])
        assert shares == sorted(shares)
        left = ask("DELETE", path)
        if left["state"] != "done":
            return path, left
    pytest.fail("every backtest was done before it could be cancelled")


def test_a_backtest_tells_how_far_it_is_and_ends_when_it_is_cancelled(
    ask: Caller, house: LiveHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    (rule,) = ask.rules("-- alarm: long\nSELECT time, name, result FROM observations\n"
                        "WHERE name = 'long.x' AND result > 0.5\n")  # fmt: skip
    series = Series(thing="long", name="x")
    (answer,) = house.hub.catalog.enrol([series], Policy.AUTOMATIC, now_us())
    assert answer.datastream
    count, step = 400_000, 1_000
    first = now_us() - count * step
    times = np.arange(count) * step + first
    batch = observations([answer.datastream] * count, times.tolist(), (times // step % 2).tolist())
    house.hub.store.append(batch)
    eventually(lambda: ask.backtest(rule["id"], first, first + 10 * step)["count"] == 5)
    rng = {"from": str(first), "to": str(first + count * step)}
    path, left = cancelled(ask, rule["id"], rng)
    assert left["state"] == "cancelled"
    assert 0.1 <= left["progress"] < 1
    assert 0 < left["rows"] < count
    assert abs(left["ended_us"] - now_us()) < 600e6
    # There is one worker: the next one runs as soon as the one that was cancelled has ended.
    done = ask.backtest(rule["id"], first, first + 1000 * step)
    assert (done["rows"], done["count"]) == (1000, 500)
    # It stays as it was when it was cancelled; one that is done cannot be cancelled any more.
    assert (ask("GET", path), ask("DELETE", path)) == (left, left)
    assert ask("DELETE", f"/alarm-rules/backtests/{done['id']}")["state"] == "done"

    def leave(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("penstock.cli.alarm_rules.time", SimpleNamespace(sleep=leave))
    words = ["alarm-rules", "backtest", "long", "--from", rng["from"], "--to", rng["to"]]
    typed = CliRunner().invoke(app, words, env={"PENSTOCK_URL": house.url})
    assert typed.exit_code == 130, typed.output
    assert "Cancelled at " in typed.output


def test_a_check_tells_where_a_mistake_is_in_the_sql_as_it_was_written(ask: Caller) -> None:
    def check(text: str, status: int = 400) -> Any:
        plain = {"Content-Type": "text/plain"}
        return ask("POST", "/alarm-rules/check", status, data=text.encode(), headers=plain)

    sql = "SELECT time, thing, result\nFROM observations WHERE resul > 80\n"
    rule = f"-- alarm: checked\n-- clear: result < 75\n{sql}"
    at = {"line": 2, "column": 25}
    assert at.items() <= check(rule)["error"].items()
    body = {"rule": {"name": "checked", "sql": sql}, "from": "now-1h"}
    told = ask("POST", "/alarm-rules/backtests", 400, json=body)["error"]
    assert at.items() <= told.items()
    # What is wrong in a condition of the header has no place in the SQL.
    right = rule.replace("resul >", "result >")
    wrong = check(right.replace("result < 75", "resul < 75"))["error"]
    assert wrong["message"].startswith("clear: ")
    assert "line" not in wrong
    assert check(right, 204) == ""
    assert not [
        one for one in ask("GET", "/alarm-rules")["items"] if one["spec"]["name"] == "checked"
    ]
