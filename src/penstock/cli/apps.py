"""`penstock apps`: stream apps: SQL that runs live, and on history."""

from __future__ import annotations

import sys
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
    asking_long,
    confirm,
    print_json,
    read_text,
    send_text,
    tell,
)
from penstock.cli.tables import ago, moment, show, show_one
from penstock.core.errors import InvalidInput, NotFound

app = typer.Typer(
    name="apps",
    help="Stream apps: SQL that runs live and on history, and gives the same answer.",
    no_args_is_help=True,
)

#: Longer texts are no names of files.
MAX_PATH = 1000

Name = Annotated[str, typer.Argument(help="Name or id of the app.")]
File = Annotated[
    Path, typer.Argument(help="A `.sql` file: `-- key: value` lines and a SELECT; `-` reads input.")
]
From = Annotated[
    str, typer.Option("--from", help="Begin of the range: ISO 8601, or now-1h.", metavar="TIME")
]
To = Annotated[str, typer.Option("--to", help="End of the range, not included.", metavar="TIME")]


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
    found = _find(url, name)
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
def add(
    file: File,
    *,
    start: Annotated[bool, typer.Option("--start", help="Start it, too.")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make the apps of a file; those that are there already are changed."""
    done = _import(url, read_text(file))
    if start:
        for one in (*done["added"], *done["changed"], *done["unchanged"]):
            ask("POST", url, f"/apps/{_find(url, one)['id']}/start")
    _say_imported(done, as_json=as_json)


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
    found = _find(url, name)
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
    found = _find(url, name)
    answer = ask("POST", url, f"/apps/{found['id']}/start")
    tell(f"{found['spec']['name']} is started.", answer, as_json=as_json)


@app.command()
def stop(name: Name, *, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Stop an app; what it derived stays."""
    found = _find(url, name)
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
    found = _find(url, name)
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
    found = _find(url, name)
    lines = ask("GET", url, f"/apps/{found['id']}/log", limit=limit)["items"]
    if as_json:
        print_json(lines)
        return
    for line in reversed(lines):
        typer.echo(f"{moment(line['time_us'])}  {line['level']:<7}  {line['message']}")


@app.command()
def export(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder to write a file for each app; else to output.")
    ] = None,
    *,
    url: Url = DEFAULT_URL,
) -> None:
    """Write all apps as text that `import` takes."""
    if folder is None:
        with asking_long(url, "/apps/export") as answer:
            sys.stdout.write(answer.read().decode())
        return
    from penstock.sql.apps.app_text import parse_texts, print_app

    with asking_long(url, "/apps/export") as answer:
        said = parse_texts(answer.read().decode())
    folder.mkdir(parents=True, exist_ok=True)
    for one in said:
        spec = one.spec
        home = folder if len({one.spec.system for one in said}) == 1 else folder / spec.system
        home.mkdir(exist_ok=True)
        text = print_app(spec, is_started=one.is_started)
        (home / f"{spec.name}.sql").write_text(text, encoding="utf-8")
    typer.echo(f"{len(said)} apps are in {folder}.")


@app.command("import")
def import_apps(
    source: Annotated[Path, typer.Argument(help="A file, or a folder of `.sql` files.")],
    *,
    start: Annotated[
        bool, typer.Option("--start", help="Start those that the text says are started.")
    ] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make and change apps from text, all of them or none."""
    files = sorted(source.rglob("*.sql")) if source.is_dir() else [source]
    if not files:
        msg = f"there is no `.sql` file in {source}"
        raise NotFound(msg)
    text = "\n".join(read_text(file) for file in files)
    _say_imported(_import(url, text, start=start), as_json=as_json)


@app.command()
def translate(
    given: Annotated[
        str,
        typer.Argument(metavar="FILE|TEXT", help="A filter, a file with one, or `-` for input."),
    ],
    *,
    url: Url = DEFAULT_URL,
) -> None:
    """Write a filter of the digital twin stack as a SELECT for an app."""
    typer.echo(ask("POST", url, "/apps/translate", {"text": _text_of(given).strip()})["sql"])


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

    found = _find(url, name)
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


def _find(url: str, name: str) -> dict[str, Any]:
    return specified(url, "/apps", "app", name, "apps list")


def _text_of(given: str) -> str:
    """Return the text of a file or of the input; else what is given is the text."""
    is_file = given == "-" or (len(given) < MAX_PATH and Path(given).is_file())
    return read_text(Path(given)) if is_file else given


def _query_text(url: str, given: str) -> str:
    text = _text_of(given)
    if text != given:
        return text
    from penstock.sql.apps.app_text import print_app

    return print_app(_spec(_find(url, given)["spec"]))


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


def _import(url: str, text: str, *, start: bool = False) -> dict[str, Any]:
    done: dict[str, Any] = send_text(url, "/apps/import" + "?start=true" * start, text)
    return done


def _say_imported(done: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    for what in ("added", "changed", "unchanged", "started"):
        if done[what]:
            typer.echo(f"{what}: {', '.join(done[what])}")
