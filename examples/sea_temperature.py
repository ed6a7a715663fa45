"""Sea surface temperature of a year, every half hour, from a packed CSV file.

    python examples/sea_temperature.py [http://127.0.0.1:8080]

The recording comes with bokeh_sampledata (NOAA, Gulf of Maine).
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx


def data_file() -> Path:
    """Find the file; the package itself is not imported."""
    spec = find_spec("bokeh_sampledata")
    if spec is None or spec.origin is None:
        sys.exit("please install the recordings: see examples/README.md")
    return Path(spec.origin).parent / "_data" / "sea_surface_temperature.csv.gz"


def main(url: str = "http://127.0.0.1:8080") -> None:
    """Import the recording and print the coldest and the warmest day."""
    command = [sys.executable, "-m", "penstock.cli.main", "import", str(data_file())]
    command += ["--url", url, "--thing-name", "Gulf of Maine", "--unit", "degC"]
    subprocess.run(command, check=True)

    found = httpx.get(f"{url}/api/v1/datastreams", params={"thing": "Gulf of Maine"})
    datastream = found.raise_for_status().json()["items"][0]
    days = httpx.get(
        f"{url}/api/v1/datastreams/{datastream['id']}/observations",
        params={"width": "1d", "agg": "mean", "times": "iso"},
    )
    answer = days.raise_for_status().json()
    means = sorted(zip(answer["mean"], answer["time"], strict=True))
    print(f"coldest day: {means[0][1][:10]} with {means[0][0]:.1f} {datastream['unit']['symbol']}")
    print(f"warmest day: {means[-1][1][:10]} with {means[-1][0]:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
