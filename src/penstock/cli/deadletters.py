"""`penstock deadletters`: messages that could not become observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from penstock.cli.hub import DEFAULT_URL, AsJson, Url, Yes, ask, confirm, pages, print_json
from penstock.cli.tables import show, time_of

app = typer.Typer(
    name="deadletters",
    help="Messages that could not become observations: list, replay or discard them.",
    no_args_is_help=True,
)


@app.command("list")
def list_letters(
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 100,
    *,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the dead letters that wait, with the reasons."""
    letters = list(pages(url, "/dead-letters", limit))
    if as_json:
        print_json(letters)
        return
    show(
        letters,
        [
            ("Id", "id"),
            ("Arrived (UTC)", time_of("arrived_us")),
            ("Topic", "topic"),
            ("Payload", lambda letter: _payload(letter)[:60]),
            ("Codec", "codec"),
            ("Reason", "reason"),
        ],
        "No dead letters wait.",
    )
    if len(letters) == limit:
        typer.echo(f"The first {limit} are shown; --limit shows more.")


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
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Drop all dead letters that wait."""
    confirm("Drop all dead letters?", yes=yes)
    outcome = ask("DELETE", url, "/dead-letters")
    if as_json:
        print_json(outcome)
        return
    typer.echo(f"{outcome['discarded']} dead letters dropped.")


def _payload(letter: Mapping[str, Any]) -> str:
    payload = letter.get("payload")
    return str(payload if payload is not None else letter.get("payload_base64", ""))
