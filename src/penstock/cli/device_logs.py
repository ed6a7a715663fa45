"""`penstock devices logs`: what devices say about themselves, searched and followed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from penstock.cli.completing import device_names
from penstock.cli.devices import app
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask, asking_long
from penstock.cli.tables import moment


@app.command()
def logs(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Only of these devices.", autocompletion=device_names),
    ] = None,
    *,
    level: Annotated[
        list[str] | None,
        typer.Option(help="Only this level: INFO, WARNING or ERROR; may be repeated."),
    ] = None,
    text: Annotated[str, typer.Option(help="Words that must each occur.")] = "",
    start: Annotated[str | None, typer.Option("--from", help="First time, like now-1h.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First time not wanted.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="The newest so many.")] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what devices logged, oldest first; --json gives one document a line."""
    levels = [one.upper() for one in level or []]
    query = {"device": names or None, "level": levels or None, "text": text or None}
    lines = list(_newest(url, limit, {**query, "from": start, "to": end}))
    for line in reversed(lines):
        _print(line, as_json=as_json)
    if follow:
        seen = {line["id"] for line in lines}
        for line in _following(url, query):
            if line["id"] not in seen:
                _print(line, as_json=as_json)


def _newest(url: str, limit: int, query: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    before = None
    while limit > 0:
        page = ask("GET", url, "/device-logs", before=before, limit=min(limit, 1000), **query)
        yield from page["items"]
        limit -= len(page["items"])
        before = page["next"]
        if before is None:
            return


def _following(url: str, query: Mapping[str, object]) -> Iterator[dict[str, Any]]:
    import msgspec

    event = ""
    with asking_long(url, "/device-logs/stream", **query) as answer:
        for text in answer.iter_lines():
            field, _, value = text.partition(": ")
            if field == "event":
                event = value
            elif field == "data" and event == "lines":
                yield from msgspec.json.decode(value)
            elif field == "data" and event == "gap":
                sys.stderr.write("(some lines were too many to follow; search shows them)\n")


def _print(line: Mapping[str, Any], *, as_json: bool) -> None:
    import msgspec

    if as_json:
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    else:
        typer.echo(
            f"{moment(line['time_us'])}  {line['level']:<7}  {line['device']}  "
            f"{_plain(line['message'])}"
        )
    sys.stdout.flush()


def _plain(message: str) -> str:
    """Return a message without what could steer a terminal: devices write these."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
