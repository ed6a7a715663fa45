"""The examples run, and what they imported is in the store exactly as it was recorded."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from typer.testing import CliRunner

from penstock.cli.main import app

ROOT = Path(__file__).parents[2]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def package(name: str) -> Path:
    return Path(find_spec(name).origin).parent


def microseconds(moment: datetime) -> int:
    return (moment.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def sea() -> list[tuple[int, float]]:
    path = package("bokeh_sampledata") / "_data" / "sea_surface_temperature.csv.gz"
    rows = csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))
    next(rows)
    found = {microseconds(datetime.fromisoformat(time[:19])): float(value) for time, value in rows}
    return sorted(found.items())


def test_sea_temperature_also_when_imported_twice(platform, run_example):
    for _ in range(2):
        printed = run_example("sea_temperature.py")
        assert platform.rows("Gulf of Maine", "temperature") == sea()
        assert "coldest day: 2017-03-19 with 3.7 °C" in printed
        assert "warmest day: 2016-07-30 with 21.0" in printed


def test_seattle_weather(platform, run_example):
    printed = run_example("seattle_weather.py")
    path = package("vega_datasets") / "_data" / "seattle-temps.csv"
    rows = csv.DictReader(path.read_text().splitlines())
    expected = [
        (microseconds(datetime.strptime(row["date"], "%Y/%m/%d %H:%M")), float(row["temp"]))  # noqa: DTZ007
        for row in rows
    ]
    assert platform.rows("Seattle", "temperature") == expected
    assert len(expected) == 8759
    assert len(printed.splitlines()) >= 12


def test_motion_sensors(platform, run_example):
    printed = run_example("motion_sensors.py")
    folder = package("sktime") / "datasets" / "data" / "BasicMotions"
    lines = (folder / "BasicMotions_TRAIN.ts").read_text().splitlines()
    takes = [line.split(":") for line in lines if line and line[0] not in "#@"]
    start = microseconds(datetime(2016, 3, 1))  # noqa: DTZ001
    for watch in range(4):
        for at, channel in enumerate(("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")):
            expected = [
                (start + number * 60_000_000 + sample * 100_000, float(value))
                for number, take in enumerate(takes)
                if number % 4 == watch
                for sample, value in enumerate(take[at].split(","))
            ]
            assert platform.rows(f"watch-{watch + 1}", channel) == expected
    did = [text for _, text in platform.rows("watch-1", "activity")]
    assert did == [take[-1] for take in takes[::4] for _ in range(100)]
    assert "watch-4: Badminton" in printed


def test_seismometer(platform, run_example):
    printed = run_example("seismometer.py")
    folder = package("obspy") / "signal" / "tests" / "data"
    lengths = {}
    for path in sorted(folder.glob("BW.UH*.cut.slist.gz")):
        head, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        _, station, _, channel, *_ = path.name.split(".")
        fields = [field.strip() for field in head.split(",")]
        begin = microseconds(datetime.fromisoformat(fields[3]))
        step = 1_000_000 // int(fields[2].split()[0])
        counts = [float(count) for line in lines for count in line.split()]
        expected = [(begin + step * number, count) for number, count in enumerate(counts)]
        assert platform.rows(station, channel) == expected
        lengths[station, channel] = len(expected)
    assert len(lengths) == 6
    assert sum(lengths.values()) == 5 * 11_517 + 23_033
    assert printed.count(" counts at 2010-05-27T16:2") == 6


def test_every_example_is_listed_and_tested():
    names = {path.name for path in (ROOT / "examples").glob("*.py")}
    readme = (ROOT / "examples" / "README.md").read_text()
    tests = Path(__file__).read_text()
    for name in names:
        assert f"[{name}]({name})" in readme
        assert f'run_example("{name}")' in tests


def test_dry_run_says_what_would_be_imported():
    path = package("vega_datasets") / "_data" / "seattle-weather.csv"
    result = CliRunner().invoke(app, ["import", str(path), "--dry-run", "--unit", "wind=m/s"])
    assert result.exit_code == 0, result.output
    assert "time: date" in result.output
    assert "value: wind (number, unit m/s)" in result.output
    assert "left out, texts: weather" in result.output
    assert "5,844 observations of 1 thing from 2012-01-01T00:00:00.000000Z" in result.output
