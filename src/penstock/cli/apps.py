"""`penstock apps`: stream apps: SQL that runs live, and on history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.finding import specified
from penstock.cli.hub import (
    DEFAULT_URL,
    AsJson,
    Url,
    Yes,
    ask,
    confirm,
    print_json,
    read_text,
    tell,
)
from penstock.cli.tables import ago, moment, show, show_one
from penstock.core.errors import InvalidInput

app = typer.Typer(
    name="apps",
    help="Stream apps: SQL that runs live and on history, and gives the same answer.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name or id of the app.")]


@app.command("list")
def list_apps(
    *,
    search: Annotated[str, typer.Option(help="Words that occur in name, text or SQL.")] = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show the apps and how they fare."""
    found = ask("GET", url, "/apps", search=search)["items"]
    if as_json:
        print_json(found)
        return
    show(
        found,
        [
            ("App", "id"),
            ("Name", lambda a: a["spec"]["name"]),
            ("System", lambda a: a["spec"]["system"]),
            ("State", _state),
            ("Behind", lambda a: _behind(a["run"])),
            ("Rows", lambda a: (a["run"] or {}).get("rows_out")),
            ("Repairs", lambda a: (a["run"] or {}).get("repairs")),
            ("Datastreams", "datastreams"),
        ],
        "No apps; `penstock apps add FILE` makes one.",
    )


@app.command("show")
def show_app(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show one app: what was said of it, and how it fares."""
    found = find_app(url, name)
    if as_json:
        print_json(found)
        return
    spec, run = found["spec"], found["run"] or {}
    output = spec["output"]
    show_one(
        [
            ("App", found["id"]),
            ("Name", spec["name"]),
            ("System", spec["system"]),
            ("Description", spec["description"]),
            ("State", _state(found)),
            ("Message", run.get("message")),
            ("Version", found["version"]),
            ("Changed", f"{moment(found['changed_us'])} by {found['by']}"),
            ("Output", output["topic"] or f"{found['datastreams']} datastreams"),
            ("Complete until", moment(run.get("done_us"))),
            ("Rows in", run.get("rows_in")),
            ("Rows out", run.get("rows_out")),
            ("Late rows", run.get("late_rows")),
            ("Repairs", run.get("repairs")),
            ("Too late", run.get("too_late")),
            ("Busy", f"{run['busy_s']:.1f} s" if run else ""),
        ]
    )
    typer.echo(f"\n{spec['sql']}")


@app.command()
def change(
    name: Name,
    *,
    sql: Annotated[
        Path | None, typer.Option(help="File with the new SELECT; `-` reads input.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    lateness: Annotated[
        float | None, typer.Option(help="Seconds that results wait for stragglers.", min=0)
    ] = None,
    idle: Annotated[
        float | None, typer.Option(help="Seconds after which a silent source is idle.", min=0)
    ] = None,
    reach: Annotated[
        float | None, typer.Option(help="Seconds that LAG, frames and as-of joins look.", min=0)
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(help="now, beginning or an ISO 8601 time: where it begins.", metavar="TIME"),
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="datastreams or topic.", metavar="KIND")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Topic for the rows, with {column}; output is that topic.")
    ] = None,
    thing: Annotated[
        str | None, typer.Option(help="Thing of what it derives, with {column} of a key.")
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option("--unit", help="Unit of a value column.", metavar="COLUMN=SYMBOL"),
    ] = None,
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", help="Observed property of a column.", metavar="COLUMN=NAME"),
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change an app; a started one goes on with the new query from where it stands.

    An empty text takes a topic, a thing, a unit or a property away.
    """
    found = find_app(url, name)
    said: dict[str, Any] = {
        "sql": None if sql is None else read_text(sql),
        "description": description,
        "lateness_s": lateness,
        "idle_s": idle,
        "reach_s": reach,
        "start": begin,
        "output": _output(found["spec"]["output"], output, topic, thing, units, properties),
    }
    spec = {**found["spec"], **{key: value for key, value in said.items() if value is not None}}
    now = ask("PUT", url, f"/apps/{found['id']}", spec, version=found["version"])
    tell(f"{spec['name']} is at version {now['version']}.", now, as_json=as_json)


@app.command()
def start(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Start an app; it is started again whenever Penstock starts."""
    found = find_app(url, name)
    answer = ask("POST", url, f"/apps/{found['id']}/start")
    tell(f"{found['spec']['name']} is started.", answer, as_json=as_json)


@app.command()
def stop(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Stop an app; what it derived stays."""
    found = find_app(url, name)
    answer = ask("POST", url, f"/apps/{found['id']}/stop")
    tell(f"{found['spec']['name']} is stopped.", answer, as_json=as_json)


@app.command()
def delete(
    name: Name,
    *,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Delete what it derived, too.")
    ] = False,
    yes: Yes = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Delete an app; the datastreams that it derived stay unless --with-data."""
    found = find_app(url, name)
    what = f" and its {found['datastreams']} datastreams" if with_data else ""
    confirm(f"Delete app {found['spec']['name']}{what}?", yes=yes)
    answer = ask("DELETE", url, f"/apps/{found['id']}", with_data=with_data)
    tell(f"{found['spec']['name']} is deleted.", answer, as_json=as_json)


@app.command()
def log(
    name: Name,
    *,
    limit: Annotated[int, typer.Option(help="At most so many lines.", min=1, max=1000)] = 100,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show what happened to an app, oldest first."""
    found = find_app(url, name)
    lines = ask("GET", url, f"/apps/{found['id']}/log", limit=limit)["items"]
    if as_json:
        print_json(lines)
        return
    for line in reversed(lines):
        typer.echo(f"{moment(line['time_us'])}  {line['level']:<7}  {line['message']}")


def _output(
    held: Mapping[str, Any],
    kind: str | None,
    topic: str | None,
    thing: str | None,
    units: list[str] | None,
    properties: list[str] | None,
) -> dict[str, Any]:
    """Return where the answer goes, with what is said anew."""
    if kind is None and topic:
        kind = "topic"
    if kind == "datastreams" and topic is None:
        topic = ""
    said = {"kind": kind, "topic": topic, "thing": thing}
    return {
        **held,
        **{key: value for key, value in said.items() if value is not None},
        "units": _with(held["units"], units, "--unit"),
        "properties": _with(held["properties"], properties, "--property"),
    }


def _with(held: Mapping[str, str], said: list[str] | None, option: str) -> dict[str, str]:
    """Return names by column, with those said anew; an empty one takes it away."""
    names = dict(held)
    for one in said or ():
        column, is_said, name = one.partition("=")
        if not (column and is_said):
            msg = f"{option} {one!r} is not understood; write COLUMN=NAME"
            raise InvalidInput(msg)
        names[column] = name
    return {column: name for column, name in names.items() if name}


def _state(found: Mapping[str, Any]) -> str:
    run = found["run"]
    return str(run["state"] if run else found["state"])


def _behind(run: Mapping[str, Any] | None) -> str:
    return ago(run["done_us"]) if run and run["done_us"] is not None else ""


def find_app(url: str, name: str) -> dict[str, Any]:
    """Return the app of a name or id. Raises as `specified`."""
    return specified(url, "/apps", "app", name, "apps list")
