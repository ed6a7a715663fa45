"""Accelerometer and gyroscope of smart watches, ten times per second, by way of Parquet.

    python examples/motion_sensors.py [http://127.0.0.1:8080]

The recording comes with sktime (BasicMotions: forty takes of ten seconds, six channels, and
what the person did). It has no times; the takes are laid one after the other.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import httpx
import pyarrow as pa
from pyarrow import parquet

CHANNELS = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
#: When the first take begins and how far the takes are apart, microseconds.
START_US, TAKE_US, SAMPLE_US = 1_456_790_400_000_000, 60_000_000, 100_000


def data_file() -> Path:
    """Find the file; the package itself is not imported."""
    spec = find_spec("sktime")
    if spec is None or spec.origin is None:
        sys.exit("please install the recordings: see examples/README.md")
    folder = Path(spec.origin).parent / "datasets" / "data" / "BasicMotions"
    return folder / "BasicMotions_TRAIN.ts"


def table(text: str) -> pa.Table:
    """Return one row per sample: time, watch, activity and the channels."""
    columns: dict[str, list[object]] = {name: [] for name in ("time", "watch", "activity")}
    columns |= {channel: [] for channel in CHANNELS}
    takes = [line for line in text.splitlines() if line and line[0] not in "#@"]
    for number, take in enumerate(takes):
        *channels, activity = take.split(":")
        series = [[float(value) for value in channel.split(",")] for channel in channels]
        for at, sample in enumerate(zip(*series, strict=True)):
            columns["time"].append(START_US + number * TAKE_US + at * SAMPLE_US)
            columns["watch"].append(f"watch-{number % 4 + 1}")
            columns["activity"].append(activity)
            for channel, value in zip(CHANNELS, sample, strict=True):
                columns[channel].append(value)
    whole = pa.table(columns)
    times = whole["time"].cast(pa.timestamp("us", "UTC"))
    return whole.set_column(0, "time", times)


def main(url: str = "http://127.0.0.1:8080") -> None:
    """Import the recording and print what each watch saw last."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "motions.parquet"
        parquet.write_table(table(data_file().read_text()), file)
        command = [sys.executable, "-m", "penstock.cli.main", "import", str(file), "--url", url]
        command += ["--thing", "watch", "--value", "activity"]
        for channel in CHANNELS:
            unit = "m/s2" if channel.startswith("acc") else "rad/s"
            command += ["--value", channel, "--unit", f"{channel}={unit}"]
        subprocess.run(command, check=True)

    for number in range(1, 5):
        found = httpx.get(
            f"{url}/api/v1/datastreams", params={"thing": f"watch-{number}", "include": "latest"}
        )
        for datastream in found.raise_for_status().json()["items"]:
            if datastream["name"].endswith("activity"):
                print(f"watch-{number}: {datastream['latest']['text']}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
