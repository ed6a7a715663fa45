"""`penstock apps add`, `import`, `export`, `translate`: apps as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.app_queries import File, text_of
from penstock.cli.apps import app, find_app
from penstock.cli.hub import (
    DEFAULT_URL,
    AsJson,
    Url,
    ask,
    asking_long,
    print_json,
    read_text,
    send_text,
    tell,
)
from penstock.core.errors import NotFound


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
            ask("POST", url, f"/apps/{find_app(url, one)['id']}/start")
    _say_imported(done, as_json=as_json)


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
    as_json: AsJson = False,
) -> None:
    """Write a filter of the digital twin stack as a SELECT for an app."""
    answer = ask("POST", url, "/apps/translate", {"text": text_of(given).strip()})
    tell(answer["sql"], answer, as_json=as_json)


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
