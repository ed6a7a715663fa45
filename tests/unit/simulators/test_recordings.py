"""Reading recordings: what columns mean, odd rows, all forms of files."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv as pacsv
from pyarrow import parquet

from penstock.core.errors import InvalidInput
from penstock.simulators import record_files
from penstock.simulators.record_values import read_times, read_values, zone_of
from penstock.simulators.recordings import Columns, Recording

NOON = 1_704_110_400_000_000  # 2024-01-01T12:00:00Z


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def rows(recording: Recording):
    """Return (time, thing, name, value) of every value, and bad rows."""
    found, bad = [], []
    for block in recording.blocks():
        bad += [(row.line, row.reason) for row in block.bad]
        for value, cells in block.values:
            names = block.names or pa.repeat(pa.scalar(value.name), len(cells))
            lists = block.time_us.tolist(), block.things.to_pylist(), names.to_pylist()
            found += [
                row for row in zip(*lists, cells.to_pylist(), strict=True) if row[3] is not None
            ]
    return found, bad


def test_columns_are_guessed(tmp_path):
    path = write(
        tmp_path / "lab.csv",
        "station,time (UTC),temperature (celsius),note\nA,2024-01-01T12:00:00Z,4.9,fine\n",
    )
    recording = Recording(path)
    assert recording.time == "time (UTC)"
    assert recording.thing == "station"
    assert recording.left_out == ["note"]
    [value] = recording.values
    assert (value.name, value.unit, value.kind) == ("temperature", "celsius", "number")
    assert rows(recording) == ([(NOON, "A", "temperature", 4.9)], [])


def test_columns_are_as_told(tmp_path):
    path = write(tmp_path / "x.csv", "a,b,c,d\n1704110400,7,rain,true\n")
    found, bad = rows(Recording(path, Columns(time="a", values=("b=level", "c", "d"))))
    assert found == [
        (NOON, "x", "level", 7.0),
        (NOON, "x", "c", "rain"),
        (NOON, "x", "d", 1.0),
    ]
    assert bad == []


def test_units_are_as_told(tmp_path):
    path = write(tmp_path / "x.csv", "time,b,c (V)\n1704110400,7,1\n")
    units = {v.name: v.unit for v in Recording(path, Columns(units=("b=m",))).values}
    assert units == {"b": "m", "c": "V"}
    units = {v.name: v.unit for v in Recording(path, Columns(units=("mm",))).values}
    assert units == {"b": "mm", "c": "mm"}
    with pytest.raises(InvalidInput, match="no value is called 'd'; they are 'b', 'c'"):
        Recording(path, Columns(units=("d=m",)))


def test_one_column_can_name_what_was_measured(tmp_path):
    path = write(
        tmp_path / "long.csv",
        "ts,device,metric,value\n1704110400,a,tmp,1\n1704110401,b,hum,2\n",
    )
    found, bad = rows(Recording(path))
    assert found == [(NOON, "a", "tmp", 1.0), (NOON + 1_000_000, "b", "hum", 2.0)]
    assert bad == []


def test_bad_rows_are_told_with_their_line(tmp_path):
    path = write(
        tmp_path / "x.csv",
        "time,x,y\n"
        "2024-01-01T12:00:00Z,1,a\n"
        "never,2,3\n"
        "2024-01-01T12:00:01Z,zz,4\n"
        "1,2\n"
        "\n"
        "2024-01-01T12:00:02Z,,5\n"
        "2024-01-01T12:00:03Z,inf,1e999\n",
    )
    found, bad = rows(Recording(path))
    assert found == [
        (NOON, "x", "x", 1.0),
        (NOON + 1_000_000, "x", "y", 4.0),
        (NOON + 2_000_000, "x", "y", 5.0),
    ]
    assert [line for line, _ in bad] == [2, 3, 4, 5, 8]
    assert "y: 'a' is not a number" in bad[0][1]
    assert "time: 'never' is not a time" in bad[1][1]
    assert "2 values for 3 columns: '1,2'" in bad[3][1]


def test_lines_are_right_across_parts_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(record_files, "BLOCK_BYTES", 4096)
    lines = [f"{1704110400 + number},{number}" for number in range(5000)]
    for number in (10, 999, 4321):
        lines[number] += "oops"
    lines[2000] = "1,2,3"
    path = write(tmp_path / "x.csv", "\n".join(["time,v", *lines]) + "\n")
    found, bad = rows(Recording(path))
    assert len(found) == 4996
    assert [line for line, _ in bad] == [12, 1001, 2002, 4323]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(tmp_path, delimiter: str):
    text = f"time{delimiter}v\n1704110400{delimiter}1.5\n"
    assert rows(Recording(write(tmp_path / "x.txt", text)))[0] == [(NOON, "x", "v", 1.5)]


def test_compressed_files_are_read(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"time,v\n1704110400,1.5\n"))
    assert rows(Recording(path))[0] == [(NOON, "x", "v", 1.5)]


def test_ndjson_members_of_members_are_columns(tmp_path):
    path = write(
        tmp_path / "x.ndjson",
        '{"ts":1704110400,"d":{"t":1.5,"h":3}}\nnope\n\n{"ts":1704110401000,"d":{"t":null,"h":4}}',
    )
    found, bad = rows(Recording(path))
    assert sorted(found) == [
        (NOON, "x", "d.h", 3.0),
        (NOON, "x", "d.t", 1.5),
        (NOON + 1_000_000, "x", "d.h", 4.0),
    ]
    assert bad == [(2, "not a JSON object: 'nope'")]


def test_ndjson_lines_are_right_across_parts_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(record_files, "BLOCK_BYTES", 1000)
    lines = [json.dumps({"ts": 1704110400 + n, "v": n / 4}) for n in range(500)]
    lines[300] = "["
    found, bad = rows(Recording(write(tmp_path / "x.jsonl", "\n".join(lines))))
    assert [value for *_, value in found] == [n / 4 for n in range(500) if n != 300]
    assert [line for line, _ in bad] == [301]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_keeps_its_types(tmp_path, unit: str):
    table = pa.table(
        {
            "time": pa.array([NOON // 1_000_000 * 1_000_000], pa.timestamp("us", "UTC")).cast(
                pa.timestamp(unit, "UTC")
            ),
            "v": pa.array([0.1]),
            "n": pa.array([3], pa.int16()),
            "ok": pa.array([True]),
            "what": pa.array(["rain"]).dictionary_encode(),
        }
    )
    path = tmp_path / "x.parquet"
    parquet.write_table(table, path)
    found, bad = rows(Recording(path))
    assert found == [(NOON, "x", "v", 0.1), (NOON, "x", "n", 3.0), (NOON, "x", "ok", 1.0)]
    assert bad == []
    found, _ = rows(Recording(path, Columns(values=("what",))))
    assert found == [(NOON, "x", "what", "rain")]


@pytest.mark.parametrize(
    ("text", "time_us"),
    [
        ("2024-01-01T12:00:00Z", NOON),
        ("2024-01-01T14:00:00+02:00", NOON),
        ("2024-01-01 12:00", NOON),
        ("2024-01-01T12:00:00.123456789Z", NOON + 123_456),
        ("2024/01/01 12:00", NOON),
        ("2024-01-01", NOON - 12 * 3_600_000_000),
        ("1704110400", NOON),
        ("1704110400.25", NOON + 250_000),
        ("1704110400000", NOON),
        ("1704110400000001", NOON + 1),
        ("1704110400000001999", NOON + 1),
    ],
)
def test_times_are_read_in_many_forms(text: str, time_us: int):
    times, bad = read_times(pa.array([text]), UTC, None, None)
    assert (times.tolist(), bad) == ([time_us], {})


def test_times_of_a_zone_and_of_a_format():
    vienna = zone_of("Europe/Vienna")
    times, _ = read_times(pa.array(["2024-01-01 13:00"]), vienna, None, None)
    assert times.tolist() == [NOON]
    times, bad = read_times(pa.array(["01.01.2024 12:00", "x"]), UTC, None, "%d.%m.%Y %H:%M")
    assert times[0] == NOON
    assert list(bad) == [1]
    with pytest.raises(InvalidInput, match="time zone 'Vienna' is not known"):
        zone_of("Vienna")


@pytest.mark.parametrize("cell", [10**17, 1e300, -(10**17), "99999999999999999999"])
def test_times_that_are_out_of_this_world_are_bad(cell):
    _, bad = read_times(pa.array([cell]), UTC, "s", None)
    assert list(bad) == [0]
    assert "outside the years" in bad[0]


def test_a_bad_time_among_epochs_is_the_only_bad_one():
    times, bad = read_times(pa.array(["1704110400", "x", "1704110400.5"]), UTC, None, None)
    assert (times[0], times[2], list(bad)) == (NOON, NOON + 500_000, [1])


def test_times_in_a_stated_unit():
    assert read_times(pa.array(["5"]), UTC, "ms", None)[0].tolist() == [5000]
    assert read_times(pa.array([5_000_000]), UTC, "ns", None)[0].tolist() == [5000]


@settings(deadline=None)
@given(st.lists(st.datetimes(), min_size=1, max_size=9))
def test_any_iso_time_is_read_to_the_microsecond(moments):
    texts = [moment.isoformat() for moment in moments]
    times, bad = read_times(pa.array(texts), UTC, None, None)
    since = [moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC) for moment in moments]
    assert bad == {}
    assert times.tolist() == [
        (s.days * 86_400 + s.seconds) * 1_000_000 + s.microseconds for s in since
    ]


@settings(deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_any_number_is_read_exactly(numbers):
    values, bad = read_values(pa.array([repr(number) for number in numbers]), "number")
    assert bad == {}
    assert values.to_pylist() == numbers


@settings(deadline=None)
@given(st.lists(st.text(max_size=8), min_size=1, max_size=20))
def test_any_text_is_a_number_or_missing_or_bad(texts):
    values, bad = read_values(pa.array(texts), "number")
    for row, text in enumerate(texts):
        if row not in bad and values[row].is_valid:
            assert float(text.strip()) == values[row].as_py()
        else:
            assert not values[row].is_valid


@pytest.mark.parametrize("missing", ["", "NA", "NaN", "null", " "])
def test_missing_values_are_no_values(tmp_path, missing: str):
    path = write(tmp_path / "x.csv", f"time,v,w\n1704110400,{missing},1\n")
    assert rows(Recording(path)) == ([(NOON, "x", "w", 1.0)], [])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(time="tim"), r"--time: .* no column 'tim'\. Did you mean 'time'\? Columns are"),
        (Columns(values=("speeed",)), r"--value: .* no column 'speeed'\. Did you mean 'speed'"),
        (Columns(thing="q"), r"--thing: .* Columns are 'time', 'speed', 'note'"),
        (Columns(time="note"), "no row with a time in its first part; line 2: note: 'a'"),
        (Columns(time_unit="h"), "time unit 'h' is not known; it is one of s, ms, us, ns"),
        (Columns(name="note", values=("speed", "time")), "one column must hold the values"),
    ],
)
def test_wrong_columns_are_told_with_those_there_are(tmp_path, columns: Columns, message: str):
    path = write(tmp_path / "x.csv", "time,speed,note\n1704110400,1,a\n")
    with pytest.raises(InvalidInput, match=message):
        list(Recording(path, columns).blocks())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", "", "is empty; the first line must name the columns"),
        ("x.csv", "time,a,a\n1,2,3\n", "more than one column 'a'"),
        ("x.csv", "when,a\n1,2\n", "no column that looks like a time"),
        ("x.csv", "time,a\n1,b\n", "no column with numbers beside 'time'"),
        ("x.dat", "", "is of no known form; name one with --format"),
        ("x.parquet", "nonsense", "is not a parquet file"),
        ("x.ndjson", "nonsense", "no JSON object on its first lines"),
        ("x.csv.gz", "nonsense", "x.csv.gz cannot be read"),
    ],
)
def test_files_that_are_no_recordings_are_refused(tmp_path, name, content, message):
    with pytest.raises(InvalidInput, match=message):
        Recording(write(tmp_path / name, content))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="there is no such file"):
        Recording(tmp_path / "gone.csv")


def test_a_large_csv_file_is_read_like_a_small_one(tmp_path, monkeypatch):
    monkeypatch.setattr(record_files, "BLOCK_BYTES", 10_000)
    random = np.random.default_rng(1)
    count = 20_000
    times = pa.array(NOON + np.arange(count) * 40_000).cast(pa.timestamp("us", "UTC"))
    values = random.normal(size=count)
    path = tmp_path / "big.csv"
    pacsv.write_csv(pa.table({"time": times, "v": values}), path)
    found, bad = rows(Recording(path))
    assert bad == []
    assert [value for *_, value in found] == values.tolist()
    assert [time for time, *_ in found] == (NOON + np.arange(count) * 40_000).tolist()
