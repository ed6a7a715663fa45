"""What an analyst does in a notebook: find, read, downsample, follow."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.client.conftest import Platform, wait_until

from penstock.client import Client, Observation, Quantity, Unit
from penstock.client.reading import when
from penstock.core.errors import InvalidInput, MissingDependency, NotFound

#: Starting a platform may take a minute on a machine with much else to do.
pytestmark = pytest.mark.timeout(400)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN_US = 1_767_225_600_000_000


@pytest.fixture(scope="module")
def analyst(platform: Platform) -> Iterator[Client]:
    """A client, and a attic with an hour of temperature and humidity each second, and words."""
    with Client(platform.url) as client:
        celsius = Unit("degree Celsius", "°C", "http://qudt.org/vocab/unit/DEG_C")
        client.register(
            [
                Quantity("temperature", "Attic", celsius, sensor="PT100", location=(13.0, 47.8)),
                Quantity("humidity", "Attic", "%"),
                Quantity("sky", "Attic", observation_type="Category"),
                Quantity("empty", "Attic", "m"),
            ]
        )
        times = [BEGIN_US + second * 1_000_000 for second in range(3600)]
        client.produce_many("temperature", [second / 10 for second in range(3600)], times)
        client.produce_many("humidity", [50 + second % 2 for second in range(3600)], times)
        client.produce("sky", "clear", BEGIN)
        client.produce("sky", "cloudy", BEGIN + timedelta(minutes=1), cover={"low": 3})
        assert client.flush(60)
        names = ["Attic.temperature", "Attic.humidity", "Attic.sky"]
        wait_until(lambda: client.count(names) == 7202, "7202 observations")
        yield client


def test_datastreams_are_found_by_words_with_their_meaning(analyst: Client) -> None:
    [found] = analyst.datastreams("attic PT100 temperature") or analyst.datastreams(
        "attic temperature"
    )
    assert (found.name, found.unit.symbol, found.sensor) == ("Attic.temperature", "°C", "PT100")
    assert found.location == (13.0, 47.8)
    assert len(analyst.datastreams("attic")) == 4
    assert analyst.datastreams("nowhere") == []


def test_observations_are_an_arrow_table_with_time_zone_names_and_units(analyst: Client) -> None:
    table = analyst.observations("Attic.temperature", BEGIN, "2026-01-01T00:10:00Z").arrow()
    assert table.num_rows == 600
    assert table.schema.field("time").type == pa.timestamp("us", tz="UTC")
    assert table.column("number").to_pylist() == [second / 10 for second in range(600)]
    assert set(table.column("name").to_pylist()) == {"Attic.temperature"}
    assert table.schema.field("number").metadata == {b"unit": "°C".encode()}
    assert json.loads(table.schema.metadata[b"units"]) == {"Attic.temperature": "°C"}


def test_names_ids_and_datastreams_mean_the_same(analyst: Client) -> None:
    [stream] = analyst.datastreams("attic humidity")
    end = BEGIN + timedelta(seconds=3)
    for chosen in ("Attic.humidity", "humidity", stream.id, stream, [stream.id, "Attic.humidity"]):
        table = analyst.observations(chosen, BEGIN, end).arrow()
        assert table.column("number").to_pylist() == [50, 51, 50]


def test_buckets_are_read_instead_of_everything(analyst: Client) -> None:
    table = analyst.observations("Attic.temperature", every="10m").arrow()
    assert table.column("count").to_pylist() == [600] * 6
    assert table.column("mean").to_pylist()[0] == pytest.approx(29.95)
    assert table.schema.field("mean").metadata == {b"unit": "°C".encode()}
    part = analyst.observations("Attic.temperature", BEGIN, "2026-01-01T00:15:00Z", every="10m")
    assert part.arrow().column("count").to_pylist() == [600, 300]


def test_many_buckets_are_asked_for_piece_by_piece(
    analyst: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.client.observations._MAX_BUCKETS", 14)
    table = analyst.observations(["Attic.temperature", "Attic.humidity"], every="1m").arrow()
    assert table.num_rows == 120
    assert table.column("count").to_pylist() == [60] * 120
    ids = table.column("datastream").to_pylist()
    pairs = set(zip(ids, table.column("time").to_pylist(), strict=True))
    assert len(pairs) == 120


def test_a_wide_table_has_a_column_each_by_time(analyst: Client) -> None:
    chosen = ["Attic.temperature", "Attic.humidity", "Attic.empty"]
    table = analyst.observations(chosen, BEGIN, BEGIN + timedelta(seconds=2)).arrow(wide=True)
    assert table.column_names == ["time", *chosen]
    assert table.to_pydict()["Attic.temperature"] == [0.0, 0.1]
    assert table.to_pydict()["Attic.humidity"] == [50.0, 51.0]
    assert table.to_pydict()["Attic.empty"] == [None, None]
    assert table.schema.field("Attic.humidity").metadata[b"unit"] == b"%"
    buckets = analyst.observations(chosen[:2], every="1h").arrow(wide=True)
    assert buckets.column("Attic.humidity").to_pylist() == [50.5]


def test_nothing_is_an_empty_table_of_the_same_columns(analyst: Client) -> None:
    full = analyst.observations("Attic.temperature", BEGIN, BEGIN + timedelta(seconds=1)).arrow()
    assert analyst.observations("Attic.empty").arrow().column_names == full.column_names
    assert analyst.observations("Attic.empty").arrow().num_rows == 0
    assert analyst.observations("Attic.empty", every="1m").arrow().num_rows == 0
    assert analyst.observations("Attic.empty").arrow(wide=True).num_rows == 0


def test_rows_and_files_are_read_batch_by_batch(analyst: Client, tmp_path: Path) -> None:
    words = list(analyst.observations("Attic.sky"))
    assert [(row["time"], row["text"]) for row in words] == [
        (BEGIN_US, "clear"),
        (BEGIN_US + 60_000_000, "cloudy"),
    ]
    assert json.loads(words[1]["parameters"]) == {"cover": {"low": 3}}
    everything = analyst.observations(["Attic.temperature", "Attic.humidity"])
    assert everything.to_parquet(tmp_path / "all.parquet") == 7200
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.num_rows == 7200
    assert analyst.observations("Attic.empty").to_parquet(tmp_path / "none.parquet") == 0
    assert pq.read_table(tmp_path / "none.parquet").column_names == table.column_names


def test_latest_and_count_are_typed(analyst: Client) -> None:
    [sky] = analyst.latest("Attic.sky")
    assert (sky.result, sky.time) == ("cloudy", BEGIN + timedelta(minutes=1))
    found = {
        one.datastream.name: one.result
        for one in analyst.latest()
        if one.datastream.thing == "Attic"
    }
    assert found == {"Attic.temperature": 359.9, "Attic.humidity": 51.0, "Attic.sky": "cloudy"}
    assert analyst.count("Attic.sky") == 2
    assert analyst.count(["Attic.temperature", "Attic.humidity"]) == 7200


def test_following_gives_what_is_stored_then_what_is_new_once_also_through_a_restart(
    platform: Platform,
) -> None:
    got: list[Observation] = []
    with Client(platform.url, max_retry_s=0.3) as client:
        client.register([Quantity("open", "Gate", observation_type="Truth"), Quantity("x", "Gate")])
        client.produce("open", True, BEGIN)
        assert client.flush(30)
        wait_until(lambda: client.count("Gate.open") == 1)
        live = client.follow("Gate.open", start=BEGIN)

        def follow() -> None:
            for one in live:
                got.append(one)
                if len(got) == 4:
                    return

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        wait_until(lambda: len(got) == 1)
        client.produce("x", 1.0)
        client.produce("open", False)
        wait_until(lambda: len(got) == 2)
        platform.kill("hub")
        client.produce("open", True)
        client.produce("open", False)
        thread.join(100)
    assert [one.result for one in got] == [True, False, True, False]
    assert [one.time_us for one in got] == sorted({one.time_us for one in got})
    assert {one.datastream.name for one in got} == {"Gate.open"}


def test_a_package_that_is_missing_is_named_with_the_pip_line(
    analyst: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(MissingDependency, match=f"pip install {package}, or use .arrow"):
            getattr(analyst.observations("Attic.sky"), package)()


def test_pandas_frames_have_units_and_the_time_as_index(analyst: Client) -> None:
    import pandas as pd

    some = analyst.observations("Attic.temperature", BEGIN, BEGIN + timedelta(seconds=3))
    frame = some.pandas()
    assert frame.attrs["units"] == {"Attic.temperature": "°C"}
    assert isinstance(frame["time"].dtype, pd.DatetimeTZDtype)
    wide = some.pandas(wide=True)
    assert list(wide["Attic.temperature"]) == [0.0, 0.1, 0.2]
    assert str(wide.index.tz) == "UTC"


def test_polars_frames_have_a_time_zone(analyst: Client) -> None:
    frame = analyst.observations("Attic.sky").polars()
    assert frame["text"].to_list() == ["clear", "cloudy"]
    assert frame.schema["time"].time_zone == "UTC"


def test_what_there_is_not_is_said(analyst: Client) -> None:
    with pytest.raises(NotFound, match=r"no datastream 'Attic\.temprature'"):
        analyst.observations("Attic.temprature")
    with pytest.raises(NotFound, match="no datastream with id 4711"):
        analyst.latest(4711)
    with pytest.raises(InvalidInput, match="'10 sheep' is no length of time"):
        analyst.observations("Attic.sky", every="10 sheep")
    with pytest.raises(InvalidInput, match="timestamp 'yesterday' cannot be read"):
        analyst.observations("Attic.sky", "yesterday")


def test_ranges_are_written_as_people_do() -> None:
    now = BEGIN_US
    assert when("now", now) == now
    assert when("now-1.5h", now) == now - 5_400_000_000
    assert when("2026", 0) == when("2026-01", 0) == when("2026-01-01", 0) == BEGIN_US
    assert when(BEGIN.date(), 0) == when(BEGIN, 0) == when(1_767_225_600, 0) == BEGIN_US
    assert when(None, now) is None
