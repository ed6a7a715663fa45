"""`penstock observations` and `penstock export`: what was measured, shown or as a file."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from penstock.cli.hub import (
    DEFAULT_URL,
    AsJson,
    Url,
    Yes,
    ask,
    asking_long,
    confirm,
    pages,
    print_json,
)
from penstock.cli.tables import moment, show
from penstock.core.errors import InvalidInput, NotFound

app = typer.Typer(
    name="observations",
    help="Observations: what was measured, the newest, and which datastreams there are.",
    no_args_is_help=True,
)

Streams = Annotated[
    list[str],
    typer.Argument(help="Names or ids of datastreams, or words that their names hold."),
]
Start = Annotated[str | None, typer.Option("--from", help="First time: ISO 8601, or like now-1h.")]
End = Annotated[str | None, typer.Option("--to", help="First time not wanted any more.")]
Width = Annotated[
    str | None, typer.Option("--every", help="Downsample to buckets of this width: 10s, 1m, 1h.")
]


class FileFormat(StrEnum):
    """Formats of exported files."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


@app.command("datastreams")
def list_datastreams(
    search: Annotated[list[str] | None, typer.Argument(help="Words to look for.")] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 100,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show datastreams with their newest value."""
    words = " ".join(search or [])
    found = list(pages(url, "/datastreams", limit, search=words, include="latest"))
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("Id", "id"),
            ("Datastream", "name"),
            ("Newest", lambda d: _latest(d, "number")),
            ("Unit", lambda d: d["unit"]["symbol"]),
            ("At (UTC)", lambda d: moment((d.get("latest") or {}).get("time_us"))),
        ],
        "No datastreams.",
    )


@app.command("list")
def list_observations(
    streams: Streams,
    *,
    start: Start = None,
    end: End = None,
    width: Width = None,
    limit: Annotated[int, typer.Option(min=1, max=200_000, help="The newest so many.")] = 20,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the newest observations of datastreams; downsampled ones come oldest first."""
    chosen = _find(url, streams)
    query: dict[str, Any] = {"start": start, "end": end, "datastream": list(chosen)}
    if width is None:
        query |= {"limit": limit, "order": "desc"}
    else:
        query |= {"width": width}
    answer = ask("GET", url, "/observations", **query)
    if as_json:
        print_json(answer)
        return
    columns = [name for name in answer if isinstance(answer[name], list)]
    rows = [
        dict(zip(columns, row, strict=True))
        for row in itertools.islice(
            zip(*(answer[name] for name in columns), strict=True), max(limit, 1)
        )
    ]
    shown = [name for name in columns if name not in ("datastream", "time")]
    show(
        rows,
        [
            ("Time (UTC)", lambda row: _exact(row["time"])),
            ("Datastream", lambda row: chosen.get(row["datastream"], row["datastream"])),
            *((name.capitalize(), name) for name in shown),
        ],
        "No observations in that time.",
    )


def export(
    streams: Streams,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write; its ending tells the format."),
    ] = None,
    form: Annotated[FileFormat | None, typer.Option("--format", help="Format of the file.")] = None,
    start: Start = None,
    end: End = None,
    width: Width = None,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Write observations to a CSV, Parquet or Arrow file, or as CSV to standard output.

    A file is complete or not there: it appears under its name when all has arrived.
    """
    chosen = list(_find(url, streams))
    kind = form or _by_ending(out)
    query = {"start": start, "end": end, "width": width, "datastream": chosen, "format": kind}
    if out is None:
        with asking_long(url, "/observations", **query) as answer:
            for piece in answer.iter_bytes():
                sys.stdout.buffer.write(piece)
        return
    if out.exists():
        confirm(f"{out} exists; replace it?", yes=yes)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file, asking_long(url, "/observations", **query) as answer:
            size = _save(answer.iter_bytes(), file)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    sys.stderr.write(f"{out}: {size / 1e6:.1f} MB of {len(chosen)} datastreams\n")


def _save(pieces: Iterator[bytes], file: BinaryIO) -> int:
    """Write what arrives, saying how far it is when somebody looks."""
    size = told = 0
    is_watched = sys.stderr.isatty()
    for piece in pieces:
        file.write(piece)
        size += len(piece)
        if is_watched and size - told > 1_000_000:
            told = size
            sys.stderr.write(f"\r{size / 1e6:.0f} MB")
    if told:
        sys.stderr.write("\r")
    return size


def _find(url: str, wanted: list[str]) -> dict[int, str]:
    """Return ids and names of datastreams: by id, by name, or all whose names hold the words."""
    found: dict[int, str] = {}
    for text in wanted:
        if text.isdecimal():
            items = ask("GET", url, "/datastreams", id=text)["items"]
        else:
            items = list(pages(url, "/datastreams", search=text))
            items = [one for one in items if one["name"] == text] or items
        if not items:
            msg = (
                f"no datastream is called {text!r}; `penstock observations datastreams` shows "
                "those there are"
            )
            raise NotFound(msg)
        found.update((one["id"], one["name"]) for one in items)
    return found


def _by_ending(out: Path | None) -> FileFormat:
    if out is None:
        return FileFormat.CSV
    ending = out.suffix.lstrip(".").lower()
    try:
        return FileFormat({"feather": "arrow", "ipc": "arrow"}.get(ending, ending))
    except ValueError as error:
        msg = f"{out} ends in {out.suffix!r}; name it .csv, .parquet or .arrow, or say --format"
        raise InvalidInput(msg) from error


def _latest(datastream: Any, field: str) -> object:
    latest = datastream.get("latest") or {}
    value = latest.get(field)
    return value if value is not None else (latest.get("text") or "")[:40]


def _exact(time_us: int) -> str:
    return f"{moment(time_us)}.{time_us % 1_000_000:06d}"
