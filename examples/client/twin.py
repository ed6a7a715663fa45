"""A digital twin: registers from a file, produces, and consumes what its system sends.

python examples/client/twin.py [http://127.0.0.1:8080]
"""

from __future__ import annotations

import sys
from pathlib import Path

from penstock.client import Client

INSTANCES = Path(__file__).with_name("instances.json")


def main(url: str = "http://127.0.0.1:8080") -> None:
    """Send three results and receive them with their units."""
    with Client(url) as twin:
        twin.register(INSTANCES)
        twin.subscribe("*")
        twin.produce("temperature", 4.5, "2026-01-31T12:00:00+01:00", driver="sue")
        twin.produce("temperature", -1.5, 1769857260)
        twin.produce("braking", True)

        seen = 0
        while seen < 3:
            for message in twin.consume(timeout_s=1.0):
                seen += 1
                print(f"{message.name} = {message.result} {message.unit.symbol}".strip())
                if message.quantity == "temperature" and message.result < 0:
                    print(f"the road at {message.location} could be slippery")


if __name__ == "__main__":
    main(*sys.argv[1:2])
