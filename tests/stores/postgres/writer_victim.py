"""Appends batches until it is killed, and says of each that it was kept."""

import sys

from penstock.core.observation import observations
from penstock.stores.postgres import PostgresStore

#: Rows of a batch.
ROWS = 50
SECOND = 1_000_000


def main(url: str) -> None:
    """Go on from where the store stands: batch n holds the seconds from n on, and replaces some."""
    store = PostgresStore.open(url)
    number = store.marks.get("door", 0)
    while True:
        times = [(number + row) * SECOND for row in range(ROWS)]
        batch = observations([1 + row % 3 for row in range(ROWS)], times, [float(number)] * ROWS)
        number += 1
        store.append(batch, {"door": number})
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
