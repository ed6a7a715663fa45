"""A device that measures: what it produces survives a crash, and days without network.

python examples/client/device.py [http://127.0.0.1:8080]
"""

from __future__ import annotations

import random
import sys
import time

from penstock.client import Client, Quantity


def main(
    url: str = "http://127.0.0.1:8080", folder: str = "device-buffer", readings: int = 20
) -> None:
    """Measure twenty times and wait until the platform has it all."""
    with Client(url, name="roof", buffer=folder) as client:
        client.register(
            [
                Quantity("temperature", thing="Roof", unit="°C", sensor="PT100"),
                Quantity("door open", thing="Roof", observation_type="Truth"),
            ]
        )
        for _ in range(readings):
            client.produce("temperature", round(random.gauss(20, 1), 2))
            client.produce("door open", random.random() < 0.2)
            time.sleep(0.01)
        arrived = client.flush(timeout_s=30)
        status = client.status()
        print(f"{status.acknowledged} results on the platform's disk, {status.waiting} wait")
        print("all arrived" if arrived else f"goes on later: {status.problem}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
