"""An earthquake at seismometers of the Bavarian network, by way of NDJSON in long form.

    python examples/seismometer.py [http://127.0.0.1:8080]

The recording comes with obspy (27 May 2010, stations UH1 to UH4, 50 and 100 samples per second).
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import httpx


def data_files() -> list[Path]:
    """Find the files; the package itself is not imported."""
    spec = find_spec("obspy")
    if spec is None or spec.origin is None:
        sys.exit("please install the recordings: see examples/README.md")
    folder = Path(spec.origin).parent / "signal" / "tests" / "data"
    return sorted(folder.glob("BW.UH*.cut.slist.gz"))


def samples(text: str) -> Iterator[tuple[int, str, str, float]]:
    """Yield time, station, channel and counts of a trace in SLIST form."""
    head, *lines = text.splitlines()
    name, _, rate, start, *_ = (part.strip() for part in head.split(","))
    station, channel = name.removeprefix("TIMESERIES BW_").split("__")
    since = datetime.fromisoformat(start).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    begin_us = since // timedelta(microseconds=1)
    step_us = 1_000_000 // int(rate.split()[0])
    counts = (count for line in lines for count in line.split())
    for number, count in enumerate(counts):
        yield begin_us + number * step_us, station, channel.removesuffix("_D"), float(count)


def main(url: str = "http://127.0.0.1:8080") -> None:
    """Import the traces and print the largest shaking of each channel."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "earthquake.ndjson"
        with file.open("w") as out:
            for path in data_files():
                for time, station, channel, counts in samples(
                    gzip.decompress(path.read_bytes()).decode()
                ):
                    row = {"time": time, "station": station, "channel": channel, "counts": counts}
                    out.write(json.dumps(row) + "\n")
        command = [sys.executable, "-m", "penstock.cli.main", "import", str(file), "--url", url]
        command += ["--thing", "station", "--name", "channel", "--value", "counts"]
        subprocess.run(command, check=True)

    for station in ("UH1", "UH2", "UH3", "UH4"):
        found = httpx.get(f"{url}/api/v1/datastreams", params={"thing": station})
        for datastream in found.raise_for_status().json()["items"]:
            seconds = httpx.get(
                f"{url}/api/v1/datastreams/{datastream['id']}/observations",
                params={"width": "1s", "agg": "max", "times": "iso"},
            )
            answer = seconds.raise_for_status().json()
            top, when = max(zip(answer["max"], answer["time"], strict=True))
            print(f"{datastream['name']}: {top:.0f} counts at {when}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
