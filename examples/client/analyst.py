"""An analyst: finds datastreams and reads them as tables.

python examples/client/analyst.py [http://127.0.0.1:8080]
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from penstock.client import Client, Quantity

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def main(url: str = "http://127.0.0.1:8080") -> None:
    """Make a day of data, find it again, and look at it in three ways."""
    with Client(url) as client:
        client.register(Quantity("level", thing="Tank 7", unit="m"))
        times = [BEGIN + timedelta(minutes=minute) for minute in range(1440)]
        client.produce_many("level", [2 + minute / 1440 for minute in range(1440)], times)
        client.flush()
        while client.count("Tank 7.level") < 1440:
            pass

        # The search also finds what is called alike.
        found = client.datastreams("tank level")
        level = next(one for one in found if one.name == "Tank 7.level")
        hours = client.observations(level, "2026-01-01", "2026-01-02", every="1h").arrow()
        for time, mean in zip(hours["time"][:3], hours["mean"][:3], strict=True):
            print(f"{time}: {mean.as_py():.2f} {level.unit.symbol}")

        frame = client.observations(level).pandas()
        print(f"{len(frame)} rows, {frame['number'].mean():.2f} {frame.attrs['units'][level.name]}")

        [newest] = client.latest(level)
        print(f"newest: {newest.result:.3f} at {newest.time:%H:%M}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
