"""Apps from end to end: messages in over HTTP, SQL beside them, derived Datastreams out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import requests
from tests.api.live_house import LiveHouse

from penstock.api import ApiSettings
from penstock.core.errors import InvalidQuery
from penstock.sql.filters import translate
from penstock.sql.language import compile_adhoc

TIMEOUT_S = 60
T0 = 1_700_000_000
MEANS = """\
SELECT window_start, window_end, name, AVG(result) AS mean
FROM TABLE(TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, name"""
QUICK = {"lateness_s": 0.0, "idle_s": 0.5, "start": "beginning"}


class Caller:
    """Asks a house that lives."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v1"

    def __call__(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        response = requests.request(method, self._url + path, timeout=TIMEOUT_S, **more)
        assert response.status_code == status, response.text
        is_json = response.headers.get("content-type", "") == "application/json"
        return response.json() if is_json else response.content

    def send(self, thing: str, *rows: tuple[float, float]) -> None:
        for seconds, value in rows:
            body = {"timestamp": T0 + seconds, "temp": value}
            sent = self("POST", f"/messages/{thing}", 201, json=body)
        path = f"/ingested?offset={sent['offset']}&timeout_s=30"
        assert self("GET", path)["ingested"]

    def sql(self, text: str, status: int = 200, **more: Any) -> Any:
        return self("POST", "/sql", status, json={"sql": text, **more})


def eventually(look: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not look():
        if time.monotonic() > end:
            pytest.fail("it did not come")
        time.sleep(0.05)


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Caller]:
    with LiveHouse(tmp_path, ApiSettings(max_sql_s=30.0)) as house:
        yield Caller(house.url)


def test_an_app_derives_what_a_backtest_gives(ask: Caller) -> None:
    ask.send("site/a", (1, 10.0), (3, 20.0), (12, 40.0))
    app = ask("POST", "/apps", 201, json={"name": "means", "sql": MEANS, **QUICK})
    assert (app["state"], app["version"], app["run"]) == ("stopped", 1, None)
    started = ask("POST", f"/apps/{app['id']}/start")
    assert started["state"] == "started"
    eventually(lambda: len(ask("GET", f"/apps/{app['id']}/datastreams")["datastreams"]) > 0)
    (stream,) = ask("GET", f"/apps/{app['id']}/datastreams")["datastreams"]

    def derived() -> list[float]:
        return list(ask("GET", f"/observations?datastream={stream}")["number"])

    eventually(lambda: derived() == [15.0, 40.0])
    ask.send("site/a", (5, 60.0))
    eventually(lambda: derived() == [30.0, 40.0])
    told = ask("GET", f"/apps/{app['id']}")
    assert told["run"]["repairs"] == 1
    assert told["datastreams"] == 1
    rng = {"from": str(T0 - 100), "to": str(T0 + 100)}
    lines = ask("POST", "/apps/backtest", json={"sql": MEANS, **rng}).splitlines()
    said = [msgspec.json.decode(line) for line in lines]
    assert [name["name"] for name in said[0]["columns"]][-1] == "mean"
    assert [value for line in said for value in line.get("values", [[]])[-1]] == [30.0, 40.0]
    assert said[-1] == {"rows": 2}
    verified = ask("POST", f"/apps/{app['id']}/verify", json=rng)
    assert (verified["rows"], verified["same"], verified["different"]) == (2, 2, 0)


def test_what_is_deleted_is_computed_again(ask: Caller) -> None:
    ask.send("site/a", (1, 10.0), (3, 20.0), (12, 40.0), (13, 50.0), (25, 1.0))
    app = ask("POST", "/apps", 201, json={"name": "means", "sql": MEANS, **QUICK})
    ask("POST", f"/apps/{app['id']}/start")
    eventually(lambda: len(ask("GET", f"/apps/{app['id']}/datastreams")["datastreams"]) > 0)
    (stream,) = ask("GET", f"/apps/{app['id']}/datastreams")["datastreams"]

    def derived() -> list[float]:
        return list(ask("GET", f"/observations?datastream={stream}")["number"])

    eventually(lambda: derived() == [15.0, 45.0, 1.0])
    gone = "?$filter=result eq 20 or result eq 40 or result eq 50"
    (source,) = {d["id"] for d in ask("GET", "/datastreams")["items"]} - {stream}
    ask("DELETE", f"/../../v1.1/Datastreams({source})/Observations{gone}")
    eventually(lambda: derived() == [10.0, 1.0])


def test_what_is_stored_otherwise_is_found(ask: Caller) -> None:
    ask.send("site/a", (1, 10.0), (12, 40.0))
    app = ask("POST", "/apps", 201, json={"name": "means", "sql": MEANS, **QUICK})
    path = f"/apps/{app['id']}"
    rng = {"from": str(T0 - 100), "to": str(T0 + 100)}
    assert "has not run yet" in ask("POST", f"{path}/verify", 409, json=rng)["error"]["message"]
    ask("POST", f"{path}/start")
    eventually(lambda: ask("GET", path)["datastreams"] == 1)
    (stream,) = ask("GET", f"{path}/datastreams")["datastreams"]
    eventually(lambda: len(ask("GET", f"/observations?datastream={stream}")["number"]) == 2)
    ask("POST", f"{path}/stop")
    ask.send("site/b", (1, 5.0))
    # What is seen of the catalog may be some seconds old.
    eventually(lambda: ask("POST", f"{path}/verify", json=rng)["rows"] == 3)
    verified = ask("POST", f"{path}/verify", json=rng)
    assert (verified["same"], verified["different"]) == (2, 1)
    assert verified["examples"][0]["stored"] is None
    assert verified["examples"][0]["computed"] is not None
    # With progress on the way, the same.
    lines = ask("POST", f"{path}/verify", json={**rng, "format": "ndjson"}).splitlines()
    said = [msgspec.json.decode(line) for line in lines]
    assert said[-1] == {"verified": verified}
    assert said[-2] == {"progress": 1.0}


def test_only_what_an_app_was_to_answer_is_compared(ask: Caller) -> None:
    ask.send("site/a", (1, 10.0), (12, 40.0))
    start = "2023-11-14T22:13:30Z"
    assert datetime.fromisoformat(start).timestamp() == T0 + 10
    app = ask("POST", "/apps", 201, json={"name": "m", "sql": MEANS, **QUICK, "start": start})
    path = f"/apps/{app['id']}"
    ask("POST", f"{path}/start")
    eventually(lambda: ask("GET", path)["datastreams"] == 1)
    (stream,) = ask("GET", f"{path}/datastreams")["datastreams"]
    eventually(lambda: ask("GET", f"/observations?datastream={stream}")["number"] == [40.0])
    rng = {"from": str(T0 - 100), "to": str(int(time.time()) + 3600)}
    verified = ask("POST", f"{path}/verify", json=rng)
    assert (verified["rows"], verified["same"], verified["different"]) == (1, 1, 0)
    assert verified["start_us"] == (T0 + 10) * 1_000_000
    assert verified["end_us"] <= time.time() * 1e6
    # What was answered before it was changed is of another query.
    other = {"name": "m", "sql": MEANS.replace("AVG", "COUNT"), **QUICK, "start": start}
    ask("PUT", path, json=other)
    verified = ask("POST", f"{path}/verify", json=rng)
    assert (verified["rows"], verified["different"]) == (0, 0)


def test_filters_of_the_digital_twin_stack_become_queries(ask: Caller) -> None:
    text = "SELECT * FROM fleet.Car1 WHERE result < 30;"
    sql = ask("POST", "/apps/translate", json={"text": text})["sql"]
    assert sql == translate(text)
    ask("POST", "/apps", 201, json={"name": "slow", "sql": sql})
    for wrong in ("SELECT name FROM", "SELECT * FROM a WHERE result < 'x'", "x" * 9000):
        refused = ask("POST", "/apps/translate", 400, json={"text": wrong})
        assert refused["error"]["code"] == "invalid-query"


def test_an_app_is_changed_stopped_and_deleted_with_its_data(ask: Caller) -> None:
    ask.send("site/a", (1, 10.0), (3, 20.0), (12, 40.0))
    spec = {"name": "means", "sql": MEANS, **QUICK}
    app = ask("POST", "/apps", 201, json=spec)
    path = f"/apps/{app['id']}"
    ask("POST", "/apps", 409, json=spec)
    ask("POST", f"{path}/start")
    eventually(lambda: ask("GET", path)["datastreams"] == 1)
    other = {**spec, "sql": MEANS.replace("AVG", "MAX").replace("mean", "most")}
    changed = ask("PUT", f"{path}?version=1", json=other)
    assert changed["version"] == 2
    ask("PUT", f"{path}?version=1", 409, json=spec)
    ask("PUT", path, 400, json={**spec, "name": "others"})
    assert [one["version"] for one in ask("GET", f"{path}/versions")["items"]] == [2, 1]
    ask("POST", f"{path}/stop")
    assert ask("GET", path)["run"] is None
    log = [line["message"] for line in ask("GET", f"{path}/log")["items"]]
    assert log[-1] == "made by anyone"
    assert "started by anyone" in log
    assert log[0] == "stopped by anyone"
    streams = ask("GET", f"{path}/datastreams")["datastreams"]
    ask("DELETE", f"{path}?with_data=true", 204)
    ask("GET", path, 404)
    for stream in streams:
        ask("GET", f"/datastreams/{stream}", 404)


def test_a_wrong_query_is_refused_with_its_place(ask: Caller) -> None:
    wrong = "SELECT time,\n  reslt FROM observations"
    for path, status in (("/apps/explain", 400), ("/apps/backtest", 400)):
        answer = ask("POST", path, status, json={"sql": wrong, **_from(path)})
        assert (answer["error"]["line"], answer["error"]["column"]) == (2, 3)
        assert "result" in answer["error"]["message"]
    refused = ask("POST", "/apps", 400, json={"name": "a", "sql": wrong})
    assert refused["error"]["code"] == "invalid-query"
    assert ask("GET", "/apps")["items"] == []


def _from(path: str) -> dict[str, str]:
    return {"from": "now-1h"} if path.endswith("backtest") else {}


def test_apps_that_read_each_other_in_a_ring_are_refused(ask: Caller) -> None:
    rowwise = "SELECT time, result FROM {} WHERE result > 1"
    a = ask("POST", "/apps", 201, json={"name": "a", "sql": rowwise.format("observations")})
    ask("POST", "/apps", 201, json={"name": "b", "sql": rowwise.format("apps.a")})
    refused = ask(
        "PUT", f"/apps/{a['id']}", 400, json={"name": "a", "sql": rowwise.format("apps.b")}
    )
    assert "a reads b reads a" in refused["error"]["message"]


def test_an_app_that_is_not_there_cannot_be_read(ask: Caller) -> None:
    spec = {"name": "a", "sql": "SELECT time, result FROM apps.nobody"}
    assert "no app `nobody`" in ask("POST", "/apps", 400, json=spec)["error"]["message"]


def test_everything_goes_out_and_in_as_text(ask: Caller) -> None:
    text = f"-- app: means\n-- lateness: 1 min\n\n{MEANS}\n\n-- app: more\n\n" + (
        "SELECT time, mean FROM apps.means\n".replace("mean FROM", "result FROM")
    )
    done = ask("POST", "/apps/import", data=text)
    assert done == {"added": ["means", "more"], "changed": [], "unchanged": [], "started": []}
    out = ask("GET", "/apps/export").decode()
    assert ask("POST", "/apps/import", data=out)["unchanged"] == ["means", "more"]
    wrong = out + "\n-- app: third\n\nSELECT nothing FROM observations\n"
    refused = ask("POST", "/apps/import", 400, data=wrong.replace("1 min", "2 min"))
    assert "app 'third': line 1, column 8" in refused["error"]["message"]
    assert ask("POST", "/apps/import", data=out)["unchanged"] == ["means", "more"]


def test_text_says_what_is_started_and_is_kept_as_a_whole(ask: Caller) -> None:
    text = (
        f"-- app: means\n-- state: started\n\n{MEANS}\n\n-- app: more\n\n"
        "SELECT time, result FROM apps.means\n"
    )
    assert ask("POST", "/apps/import", data=text)["started"] == []
    assert ask("POST", "/apps/import?start=true", data=text)["started"] == ["means"]
    states = {one["spec"]["name"]: one["state"] for one in ask("GET", "/apps")["items"]}
    assert states == {"means": "started", "more": "stopped"}
    text = ask("GET", "/apps/export").decode()
    assert text.count("-- state: started\n") == 1
    # Each alone could be kept; together they would read each other in a ring.
    ring = text.replace("TABLE observations", "TABLE apps.more").replace("-- state: started\n", "")
    refused = ask("POST", "/apps/import", 400, data=ring)
    assert "in a ring" in refused["error"]["message"]
    ring = ring.replace("means", "one").replace("more", "two")
    assert "in a ring" in ask("POST", "/apps/import", 400, data=ring)["error"]["message"]
    assert ask("GET", "/apps/export").decode() == text
    # A running one goes on with what the text says.
    changed = ask("POST", "/apps/import", data=text.replace("AVG", "MAX"))
    assert (changed["changed"], changed["unchanged"]) == (["means"], ["more"])
    (means, _) = ask("GET", "/apps")["items"]
    assert (means["state"], means["version"]) == ("started", 2)
    assert means["run"]["state"] != "failed"


def test_questions_are_answered_in_every_form(ask: Caller) -> None:
    ask.send("site/a", (1, 10.0), (3, 20.0))
    ask.send("site/b", (2, 40.0))
    text = (
        "SELECT name, COUNT(*) AS n, MAX(result) AS most FROM observations "
        "GROUP BY name ORDER BY name"
    )
    answer = ask.sql(text)
    assert answer["values"] == [["site/a.temp", "site/b.temp"], [2, 1], [20.0, 40.0]]
    assert answer["rows"] == 2
    assert [one["name"] for one in answer["columns"]] == ["name", "n", "most"]
    assert len(ask.sql(text, format="ndjson").splitlines()) == 2
    assert ask.sql(text, format="csv").splitlines()[0] == b'"name","n","most"'
    table = pa.ipc.open_stream(ask.sql(text, format="arrow")).read_all()
    assert table.column("n").to_pylist() == [2, 1]
    ask.sql(text, 422, max_rows=1)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT COUNT(*) AS n FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM parquet_scan('/tmp/x')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM query_table('observations')",
        "SELECT getenv('HOME')",
        "SELECT current_setting('memory_limit')",
        "SELECT repeat('x', 2000000000) AS x",
        "SELECT rpad('x', 2000000000, 'y') AS x",
        "SELECT * FROM range(1000000000000)",
        "SELECT unnest(generate_series(1, 1000000000000)) AS x",
        "WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT * FROM t",
        "COPY (SELECT 1) TO '/tmp/x'",
        "COPY observations FROM '/etc/passwd'",
        "ATTACH '/tmp/x.db' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET memory_limit = '100GB'",
        "RESET ALL",
        "CALL pragma_version()",
        "EXPORT DATABASE '/tmp/x'",
        "CREATE TABLE x AS SELECT 1",
        "DROP TABLE observations",
        "DELETE FROM observations",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE observations",
        "EXPLAIN ANALYZE SELECT 1",
        "DESCRIBE observations",
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "",
        "'",
    ],
)  # fmt: skip
def test_hostile_questions_are_refused(text: str) -> None:
    with pytest.raises(InvalidQuery):
        compile_adhoc(text)


def test_a_question_that_explodes_ends(ask: Caller) -> None:
    ask.send("site/a", *((second, 1.0) for second in range(60)))
    joins = ", ".join(f"observations AS o{n}" for n in range(9))
    refused = ask.sql(f"SELECT SUM(o0.result * o8.result) AS x FROM {joins}", 422, timeout_s=1)
    assert refused["error"]["code"] == "too-much"
    assert ask.sql("SELECT COUNT(*) AS n FROM observations")["values"] == [[60]]
