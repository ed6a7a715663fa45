"""`penstock apps explain`, `backtest`, `verify`: what a query is and would have given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.apps import Name, app, find_app
from penstock.cli.hub import DEFAULT_URL, AsJson, Url, ask, print_json, read_text
from penstock.cli.tables import moment, show, show_one
from penstock.core.errors import InvalidInput

#: Longer texts are no names of files.
MAX_PATH = 1000

File = Annotated[
    Path, typer.Argument(help="A `.sql` file: `-- key: value` lines and a SELECT; `-` reads input.")
]
From = Annotated[
    str, typer.Option("--from", help="Begin of the range: ISO 8601, or now-1h.", metavar="TIME")
]
To = Annotated[str, typer.Option("--to", help="End of the range, not included.", metavar="TIME")]


@app.command()
def explain(file: File, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Check a query, and show what is known of it before it runs."""
    query = _query(read_text(file))
    found = ask("POST", url, "/apps/explain", query)
    if as_json:
        print_json(found)
        return
    show(
        found["columns"],
        [("Column", "name"), ("Values", "kind"), ("Key", "is_key"), ("Unit", "unit")],
        "No columns.",
    )
    grid_us = found["grid_us"]
    show_one(
        [
            ("Reads", found["sources"]),
            ("Answers", "row by row" if found["is_rowwise"] else "by slices of time"),
            ("Slices", f"{grid_us / 1e6:g} s" if grid_us > 1 else ""),
            ("Looks back", f"{found['back_us'] / 1e6:g} s"),
            ("Looks ahead", f"{found['ahead_us'] / 1e6:g} s"),
        ]
    )


@app.command()
def backtest(
    query: Annotated[str, typer.Argument(help="Name of an app, a `.sql` file, or `-`.")],
    *,
    from_: From = "now-1h",
    to: To = "now",
    csv: Annotated[Path | None, typer.Option(help="Write CSV to a file; `-` is output.")] = None,
    arrow: Annotated[Path | None, typer.Option(help="Write an Arrow stream to a file.")] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Compute a query over the past: what it would have given. Ctrl-C cancels it."""
    from penstock.cli.answers import backtest_to

    said = _query(_query_text(url, query))
    backtest_to(url, {**said, "from": from_, "to": to}, csv=csv, arrow=arrow, as_json=as_json)


@app.command()
def verify(
    name: Name,
    *,
    from_: From = "now-1h",
    to: To = "now",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Compare what an app stored with a new computation; exit code 1 when they differ.

    Compared is what it was to answer since it began or was changed. Ctrl-C cancels it.
    """
    from penstock.cli.answers import verification

    found = find_app(url, name)
    result = verification(url, found["id"], from_, to)
    if as_json:
        print_json(result)
    else:
        typer.echo(
            f"From {moment(result['start_us'])} to {moment(result['end_us'])}: "
            f"{result['rows']} values computed, {result['same']} stored so, "
            f"{result['different']} different."
        )
        missing = [one["stored"] is None for one in result["examples"]]
        if missing and all(missing) and not result["same"]:
            typer.echo(
                "Nothing of this is stored: an app keeps results from its start on. Give a --from "
                "behind that, or let it start earlier (`start` in its header)."
            )
        if result["examples"]:
            show(
                result["examples"],
                [
                    ("Time (UTC)", lambda d: moment(d["time_us"])),
                    ("Datastream", "datastream"),
                    ("Stored", "stored"),
                    ("Computed", "computed"),
                ],
                "",
            )
    if result["different"]:
        raise typer.Exit(1)


def text_of(given: str) -> str:
    """Return the text of a file or of the input; else what is given is the text."""
    is_file = given == "-" or (len(given) < MAX_PATH and Path(given).is_file())
    return read_text(Path(given)) if is_file else given


def _query_text(url: str, given: str) -> str:
    text = text_of(given)
    if text != given:
        return text
    from penstock.sql.apps.app_text import print_app

    return print_app(_spec(find_app(url, given)["spec"]))


def _spec(document: object) -> Any:
    import msgspec

    from penstock.core.apps import AppSpec

    return msgspec.convert(document, AppSpec)


def _query(text: str) -> dict[str, Any]:
    """Return the query of a text: one app, or only SQL."""
    from penstock.sql.apps.app_text import BEGIN, parse_apps, split

    if not any(BEGIN.match(line) for line in split(text)):
        return {"sql": text}
    specs = parse_apps(text)
    if len(specs) != 1:
        msg = f"the text has {len(specs)} apps; name a file with one"
        raise InvalidInput(msg)
    spec = specs[0]
    return {
        "sql": spec.sql,
        "system": spec.system,
        "lateness_s": spec.lateness_s,
        "idle_s": spec.idle_s,
        "reach_s": spec.reach_s,
    }
