"""`penstock sql`: questions about what is stored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.answers import one_answer, picked, save
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask


def sql(
    question: Annotated[str, typer.Argument(help="One SELECT; `-` reads it from input.")],
    *,
    csv: Annotated[Path | None, typer.Option(help="Write CSV to a file; `-` is output.")] = None,
    arrow: Annotated[Path | None, typer.Option(help="Write an Arrow stream to a file.")] = None,
    max_rows: Annotated[int | None, typer.Option(help="Fail if it gives more rows.", min=1)] = None,
    timeout: Annotated[float | None, typer.Option(help="Give up after so many seconds.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Ask in SQL about observations, things, datastreams, units and locations."""
    text = sys.stdin.read() if question == "-" else question
    body: dict[str, Any] = {"sql": text, "max_rows": max_rows, "timeout_s": timeout}
    kind, file = picked(csv, arrow)
    if file is not None:
        save(url, "/sql", {**body, "format": kind}, file)
        return
    one_answer(ask("POST", url, "/sql", body), as_json=as_json)
