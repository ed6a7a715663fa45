"""Temperature in Seattle, every hour of 2010, from a CSV file that writes times in its own way.

    python examples/seattle_weather.py [http://127.0.0.1:8080]

The recording comes with vega_datasets (NOAA).
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx


def data_file() -> Path:
    """Find the file; the package itself is not imported."""
    spec = find_spec("vega_datasets")
    if spec is None or spec.origin is None:
        sys.exit("please install the recordings: see examples/README.md")
    return Path(spec.origin).parent / "_data" / "seattle-temps.csv"


def main(url: str = "http://127.0.0.1:8080") -> None:
    """Import the recording and print the range of every month."""
    command = [sys.executable, "-m", "penstock.cli.main", "import", str(data_file())]
    command += ["--url", url, "--thing-name", "Seattle", "--value", "temp=temperature"]
    command += ["--unit", "temperature=degF", "--time-format", "%Y/%m/%d %H:%M"]
    subprocess.run(command, check=True)

    found = httpx.get(f"{url}/api/v1/datastreams", params={"thing": "Seattle"})
    datastream = found.raise_for_status().json()["items"][0]["id"]
    for month in range(1, 13):
        until = f"{2010 + month // 12}-{month % 12 + 1:02d}-01T00:00:00Z"
        rows = httpx.get(
            f"{url}/api/v1/datastreams/{datastream}/observations",
            params={"start": f"2010-{month:02d}-01T00:00:00Z", "end": until, "limit": 1000},
        )
        numbers = rows.raise_for_status().json()["number"]
        print(f"2010-{month:02d}: {min(numbers):.1f} to {max(numbers):.1f} degF")


if __name__ == "__main__":
    main(*sys.argv[1:2])
