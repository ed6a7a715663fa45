"""What docs/formats/lake.md says, read by programs that know only that page."""

import json
import re
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from penstock.core.clock import ManualClock
from penstock.core.observation import observations
from penstock.core.selection import Selection
from penstock.stores.lake import LakeStore
from penstock.stores.settings import LakeSettings
from penstock.testing.store_model import Row, batch_of

PAGE = (Path(__file__).parents[2] / "docs/formats/lake.md").read_text()
HOUR_US = 3_600_000_000


def table_of(heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    store = LakeStore.open(tmp_path, LakeSettings(background=False), ManualClock())
    n = np.arange(40_000)
    store.append(observations(n % 4 + 1, n * 1_000_000, np.round(n / 100, 2)), {"door": 7})
    odd = [
        Row(datastream=9, time_us=1_000_001, number=float("nan")),
        Row(datastream=9, time_us=2_000_002, number=-0.0, text="zero"),
        Row(datastream=9, time_us=3_000_003, number=1 / 3),
        Row(datastream=9, time_us=4_000_004, text="on", parameters='{"a": 1}'),
        Row(datastream=9, time_us=40 * 24 * HOUR_US, number=1e300, feature=3, end_time_us=5),
    ]
    store.append(batch_of(odd))
    store.flush()
    store.append(observations([1], [1_000], [-3.25]))
    store.flush()
    return store


def test_the_sql_on_the_page_gives_the_very_observations(
    lake: LakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sql = PAGE.split("```sql\n")[1].split("```")[0]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        connection.execute(sql).fetchall()
        order = "SELECT * FROM observations ORDER BY time, datastream, feature"
        found = connection.sql(order).to_arrow_table()
    expected = lake.scan(Selection())
    assert found.num_rows == expected.num_rows == 40_006
    for name in expected.column_names:
        one, other = found[name].cast(expected[name].type), expected[name]
        if name == "number":
            one, other = (c.combine_chunks().view("int64") for c in (one, other))
        assert one.to_pylist() == other.to_pylist(), name
    lake.close()


def test_the_manifest_has_the_fields_that_the_page_names(lake: LakeStore, tmp_path: Path) -> None:
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert sorted(table_of("manifest.json")) == sorted(manifest)
    assert manifest["format"] == "penstock-lake"
    assert manifest["marks"] == {"door": 7}
    assert manifest["observations"] == sum(file["rows"] for file in manifest["files"]) == 40_006
    section = PAGE.split("Of each of `files`:")[1].split("\n\n")[0]
    named = re.findall(r"`(\w+)`", section)
    assert sorted(named) == sorted(manifest["files"][0])
    lake.close()


def test_the_files_have_the_columns_that_the_page_names(lake: LakeStore, tmp_path: Path) -> None:
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    for file in manifest["files"]:
        rows = pq.read_table(tmp_path / file["path"])
        assert rows.column_names == table_of("observations")
        assert rows.num_rows == file["rows"]
        keys = rows.select(["datastream", "time", "feature"])
        assert keys.sort_by([(name, "ascending") for name in keys.column_names]) == keys
        assert (tmp_path / file["path"]).stat().st_size == file["bytes"]
        if file["rollup"]:
            rollup = pq.read_table(tmp_path / file["rollup"])
            assert sorted(rollup.column_names) == sorted(table_of("rollups"))
    assert any(file["rollup"] for file in manifest["files"])
    series = pq.read_table(tmp_path / manifest["series"])
    assert {"count", "first_time"} < set(series.column_names)
    lake.close()


def test_decimals_are_kept_as_digits_and_others_as_doubles(lake: LakeStore, tmp_path: Path) -> None:
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    tables = [pq.read_table(tmp_path / file["path"]).to_pylist() for file in manifest["files"]]
    rows = [row for table in tables for row in table]
    assert {row["scale"] for row in rows if row["datastream"] == 1} == {2}
    assert all(row["digits"] is not None for row in rows if row["datastream"] < 9)
    assert all(row["digits"] is None for row in rows if row["datastream"] == 9)
    lake.close()
