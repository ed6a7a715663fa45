"""`penstock audit`: who changed what."""

from __future__ import annotations

from typing import Annotated

import typer

from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask, print_json
from penstock.cli.tables import show, text, time_of


def audit(
    *,
    kind: Annotated[
        str | None, typer.Option(help="Only changes of this kind of object: user, system, ...")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most so many.")] = 50,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show who changed what, newest first."""
    entries = ask("GET", url, "/audit", kind=kind, limit=limit)["items"]
    if as_json:
        print_json(entries)
        return
    show(
        entries,
        [
            ("When (UTC)", time_of("at_us")),
            ("Who", lambda e: f"{e['by']} ({e['address']})" if e["address"] else e["by"]),
            ("Did", "action"),
            ("To", lambda e: f"{e['kind']} {e['name']}".strip()),
            ("What", lambda e: text(e["after"] if e["after"] is not None else e["before"])[:80]),
        ],
        "Nothing was changed yet.",
    )
