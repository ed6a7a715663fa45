"""Rows of queries for people and scripts: tables, JSON lines, CSV and Arrow files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer

from penstock.cli.hub import posting_long, print_json
from penstock.cli.tables import moment, show
from penstock.core.errors import InvalidInput, PenstockError

#: Rows of a backtest that a table shows.
MAX_SHOWN = 200


def backtest_to(
    url: str,
    query: Mapping[str, Any],
    *,
    csv: Path | None,
    arrow: Path | None,
    as_json: bool,
) -> None:
    """Compute a query over the past and write its rows where they are wanted."""
    kind, file = picked(csv, arrow)
    if file is not None:
        save(url, "/apps/backtest", {**query, "format": kind}, file)
        return
    columns: list[Mapping[str, str]] = []
    shown: list[dict[str, Any]] = []
    rows, share = 0, 0.0
    left: KeyboardInterrupt | None = None
    try:
        with posting_long(url, "/apps/backtest", {**query, "format": "ndjson"}) as answer:
            for line in map(msgspec.json.decode, answer.iter_lines()):
                if "error" in line:
                    raise PenstockError(line["error"]["message"])
                columns = line.get("columns", columns)
                share = line.get("progress", share)
                if "progress" in line:
                    tell(share)
                for row in objects([one["name"] for one in columns], line.get("values", ())):
                    rows += 1
                    if as_json:
                        sys.stdout.write(msgspec.json.encode(row).decode() + "\n")
                    elif len(shown) < MAX_SHOWN:
                        shown.append(row)
    except KeyboardInterrupt as error:
        left = error
    tell(None)
    if not as_json:
        table(columns, shown)
        typer.echo(f"{rows} rows" + (f", of which {MAX_SHOWN} are shown" * (rows > MAX_SHOWN)))
    if left is not None:
        typer.echo(f"Cancelled at {share:.0%} of the range.", err=True)
        raise left


def verification(url: str, app: int, from_: str, to: str) -> dict[str, Any]:
    """Compare what an app stored, and say meanwhile how far it is."""
    asked = {"from": from_, "to": to, "format": "ndjson"}
    result: dict[str, Any] | None = None
    with posting_long(url, f"/apps/{app}/verify", asked) as answer:
        for line in map(msgspec.json.decode, answer.iter_lines()):
            if "error" in line:
                raise PenstockError(line["error"]["message"])
            if "progress" in line:
                tell(line["progress"])
            result = line.get("verified", result)
    tell(None)
    if result is None:
        raise PenstockError("the comparison did not come to its end; try again")
    return result


def picked(csv: Path | None, arrow: Path | None) -> tuple[str, Path | None]:
    """Return the form and the file that are wanted."""
    if csv is not None and arrow is not None:
        msg = "--csv and --arrow do not go together; take one"
        raise InvalidInput(msg)
    return ("csv", csv) if csv is not None else ("arrow", arrow)


def save(url: str, path: str, body: object, file: Path) -> None:
    """Write an answer to a file while it comes; `-` is standard output."""
    with posting_long(url, path, body) as answer:
        if str(file) == "-":
            for piece in answer.iter_bytes():
                sys.stdout.buffer.write(piece)
            return
        with file.open("wb") as target:
            for piece in answer.iter_bytes():
                target.write(piece)
    typer.echo(f"{file} is written.", err=True)


def objects(names: Sequence[str], values: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Give rows of columns."""
    for row in zip(*values, strict=True):
        yield dict(zip(names, row, strict=True))


def table(columns: Sequence[Mapping[str, str]], rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows for people; times as such, and without columns that are always empty."""
    known = [
        one
        for one in columns
        if not one["name"].startswith("__") or any(row[one["name"]] is not None for row in rows)
    ]
    show(rows, [(one["name"].removeprefix("__"), _cell(one)) for one in known], "No rows.")


def one_answer(answer: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the answer to a question."""
    names = [one["name"] for one in answer["columns"]]
    rows = list(objects(names, answer["values"]))
    if as_json:
        print_json(rows)
        return
    table(answer["columns"], rows)
    typer.echo(f"{answer['rows']} row{'s' * (answer['rows'] != 1)} in {answer['took_s']:.3f} s")


def tell(share: float | None) -> None:
    """Show how far it is, to a person at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" if share is None else f"\r{share:4.0%}")
        sys.stderr.flush()


def _cell(column: Mapping[str, str]) -> Any:
    name = column["name"]
    if column["type"].startswith("timestamp"):
        return lambda row: moment(row[name])
    return lambda row: row[name]
