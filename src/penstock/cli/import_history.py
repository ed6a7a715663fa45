"""`penstock import`: history from a file into the running platform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penstock.cli.recording_options import (
    FileArgument,
    FormatOption,
    NameOption,
    ThingNameOption,
    ThingOption,
    TimeFormatOption,
    TimeOption,
    TimeUnitOption,
    TimeZoneOption,
    UnitOption,
    ValueOption,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from penstock.simulators.history import Imported
    from penstock.simulators.recordings import Recording

#: Observations shown by --dry-run.
PREVIEW_ROWS = 8


def import_history(
    file: FileArgument,
    url: Annotated[
        str, typer.Option(envvar="PENSTOCK_URL", help="Address of the running platform.")
    ] = "http://127.0.0.1:8080",
    time: TimeOption = None,
    value: ValueOption = None,
    thing: ThingOption = None,
    thing_name: ThingNameOption = None,
    name: NameOption = None,
    unit: UnitOption = None,
    time_unit: TimeUnitOption = None,
    time_format: TimeFormatOption = None,
    time_zone: TimeZoneOption = "UTC",
    form: FormatOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be imported; send nothing.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing when any row is bad.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON at the end, no progress.")
    ] = False,
) -> None:
    """Import a file of observations: CSV, Parquet or NDJSON, of any size.

    Doing it twice is harmless, so an import that broke off is simply done again. Columns that are
    not named are guessed; --dry-run shows how.
    """
    from penstock.simulators.history import Imported, Importer, tables, topic_of
    from penstock.simulators.recordings import Columns, Recording

    columns = Columns(
        time=time,
        time_unit=time_unit,
        time_format=time_format,
        time_zone=time_zone,
        values=tuple(value or ()),
        thing=thing,
        thing_name=thing_name,
        name=name,
        units=tuple(unit or ()),
    )
    recording = Recording(file, columns, form)
    imported = Imported()
    if dry_run:
        _preview(recording, imported)
        return
    if strict:
        checked = Imported()
        for _ in tables(recording, checked):
            pass
        if checked.bad_rows:
            _tell_bad(checked)
            typer.echo("nothing was imported, because of --strict", err=True)
            raise typer.Exit(1)
    importer = Importer(url)
    with _progress(file, quiet=as_json) as watch:
        importer.send(recording, topic_of(recording.thing_name), imported, watch)
    _tell(imported, as_json=as_json)


def _preview(recording: Recording, imported: Imported) -> None:
    """Say what the columns mean and show the first observations."""
    from penstock.simulators.history import tables

    typer.echo(f"time: {recording.time} ({recording.columns.time_zone} when without an offset)")
    typer.echo(f"thing: {_source(recording.thing, recording.thing_name)}")
    if recording.name:
        typer.echo(f"datastream: column {recording.name}")
    for value in recording.values:
        unit = f", unit {value.unit}" if value.unit else ""
        named = "" if value.name == value.column or recording.name else f" as {value.name}"
        typer.echo(f"value: {value.column}{named} ({value.kind}{unit})")
    if recording.left_out:
        names = ", ".join(recording.left_out)
        typer.echo(f"left out, texts: {names}; import them with --value")
    shown = 0
    for table in tables(recording, imported):
        for row in table.slice(0, max(0, PREVIEW_ROWS - shown)).to_pylist():
            result = row["text"] if row["number"] is None else row["number"]
            moment = row["time"].isoformat().replace("+00:00", "Z")
            typer.echo(f"  {moment}  {row['thing']}  {row['name']}  {result}")
            shown += 1
    _tell_bad(imported)
    typer.echo(f"{_extent(imported)} would be imported")


def _source(column: str | None, name: str) -> str:
    return f"column {column}" if column else name


def _extent(imported: Imported) -> str:
    from penstock.simulators.message import iso

    things = len(imported.things)
    text = f"{imported.observations:,} observations of {things:,} thing{'s' * (things != 1)}"
    if imported.first_us is None or imported.last_us is None:
        return text
    return f"{text} from {iso(imported.first_us)} to {iso(imported.last_us)}"


def _tell_bad(imported: Imported) -> None:
    from penstock.simulators.history import shown

    if not imported.bad_rows:
        return
    rows = "1 row was" if imported.bad_rows == 1 else f"{imported.bad_rows:,} rows were"
    typer.echo(f"{rows} left out, wholly or in part:", err=True)
    typer.echo(shown(imported.shown), err=True)
    more = imported.bad_rows - len(imported.shown)
    if more > 0:
        typer.echo(f"  and {more:,} more", err=True)


def _tell(imported: Imported, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        counts = {
            "observations": imported.observations,
            "sent": imported.sent,
            "bad_rows": imported.bad_rows,
            "stored": imported.stored,
            "refused": imported.refused,
            "first_us": imported.first_us,
            "last_us": imported.last_us,
        }
        typer.echo(msgspec.json.encode(counts))
    else:
        _tell_bad(imported)
        typer.echo(f"{_extent(imported)} imported")
    if imported.refused:
        typer.echo("the platform could not store a part; see `penstock dead-letters`:", err=True)
        for reason in dict.fromkeys(imported.refused):
            typer.echo(f"  {reason}", err=True)
        raise typer.Exit(1)


def _progress(file: Path, *, quiet: bool) -> AbstractContextManager[Callable[[Imported], None]]:
    import contextlib

    if quiet or not sys.stderr.isatty():
        return contextlib.nullcontext(lambda _: None)
    return _bar(file)


def _bar(file: Path) -> AbstractContextManager[Callable[[Imported], None]]:
    import contextlib

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    @contextlib.contextmanager
    def shown() -> Iterator[Callable[[Imported], None]]:
        columns = (
            TextColumn(file.name),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("reading", total=None)

            def watch(imported: Imported) -> None:
                text = f"{imported.sent:,} observations sent"
                if imported.stored:
                    progress.update(task, total=1, completed=1, description=f"{text}, stored")
                else:
                    progress.update(task, description=text)

            yield watch

    return shown()
