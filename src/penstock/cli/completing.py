"""Names that the shell completes, asked from the running Penstock; silent when it is away."""

from __future__ import annotations

import os

#: Names offered at most.
MOST = 50


def device_names(incomplete: str) -> list[str]:
    """Return names of devices that begin with what was typed."""
    from penstock.cli.hub import DEFAULT_URL, ask
    from penstock.core.errors import PenstockError

    url = os.environ.get("PENSTOCK_URL", DEFAULT_URL)
    try:
        page = ask("GET", url, "/devices", search=incomplete, limit=MOST)
    except PenstockError:
        return []
    return [one["name"] for one in page["items"] if one["name"].startswith(incomplete)]
