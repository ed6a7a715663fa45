"""`penstock deadletters`: messages that could not become observations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask, print_json

app = typer.Typer(
    name="deadletters",
    help="Messages that could not become observations: list, replay or discard them.",
    no_args_is_help=True,
)

#: Dead letters asked for at once.
_PAGE = 1000


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 100,
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the dead letters that wait, with the reasons."""
    letters = list(_letters(url, limit))
    if as_json:
        print_json(letters)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=False)
    if not letters:
        console.print("No dead letters wait.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Id", "Arrived (UTC)", "Topic", "Payload", "Codec", "Reason"):
        wraps = name in ("Topic", "Reason")
        table.add_column(name, no_wrap=not wraps, overflow="fold" if wraps else "ellipsis")
    for letter in letters:
        table.add_row(
            str(letter["id"]),
            _time(letter["arrived_us"]),
            Text(letter["topic"]),
            Text(_payload(letter)[:60]),
            Text(letter["codec"]),
            Text(letter["reason"]),
        )
    console.print(table)
    if len(letters) == limit:
        console.print(f"The first {limit} are shown; --limit shows more.")


@app.command()
def replay(*, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Ingest all dead letters again with today's routes; what fails waits again."""
    outcome = ask("POST", url, "/dead-letters/replay")
    if as_json:
        print_json(outcome)
        return
    typer.echo(
        f"{outcome['messages']} messages read again, {outcome['observations']} observations "
        f"stored, {outcome['failed']} messages failed again."
    )


@app.command()
def discard(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Drop all dead letters that wait."""
    if not yes:
        typer.confirm("Drop all dead letters?", abort=True, err=True)
    outcome = ask("DELETE", url, "/dead-letters")
    if as_json:
        print_json(outcome)
        return
    typer.echo(f"{outcome['discarded']} dead letters dropped.")


def _letters(url: str, limit: int) -> Iterator[dict[str, Any]]:
    after = 0
    while limit > 0:
        page = ask("GET", url, "/dead-letters", after=after, limit=min(limit, _PAGE))
        yield from page["items"]
        limit -= len(page["items"])
        after = page["next"]
        if after is None:
            return


def _time(time_us: int) -> str:
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _payload(letter: dict[str, Any]) -> str:
    payload = letter.get("payload")
    return str(payload if payload is not None else letter.get("payload_base64", ""))
